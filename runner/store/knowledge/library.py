"""All collections of a daemon, searched beside the event loop.

    stock (start, reload) ─▶ one thread: shelves made, looked through, let go
    search                ─▶ one thread: files that changed are taken in first, every LOOK_AGAIN_S at most

Rules: nothing here blocks the loop; there is no thread and no memory taken before there is a collection; who searches
while files are taken in waits for that; a search that nobody waits for any more is not begun.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from runner.clock import Clock
from runner.ports.knowledge import MOST_FOUND, Collection, NotFound, Passage
from runner.store.knowledge.shelf import Shelf
from runner.store.sqlite.queries import load_queries

LOOK_AGAIN_S = 30.0
_Value = TypeVar("_Value")


class Library:
    """A `runner.ports.knowledge.Knowledge` over files."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._shelves: dict[str, Shelf] = {}
        self._looked: dict[str, float] = {}
        self._thread: ThreadPoolExecutor | None = None

    async def stock(self, collections: Iterable[Collection]) -> tuple[str, ...]:
        """Have these collections from now on, and no others.

        Returns:
            What could not be taken in, a sentence each.
        """
        wanted = {collection.name: collection for collection in collections}
        if not wanted and self._thread is None:
            return ()
        return await self._beside(lambda: self._stock(wanted))

    async def search(self, collection: str, query: str, most: int) -> tuple[Passage, ...] | NotFound:
        """See `runner.ports.knowledge.Knowledge`."""
        if self._thread is None:
            return NotFound(f"there is no collection {collection!r}")
        return await self._beside(lambda: self._search(collection, query, max(1, min(most, MOST_FOUND))))

    async def close(self) -> None:
        """Let all of it go."""
        if self._thread is not None:
            await self._beside(lambda: self._stock({}))
            self._thread.shutdown()
            self._thread = None

    async def _beside(self, work: Callable[[], _Value]) -> _Value:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "knowledge")
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    # ------------------------------------------------------------------------------------- in the thread

    def _stock(self, wanted: dict[str, Collection]) -> tuple[str, ...]:
        for name, shelf in list(self._shelves.items()):
            if wanted.get(name) != shelf.collection:
                del self._shelves[name]
                shelf.close()
        missed: list[str] = []
        for name, collection in wanted.items():
            try:
                if name not in self._shelves:
                    self._shelves[name] = Shelf(collection, load_queries(Path(__file__).parent))
                missed += [f"{name}: {what}" for what in self._look(name)]
            except sqlite3.Error as error:
                missed.append(f"{name}: {error}")
        return tuple(missed)

    def _look(self, name: str) -> tuple[str, ...]:
        self._looked[name] = self._clock.monotonic()
        return self._shelves[name].look()

    def _search(self, name: str, query: str, most: int) -> tuple[Passage, ...] | NotFound:
        shelf = self._shelves.get(name)
        if shelf is None:
            return NotFound(f"there is no collection {name!r}")
        try:
            if self._clock.monotonic() - self._looked.get(name, 0.0) >= LOOK_AGAIN_S:
                self._look(name)
            return shelf.search(query, most)
        except sqlite3.Error as error:
            return NotFound(f"the collection {name!r} cannot be searched: {error}")
