"""News as a listener takes it in: each hint once, in order, bounded.

Rules: a hint that waits to be taken says all that the same hint would say again, so it waits once; who has not taken
`MOST_WAITING` different ones has heard a `GAP` instead of them. A listener that nobody holds any more is forgotten.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from weakref import WeakSet

from runner.ports.fleet import News, NewsKind

MOST_WAITING = 1024


class Ear:
    """One listener: an iterator over what it hears from now on."""

    def __init__(self) -> None:
        self._waiting: dict[News, None] = {}
        self._there = asyncio.Event()
        self._closed = False

    def hear(self, news: Iterable[News]) -> None:
        """Take these in; nothing waits for whoever listens."""
        for one in news:
            if len(self._waiting) >= MOST_WAITING and one not in self._waiting:
                self._waiting = {News(NewsKind.GAP): None}
            self._waiting[one] = None
        if self._waiting:
            self._there.set()

    def close(self) -> None:
        """What waits is still given out, then the iterator ends."""
        self._closed = True
        self._there.set()

    def __aiter__(self) -> AsyncIterator[News]:
        """Itself."""
        return self

    async def __anext__(self) -> News:
        """The next hint, as soon as there is one."""
        while not self._waiting:
            if self._closed:
                raise StopAsyncIteration
            self._there.clear()
            await self._there.wait()
        news = next(iter(self._waiting))
        del self._waiting[news]
        return news


class Ears:
    """All listeners of one daemon."""

    def __init__(self) -> None:
        self._ears: WeakSet[Ear] = WeakSet()
        self._closed = False

    def listen(self) -> Ear:
        """One more."""
        ear = Ear()
        self._ears.add(ear)
        if self._closed:
            ear.close()
        return ear

    def hear(self, news: Iterable[News]) -> None:
        """Tell all of them."""
        heard = tuple(news)
        for ear in tuple(self._ears):
            ear.hear(heard)

    def gap(self) -> None:
        """Tell them that something may have been missed."""
        self.hear((News(NewsKind.GAP),))

    def open(self) -> None:
        """Listeners from now on hear; those of before a `close` have ended."""
        self._closed = False

    def close(self) -> None:
        """Nothing more is heard."""
        self._closed = True
        for ear in tuple(self._ears):
            ear.close()
        self._ears.clear()
