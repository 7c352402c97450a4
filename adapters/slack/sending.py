"""One part of an answer onto Slack, once.

    send ─▶ shown as a draft? ─ yes ─▶ the whole in its place, see drafts
                    │ no
            perhaps there already? ─ yes ─▶ ask the history for its key ─ found ─▶ Sent
                    │ no                          │ not found
                    └─────────────────────────────┴──▶ chat.postMessage ─▶ a result, see below

Rules: each message carries its part's key as metadata. A part is perhaps there already where this process sent it
and did not learn what became of it, or where its question is older than this process, which may have sent it in an
earlier life. History is asked for no other.

| Slack's answer                        | result                                                                |
|---------------------------------------|-----------------------------------------------------------------------|
| ok                                    | Sent(ts)                                                              |
| no connection                         | NotSent, our own back-off                                             |
| 429                                   | NotSent after Retry-After; the whole bot where another chat waits too |
| the thread cannot be replied to       | once more beside it                                                   |
| the block is not understood           | once more as plain text                                               |
| slash command where we are no member  | once more to the user's direct chat                                   |
| another refusal                       | Rejected with Slack's word                                            |
| the token is dead                     | NotSent: a person will bring another                                  |
| anything else                         | FateUnknown: the next try asks the history first                      |
| the history cannot be read            | Rejected: it may be there, and nobody can tell                        |
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

from adapters.contract import Timer
from adapters.errors import AdapterError, RefusedConnection
from adapters.messages import FateUnknown, NotSent, OutboundMessage, Rejected, SendResult, Sent
from adapters.slack import wire
from adapters.slack.client import Client, NotConnected, Refused, SlowDown
from adapters.slack.drafts import Drafts

MOST_DOUBTFUL = 1000
MOST_PAGES = 10
_PAGE = 200
_CLOCKS_DIFFER_S = 2.0
_LOOK_BACK_S = 86_400.0
_DEAD_TOKEN_RETRY_S = 60.0
_MOST_CORRECTIONS = 3
_NO_THREAD = frozenset({"cannot_reply_to_message", "invalid_thread_ts", "thread_not_found"})
_NO_BLOCKS = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"})
_NO_MEMBER = frozenset({"channel_not_found", "not_in_channel"})


class Sending:
    """Sends for one bot.

    Args:
        drafts: what is shown of answers that were not whole yet.
        wall: tells the time of day in Unix seconds, to compare with Slack's.
        doubt: called where Slack says that the token is dead.
    """

    __slots__ = ("_client", "_doubt", "_doubtful", "_drafts", "_paused", "_started_at", "_timer", "_wall")

    def __init__(
        self,
        client: Client,
        drafts: Drafts,
        timer: Timer,
        wall: Callable[[], float],
        doubt: Callable[[], None],
    ) -> None:
        self._client = client
        self._drafts = drafts
        self._timer = timer
        self._wall = wall
        self._started_at = wall()
        self._doubt = doubt
        self._doubtful: OrderedDict[str, None] = OrderedDict()
        self._paused: tuple[str, float] | None = None

    async def send(self, message: OutboundMessage) -> SendResult:
        """Send one part; see the table above. Raises nothing but cancellation."""
        if not self._drafts.holds(message.key) and self._perhaps_there(message):
            found = await self._found(message)
            if found is not None:
                return found
        self._note_doubt(message.key)  # being cancelled in mid-send leaves it doubtful, too
        try:
            result = await self._drafts.complete(message) or await self._posted(message)
        except AdapterError as error:
            result = self._fate(message.chat.id, error)
        if not isinstance(result, FateUnknown):
            self._doubtful.pop(message.key, None)
        return result

    def _perhaps_there(self, message: OutboundMessage) -> bool:
        asked_at = _seconds(message.details.get("ts"))
        earlier = asked_at is None or asked_at < self._started_at + _CLOCKS_DIFFER_S
        return earlier or message.key in self._doubtful

    def _note_doubt(self, key: str) -> None:
        self._doubtful[key] = None
        if len(self._doubtful) > MOST_DOUBTFUL:
            self._doubtful.popitem(last=False)

    async def _found(self, message: OutboundMessage) -> SendResult | None:
        """What is certain by the history; None: it is not there."""
        try:
            ts = await self._asked_history(message)
        except Refused as refused:
            if refused.code in _NO_MEMBER | _NO_THREAD:
                return None  # then it did not get there
            return Rejected(f"perhaps it is there already, but Slack's history cannot be read ({refused})")
        except AdapterError as error:
            fate = self._fate(message.chat.id, error)
            return NotSent(fate.why) if isinstance(fate, FateUnknown) else fate
        if ts is None:
            return None
        self._doubtful.pop(message.key, None)
        return Sent(ts)

    async def _asked_history(self, message: OutboundMessage) -> str | None:
        """The `ts` of the message with this part's key."""
        since = _seconds(message.details.get("ts"))
        fields: dict[str, object] = {
            "channel": message.chat.id,
            "oldest": f"{self._wall() - _LOOK_BACK_S:.6f}" if since is None else message.details["ts"],
            "include_all_metadata": True,
            "limit": _PAGE,
        }
        method = "conversations.history"
        if message.chat.thread is not None:
            method, fields["ts"] = "conversations.replies", message.chat.thread
        for _ in range(MOST_PAGES):
            answer = await self._client.call(method, fields)
            messages = answer.get("messages")
            for raw in messages if isinstance(messages, list) else ():
                if wire.sent_key(raw) == message.key:
                    return str(raw.get("ts"))
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                break
            fields["cursor"] = cursor
        return None

    async def _posted(self, message: OutboundMessage) -> SendResult:
        in_thread = blocks = True
        for left in range(_MOST_CORRECTIONS, -1, -1):
            fields = wire.post_fields(message, in_thread=in_thread, blocks=blocks)
            try:
                answer = await self._client.call("chat.postMessage", fields)
            except Refused as refused:
                if left == 0:
                    raise
                if refused.code in _NO_THREAD and in_thread and message.chat.thread is not None:
                    in_thread = False
                elif refused.code in _NO_BLOCKS and blocks:
                    blocks = False
                elif refused.code in _NO_MEMBER and _answers_command(message):
                    message = replace(message, chat=replace(message.chat, id=str(message.details["user"])))
                else:
                    raise
            else:
                ts = answer.get("ts")
                return Sent(ts) if isinstance(ts, str) else FateUnknown("Slack's answer names no message")
        raise AssertionError  # the last round returned or raised

    def _fate(self, chat: str, error: AdapterError) -> NotSent | Rejected | FateUnknown:
        match error:
            case Refused():
                return Rejected(str(error))
            case SlowDown():
                return self._slowed(chat, error)
            case NotConnected():
                return NotSent(str(error))
            case RefusedConnection():
                self._doubt()
                return NotSent(str(error), retry_after_s=_DEAD_TOKEN_RETRY_S, whole_bot=True)
            case _:
                return FateUnknown(str(error))

    def _slowed(self, chat: str, pause: SlowDown) -> NotSent:
        """Slack does not say whose limit it was: two chats that must wait at once mean the whole bot."""
        now, seconds = self._timer.monotonic(), pause.retry_after_s or 0.0
        other, until = self._paused or (chat, now)
        self._paused = (chat, now + seconds)
        return NotSent(str(pause), retry_after_s=seconds, whole_bot=other != chat and now < until)


def _answers_command(message: OutboundMessage) -> bool:
    """Whether this answers a slash command, and not yet in the user's direct chat."""
    user = message.details.get("user")
    return isinstance(user, str) and message.chat.id != user


def _seconds(ts: object) -> float | None:
    """Unix seconds of a `ts`."""
    try:
        return float(ts) if isinstance(ts, str) else None
    except ValueError:
        return None
