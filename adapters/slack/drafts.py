"""Answers that are shown while they grow, and the calls by which they end.

    in a thread   chat.startStream ─▶ chat.appendStream … ─▶ chat.stopStream with the rest
                        │ refused           │ over                  │ over, or another text: stopped bare
                        ▼                   ▼                       ▼
    elsewhere     chat.postMessage ──▶ chat.update … ─────▶ chat.update with the whole

Rules: showing raises nothing and repeats nothing: what fails is not shown. It keeps to Slack's limits with room to
spare, since the whole answer needs the same methods, and pauses altogether as long as Slack asks. An edit of unknown
fate may still arrive: its message is deleted and the whole sent anew; an append cannot, once the stream is stopped.
What is remembered is bounded, and may be lost: then the whole goes out as a new message.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from adapters.contract import Timer
from adapters.errors import AdapterError, Unreachable
from adapters.messages import ChatRef, OutboundMessage, Sent
from adapters.slack import pieces
from adapters.slack.client import Client, NotConnected, Refused, SlowDown

MOST_SHOWN = 256
MOST_CHANNELS = 1000
CHANNEL_EVERY_S = 1.0
BOT_EVERY_S: Mapping[str, float] = {
    "chat.startStream": 3.0,
    "chat.appendStream": 1.0,
    "chat.postMessage": 0.2,
    "chat.update": 2.0,
}
"""Slack allows 20, 100, a channel's one a second, and 50 a minute."""
_NOWHERE = frozenset({"access_denied", "feature_not_enabled", "missing_scope", "unknown_method"})
_OVER = frozenset({"message_not_in_streaming_state", "stopped_by_user"})
_T = TypeVar("_T")


@dataclass(slots=True)
class Shown:
    """A message that stands in a chat with a part of its answer.

    Attributes:
        place: which conversation it is in.
        channel: where Slack says that it is.
        ts: None where it is not known: nothing more is shown, and the whole is sent anew.
        streaming: whether it is a stream that is still open.
        text: what it says; of a stream, all the pieces.
        sure: False while a change is under way, and after one of unknown fate.
    """

    place: str
    channel: str
    streaming: bool
    text: str
    ts: str | None = None
    sure: bool = True

    @property
    def named(self) -> dict[str, object]:
        """The arguments that name it."""
        return {"channel": self.channel, "ts": self.ts}


class Pace:
    """When something may be shown: each method and each channel at its pace, nothing during a pause."""

    __slots__ = ("_channels", "_methods", "_paused_until", "_timer")

    def __init__(self, timer: Timer) -> None:
        self._timer = timer
        self._paused_until = 0.0
        self._methods: dict[str, float] = {}
        self._channels: OrderedDict[str, float] = OrderedDict()

    def take(self, method: str, channel: str) -> bool:
        """Whether it is time; if so, the next time is later."""
        now = self._timer.monotonic()
        free_at = max(self._paused_until, self._methods.get(method, 0.0), self._channels.get(channel, 0.0))
        if now < free_at:
            return False
        self._methods[method] = now + BOT_EVERY_S[method]
        _keep(self._channels, channel, now + CHANNEL_EVERY_S, MOST_CHANNELS)
        return True

    def pause(self, seconds: float) -> None:
        """Nothing for so long."""
        self._paused_until = max(self._paused_until, self._timer.monotonic() + seconds)


