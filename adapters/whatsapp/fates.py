"""What became of messages whose answer we did not get: Meta's status webhooks tell, by our own id.

    waiting(key) ─▶ POST … the connection breaks ─▶ told(within) ◀── hear(status) ◀── webhook
                                                        └─▶ Sent, NotSent, Rejected; None: not in time

Rules: who waits is known before the first byte leaves, so that no status comes too early; a status that nobody
waits for changes nothing here; there are no more of them than sends under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from adapters.messages import NotSent, Rejected, SendResult, Sent
from adapters.whatsapp.faults import Fault, Meaning
from adapters.whatsapp.wire import Status

_ARRIVED = frozenset({"sent", "delivered", "read", "played"})
_FAILED = "failed"
_NO_WORDS = Fault(-1, "Meta says that it failed, and not why")


class Fates:
    """The messages that are under way."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[SendResult]] = {}

    @contextmanager
    def waiting(self, key: str) -> Iterator[asyncio.Future[SendResult]]:
        """Listen for the fate of the message with this id of ours."""
        future: asyncio.Future[SendResult] = asyncio.get_running_loop().create_future()
        self._waiting[key] = future
        try:
            yield future
        finally:
            if self._waiting.get(key) is future:
                del self._waiting[key]

    def hear(self, status: Status) -> None:
        """Take a status in."""
        future = self._waiting.get(status.key) if status.key is not None else None
        result = fate_of(status)
        if future is not None and result is not None and not future.done():
            future.set_result(result)


async def told(future: asyncio.Future[SendResult], within_s: float) -> SendResult | None:
    """The fate, as soon as a status tells it; None where none does in time."""
    await asyncio.wait((future,), timeout=within_s)
    return future.result() if future.done() else None


def fate_of(status: Status) -> SendResult | None:
    """What a status says of a message; None for what says nothing."""
    if status.state in _ARRIVED:
        return Sent(status.message_id)
    if status.state != _FAILED:
        return None
    fault = status.fault or _NO_WORDS
    if fault.meaning in (Meaning.REFUSED, Meaning.UNCLEAR):
        return Rejected(str(fault))
    return NotSent(str(fault), fault.wait_s, whole_bot=pauses_all(fault))


def pauses_all(fault: Fault) -> bool:
    """Whether the whole bot has to wait."""
    return fault.meaning in (Meaning.BOT_PACE, Meaning.CREDENTIALS)
