"""The requests that wait for an answer, by the id of their message.

Rules: whoever waits is known before the message is delivered, so that no answer can come too early; all who wait
for one message get its answer; nobody is kept whose request is over; no more wait than were allowed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from adapters.messages import OutboundMessage


@dataclass(eq=False, slots=True)
class Waiter:
    """One request.

    Attributes:
        answer: cancelled where it will not come while this process lives.
        draft: what there is of the answer so far.
        news: rung with each draft, and when the answer is there.
    """

    answer: asyncio.Future[OutboundMessage]
    draft: str = ""
    news: asyncio.Event = field(default_factory=asyncio.Event)


class Waiting:
    """All of them.

    Args:
        most: how many may wait at once.
    """

    __slots__ = ("_count", "_most", "_waiters")

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiters: dict[str, set[Waiter]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def is_full(self) -> bool:
        """Whether one more would be too many."""
        return self._count >= self._most

    @contextmanager
    def waiter(self, event_id: str) -> Iterator[Waiter]:
        """Wait for the answer to this message."""
        waiter = Waiter(asyncio.get_running_loop().create_future())
        waiter.answer.add_done_callback(lambda _: waiter.news.set())
        self._waiters.setdefault(event_id, set()).add(waiter)
        self._count += 1
        try:
            yield waiter
        finally:
            self._count -= 1
            self._waiters[event_id].discard(waiter)
            if not self._waiters[event_id]:
                del self._waiters[event_id]

    def answered(self, message: OutboundMessage) -> None:
        """Hand an answer to all who wait for it; there may be nobody."""
        for waiter in self._of(message):
            if not waiter.answer.done():
                waiter.answer.set_result(message)

    def drafted(self, message: OutboundMessage) -> None:
        """Show all who wait for it what there is of an answer."""
        for waiter in self._of(message):
            waiter.draft = message.text
            waiter.news.set()

    def let_go(self) -> None:
        """Nobody gets an answer any more."""
        for waiter in [waiter for waiters in self._waiters.values() for waiter in waiters]:
            waiter.answer.cancel()

    def _of(self, message: OutboundMessage) -> tuple[Waiter, ...]:
        return tuple(self._waiters.get(message.in_reply_to or "", ()))