class Drafts:
    """What one bot shows of answers that are not whole yet."""

    __slots__ = ("_client", "_pace", "_shown", "_streams", "_unstreamed")

    def __init__(self, client: Client, timer: Timer) -> None:
        self._client = client
        self._pace = Pace(timer)
        self._shown: OrderedDict[str, Shown] = OrderedDict()
        self._unstreamed: OrderedDict[str, None] = OrderedDict()
        self._streams = True

    def holds(self, key: str) -> bool:
        """Whether a message stands there that the whole can take the place of."""
        shown = self._shown.get(key)
        return shown is not None and shown.ts is not None

    def stand_in(self, chat: ChatRef) -> bool:
        """Whether an answer grows in this place."""
        return any(shown.place == chat.place and shown.ts is not None for shown in self._shown.values())

    async def show(self, message: OutboundMessage) -> bool:
        """Show what there is of an answer; True where it has just begun. Raises nothing but cancellation."""
        shown = self._shown.get(message.key)
        try:
            if shown is None:
                await self._begin(message)
                return self.holds(message.key)
            if shown.ts is None or not shown.sure:
                return False
            if shown.streaming:
                await self._append(message, shown)
            else:
                await self._edit(message, shown)
        except SlowDown as pause:
            self._pace.pause(pause.retry_after_s or CHANNEL_EVERY_S)
        except AdapterError:
            return False
        return False

    async def complete(self, message: OutboundMessage) -> Sent | None:
        """Put the whole answer in the place of what is shown; None: nothing is, send it.

        May be called again after whatever it raised. Raises AdapterError, but not Refused.
        """
        shown = self._shown.get(message.key)
        if shown is None or shown.ts is None:
            self._shown.pop(message.key, None)
            return None
        done = False
        with suppress(Refused):
            done = await self._ended(message, shown)
        del self._shown[message.key]
        if done:
            return Sent(shown.ts)
        with suppress(AdapterError):  # a part that cannot be taken away stands beside the whole
            await self._client.call("chat.delete", shown.named)
        return None

    async def _begin(self, message: OutboundMessage) -> None:
        channel = message.chat.id
        if self._streams and channel not in self._unstreamed and pieces.can_stream(message):
            piece = pieces.settled(message.text)
            if not piece or not self._pace.take("chat.startStream", channel):
                return
            shown = Shown(message.chat.place, channel, streaming=True, text=piece)
            try:
                await self._started(
                    message.key, shown, "chat.startStream", pieces.start_fields(message, piece)
                )
            except Refused as refused:
                self._note_refused(channel, refused)
            else:
                return
        elif not self._pace.take("chat.postMessage", channel):
            return
        shown = Shown(message.chat.place, channel, streaming=False, text=message.text)
        await self._started(message.key, shown, "chat.postMessage", pieces.begin_fields(message))

    async def _started(self, key: str, shown: Shown, method: str, fields: Mapping[str, object]) -> None:
        """Remember it before it is asked for: of what may be there, there is no second one."""
        _keep(self._shown, key, shown, MOST_SHOWN)
        try:
            answer = await self._client.call(method, fields)
        except (SlowDown, NotConnected):
            self._shown.pop(key, None)  # certainly not there: another draft may begin it
            raise
        shown.ts, shown.channel = _text(answer, "ts"), _text(answer, "channel") or shown.channel

    def _note_refused(self, channel: str, refused: Refused) -> None:
        if refused.code in _NOWHERE:
            self._streams = False
        else:
            _keep(self._unstreamed, channel, None, MOST_CHANNELS)

    async def _append(self, message: OutboundMessage, shown: Shown) -> None:
        text = pieces.settled(message.text)
        piece = text[len(shown.text) :] if text.startswith(shown.text) else ""
        if not piece or not self._pace.take("chat.appendStream", shown.channel):
            return
        try:
            await self._changed(shown, "chat.appendStream", {"markdown_text": piece})
        except Refused as refused:
            if refused.code in _OVER:
                shown.streaming, shown.sure = False, True  # from now on it is edited
            return
        shown.text = text

    async def _edit(self, message: OutboundMessage, shown: Shown) -> None:
        if message.text == shown.text or not self._pace.take("chat.update", shown.channel):
            return
        await self._changed(shown, "chat.update", pieces.edit_fields(message, whole=False))
        shown.text = message.text

    async def _ended(self, message: OutboundMessage, shown: Shown) -> bool:
        """Whether the whole stands there now. Raises as `complete`, and Refused where it cannot."""
        if shown.streaming and await self._stopped(message, shown):
            return True
        if not shown.sure:
            return False
        # The same text twice is the same: whether it is known to be there changes nothing.
        await self._call("chat.update", shown, pieces.edit_fields(message, whole=True))
        return True

    async def _stopped(self, message: OutboundMessage, shown: Shown) -> bool:
        """Close the stream; whether it says the whole now."""
        last = pieces.rest(message.text, shown.text) if shown.sure else None
        if last is not None and await self._closed(shown, pieces.stop_fields(message, last)):
            return True
        if shown.streaming:
            await self._closed(shown, {})
        shown.streaming, shown.sure = False, True
        return False

    async def _closed(self, shown: Shown, fields: Mapping[str, object]) -> bool:
        """Whether it took this at its end; in time Slack stops streams itself, and users can."""
        try:
            await self._changed(shown, "chat.stopStream", fields)
        except Refused as refused:
            shown.streaming = refused.code not in _OVER
            return False
        shown.streaming = False
        return True

    async def _changed(self, shown: Shown, method: str, fields: Mapping[str, object]) -> None:
        """Change it; `sure` tells afterwards whether its text is known. Raises AdapterError."""
        sure, shown.sure = shown.sure, False
        try:
            await self._call(method, shown, fields)
        except (SlowDown, NotConnected):
            shown.sure = sure
            raise
        shown.sure = True

    async def _call(self, method: str, shown: Shown, fields: Mapping[str, object]) -> None:
        answer = await self._client.call(method, {**shown.named, **fields})
        if _text(answer, "ts") != shown.ts:
            raise Unreachable("Slack's answer names another message")


def _text(answer: Mapping[str, Any], name: str) -> str | None:
    value = answer.get(name)
    return value if isinstance(value, str) and value else None


def _keep(kept: OrderedDict[str, _T], key: str, value: _T, most: int) -> None:
    """Remember one more, and forget the oldest where that is too many."""
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > most:
        kept.popitem(last=False)
