"""That something changed, for pages that are open: an Observer that rings, and says nothing of what it was.

    event ─▶ note ─▶ number + 1, bell ─▶ who waits in `after` looks again

Rules: noting is the same little work however many wait; who comes late is told at once, for numbers only grow; so
many may listen at a time, all in all and of one session; when it is closed, nobody waits any more.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from runner.ports.observer import Event

MOST_LISTENERS = 100
MOST_OF_ONE = 12
"""A browser has six connections to one host; somebody may use two."""


class Changes:
    """Tells listeners that something changed."""

    def __init__(self) -> None:
        self._number = 0
        self._bell = asyncio.Event()
        self._listeners: Counter[str] = Counter()
        self._ended = asyncio.Event()

    @property
    def number(self) -> int:
        """How much has changed so far."""
        return self._number

    @property
    def closed(self) -> bool:
        """Whether nothing more will be told."""
        return self._ended.is_set()

    def note(self, event: Event) -> None:
        """Something happened."""
        self.mark()

    def mark(self) -> None:
        """Something is another way than before."""
        self._number += 1
        self._bell.set()

    async def after(self, number: int) -> None:
        """Wait until more than that has changed, or until it is closed."""
        while self._number == number and not self.closed:
            self._bell.clear()  # who waits already was woken by `set`, whatever becomes of it here
            await self._bell.wait()

    async def quiet(self, seconds: float) -> None:
        """Pause that long, or until it is closed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ended.wait()

    @contextmanager
    def listening(self, key: str) -> Iterator[bool]:
        """Count as a listener meanwhile; False: there are too many. `key`: whose they are."""
        free = self._listeners.total() < MOST_LISTENERS and self._listeners[key] < MOST_OF_ONE
        if not free:
            yield False
            return
        self._listeners[key] += 1
        try:
            yield True
        finally:
            self._listeners[key] -= 1
            self._listeners += Counter()  # names that count nothing are forgotten

    def close(self) -> None:
        """Let all go."""
        self._ended.set()
        self._bell.set()
