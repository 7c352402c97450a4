"""Shows that an answer is being made: a status in the thread, else an emoji on the question.

    asked(message) ─▶ show(chat) ─▶ … ─▶ done(chat)
                       status, where there is a thread and Slack allows it: goes by itself with the answer
                       else the reaction, taken back when the answer is there

Rules: what Slack refused once is not tried again for as long as this process lives; the `MOST` questions last heard
are known; nothing in here raises anything but cancellation.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from adapters.errors import AdapterError
from adapters.messages import ChatRef, InboundMessage
from adapters.slack.client import Client, Refused

MOST = 1000
STATUS = "is thinking…"
_HARMLESS = frozenset({"already_reacted", "message_not_found", "no_reaction"})


@dataclass(slots=True)
class _Question:
    """The last question of a place, and whether our reaction is on it."""

    ts: str
    marked: bool = False


class Working:
    """What one bot shows."""

    __slots__ = ("_client", "_questions", "_reaction", "_reactions_work", "_status_works")

    def __init__(self, client: Client, reaction: str) -> None:
        self._client = client
        self._reaction = reaction
        self._status_works = True
        self._reactions_work = True
        self._questions: OrderedDict[str, _Question] = OrderedDict()

    def asked(self, message: InboundMessage) -> None:
        """A question that will be answered. One whose reaction still stands keeps its place until that is gone."""
        ts, place = message.details.get("ts"), message.chat.place
        known = self._questions.get(place)
        if not isinstance(ts, str) or (known is not None and known.marked):
            return
        self._questions[place] = _Question(ts)
        self._questions.move_to_end(place)
        if len(self._questions) > MOST:
            self._questions.popitem(last=False)

    async def show(self, chat: ChatRef) -> None:
        """Show it now."""
        if chat.thread is not None and self._status_works and await self._set_status(chat, chat.thread):
            return
        question = self._questions.get(chat.place)
        if question is not None and not question.marked and self._reactions_work:
            question.marked = await self._react("reactions.add", chat, question.ts)

    async def done(self, chat: ChatRef) -> None:
        """The answer is there: nothing is shown any more."""
        question = self._questions.get(chat.place)
        if question is not None and question.marked:
            del self._questions[chat.place]
            await self._react("reactions.remove", chat, question.ts)

    async def _set_status(self, chat: ChatRef, thread: str) -> bool:
        fields = {"channel_id": chat.id, "thread_ts": thread, "status": STATUS}
        try:
            await self._client.call("assistant.threads.setStatus", fields)
        except Refused:
            self._status_works = False
            return False
        except AdapterError:
            return False
        return True

    async def _react(self, method: str, chat: ChatRef, ts: str) -> bool:
        fields = {"channel": chat.id, "timestamp": ts, "name": self._reaction}
        try:
            await self._client.call(method, fields)
        except Refused as refused:
            self._reactions_work = refused.code in _HARMLESS
            return False
        except AdapterError:
            return False
        return True
