"""Answers that are shown while they grow, and the edits by which they end.

    direct chat   sendMessageDraft, again and again ──▶ sendMessage, which takes the draft's place
    group         sendMessage, editMessageText … ─────▶ editMessageText with the whole
                  (a direct chat too, where the server does not know drafts)

Rules: showing raises nothing and repeats nothing: what fails is not shown. A chat that was told to slow down is
shown nothing until then. An edit that would change nothing is never sent, for Telegram refuses it. What is
remembered is bounded, and may be lost: then the whole goes out as a new message.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import TypeVar

from adapters.contract import Timer
from adapters.errors import AdapterError, RefusedConnection, Unreachable
from adapters.messages import ChatKind, NotSent, OutboundMessage, SendResult, Sent
from adapters.telegram import wire
from adapters.telegram.client import Client, NotConnected, Refused, SlowDown

MOST_SHOWN = 256
MOST_PAUSED = 256
_SAME = "not modified"
_T = TypeVar("_T")


@dataclass(slots=True)
class Shown:
    """A message that stands in a chat with a part of its answer.

    Attributes:
        message_id: None where it is not known: nothing more is shown, and the whole is sent anew.
        content: its text and entities as they were asked for.
    """

    message_id: int | None
    content: dict[str, object]


class Drafts:
    """What one bot shows of answers that are not whole yet."""

    __slots__ = ("_client", "_paused", "_shown", "_timer", "_unknown", "_without")

    def __init__(self, client: Client, timer: Timer) -> None:
        self._client = client
        self._timer = timer
        self._shown: OrderedDict[str, Shown] = OrderedDict()
        self._paused: OrderedDict[str, float] = OrderedDict()
        self._without: OrderedDict[str, None] = OrderedDict()
        self._unknown = False

    async def show(self, message: OutboundMessage) -> None:
        """Show what there is of an answer. Raises nothing but cancellation."""
        chat = message.chat.id
        if self._timer.monotonic() < self._paused.get(chat, 0.0):
            return
        try:
            if message.chat.kind is ChatKind.DIRECT and not self._unknown and chat not in self._without:
                await self._draft(message)
            else:
                await self._write(message)
        except SlowDown as pause:
            _keep(self._paused, chat, self._timer.monotonic() + (pause.retry_after_s or 0.0), MOST_PAUSED)
        except AdapterError:
            return

    async def complete(self, message: OutboundMessage) -> SendResult | None:
        """Put the whole answer in the place of what was shown; None: nothing is shown, send it.

        An edit whose fate is unknown may be repeated, for twice the same is once. Raises SlowDown, NotConnected
        and RefusedConnection, after which it may be called again.
        """
        shown = self._shown.get(message.key)
        if shown is None or shown.message_id is None:
            self._shown.pop(message.key, None)
            return None
        try:
            await self._edit(message, shown, shown.message_id)
        except Refused:
            self._shown.pop(message.key, None)
            return None  # somebody has deleted it
        except (SlowDown, NotConnected):
            raise
        except Unreachable as error:
            return NotSent(str(error))
        self._shown.pop(message.key, None)
        return Sent(str(shown.message_id))

    async def _draft(self, message: OutboundMessage) -> None:
        fields = {
            **wire.chat_fields(message.chat),
            **wire.content_fields(message.text),
            "draft_id": _draft_id(message.key),
        }
        try:
            await self._client.call_mended("sendMessageDraft", fields)
        except RefusedConnection:
            self._unknown = True  # 404: an older server; were it the token, the edit would say so again
        except Refused:
            _keep(self._without, message.chat.id, None, MOST_PAUSED)
        else:
            return
        await self._write(message)

    async def _write(self, message: OutboundMessage) -> None:
        """Begin the message, or edit it."""
        shown = self._shown.get(message.key)
        if shown is None:
            await self._begin(message)
        elif shown.message_id is not None:
            await self._edit(message, shown, shown.message_id)

    async def _begin(self, message: OutboundMessage) -> None:
        content = wire.content_fields(message.text)
        shown = Shown(None, content)
        _keep(self._shown, message.key, shown, MOST_SHOWN)
        try:
            raw = await self._client.call_mended("sendMessage", wire.send_fields(message))
        except (SlowDown, NotConnected):
            self._shown.pop(message.key, None)  # certainly not there: another draft may begin it
            raise
        shown.message_id = wire.message_id(raw)

    async def _edit(self, message: OutboundMessage, shown: Shown, message_id: int) -> None:
        content = wire.content_fields(message.text)
        if content == shown.content:
            return
        fields = {"chat_id": message.chat.id, "message_id": message_id, **content, **wire.NO_PREVIEW}
        try:
            await self._client.call_mended("editMessageText", fields)
        except Refused as refused:
            if _SAME not in str(refused).lower():
                raise
        shown.content = content


def _draft_id(key: str) -> int:
    """The same number for the same key, never zero."""
    return zlib.crc32(key.encode()) & 0x7FFF_FFFF or 1


def _keep(kept: OrderedDict[str, _T], key: str, value: _T, most: int) -> None:
    """Remember one more, and forget the oldest where that is too many."""
    kept[key] = value
    while len(kept) > most:
        kept.popitem(last=False)
