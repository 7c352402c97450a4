"""Who waits for money, in which order.

Rules: one queue a scope, first come, first served; while somebody waits in a scope, a newcomer queues behind;
only the head of a queue tries, woken when something in its scope ended, and at the latest after
`LOOK_AGAIN_S` (another daemon's holds end without telling us). Whoever leaves wakes the next.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable

LOOK_AGAIN_S = 1.0


class Ticket:
    """A place in a queue."""

    __slots__ = ("scope", "woken")

    def __init__(self, scope: str) -> None:
        self.scope = scope
        self.woken = asyncio.Event()


class WaitingRoom:
    """All queues. Bounded by the number of turns at work, since a turn waits for one thing at a time."""

    def __init__(self) -> None:
        self._queues: dict[str, OrderedDict[Ticket, None]] = {}

    def crowded(self, scopes: Iterable[str]) -> str | None:
        """The first of these scopes that somebody waits in."""
        return next((scope for scope in scopes if scope in self._queues), None)

    def enter(self, scope: str) -> Ticket:
        """Queue at the end."""
        ticket = Ticket(scope)
        self._queues.setdefault(scope, OrderedDict())[ticket] = None
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """Give the place up; the next in the queue is woken."""
        queue = self._queues[ticket.scope]
        del queue[ticket]
        if queue:
            next(iter(queue)).woken.set()
        else:
            del self._queues[ticket.scope]

    def is_head(self, ticket: Ticket) -> bool:
        """Whether it is this ticket's turn to try."""
        return next(iter(self._queues[ticket.scope])) is ticket

    def changed(self, scopes: Iterable[str]) -> None:
        """Money in these scopes was settled or released, or a limit changed: the heads look again."""
        for scope in scopes:
            queue = self._queues.get(scope)
            if queue:
                next(iter(queue)).woken.set()

    async def wait(self, ticket: Ticket, timeout_s: float) -> bool:
        """Wait until it is worth trying; False when the time is over first."""
        if timeout_s <= 0:
            return False
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout_s
        while True:
            left = end - loop.time()
            if left <= 0:
                return False
            try:
                async with asyncio.timeout(min(left, LOOK_AGAIN_S)):
                    await ticket.woken.wait()
            except TimeoutError:
                if not self.is_head(ticket) or loop.time() >= end:
                    continue
            ticket.woken.clear()
            if self.is_head(ticket):
                return True
