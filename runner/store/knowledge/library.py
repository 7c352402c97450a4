"""All collections of a daemon, searched beside the event loop.

    search ─▶ one thread: made when it is first searched ─▶ files that changed taken in, every LOOK_AGAIN_S at most

Rules: nothing here blocks the loop; there is no thread and no memory taken before somebody searches; collections are
those of the settings in force at that moment; who searches while files are taken in waits for that.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from runner.clock import Clock
from runner.ports.knowledge import MOST_FOUND, Collection, NotFound, Passage
from runner.ports.observer import Fault, Observer
from runner.store.knowledge.shelf import Shelf
from runner.store.sqlite.queries import load_queries

LOOK_AGAIN_S = 30.0
_Value = TypeVar("_Value")


class Library:
    """A `runner.ports.knowledge.Knowledge` over files."""

    def __init__(
        self, collections: Callable[[], Mapping[str, Collection]], clock: Clock, observer: Observer
    ) -> None:
        self._collections = collections
        self._clock = clock
        self._observer = observer
        self._shelves: dict[str, Shelf] = {}
        self._looked: dict[str, float] = {}
        self._thread: ThreadPoolExecutor | None = None

    async def search(self, collection: str, query: str, most: int) -> tuple[Passage, ...] | NotFound:
        """See `runner.ports.knowledge.Knowledge`. What could not be read is told to the observer."""
        wanted = dict(self._collections())
        if collection not in wanted:
            return NotFound(f"there is no collection {collection!r}")
        most = max(1, min(most, MOST_FOUND))
        found, missed = await self._beside(lambda: self._search(wanted, collection, query, most))
        for what in missed:
            self._observer.note(Fault("knowledge", f"{collection}: {what}"))
        return found

    async def close(self) -> None:
        """Let all of it go."""
        if self._thread is not None:
            await self._beside(lambda: self._let_go({}))
            self._thread.shutdown()
            self._thread = None

    async def _beside(self, work: Callable[[], _Value]) -> _Value:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "knowledge")
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    # ------------------------------------------------------------------------------------- in the thread

    def _search(
        self, wanted: Mapping[str, Collection], name: str, query: str, most: int
    ) -> tuple[tuple[Passage, ...] | NotFound, tuple[str, ...]]:
        """What was found, and what could not be read."""
        self._let_go(wanted)
        try:
            missed = self._look(wanted[name])
            return self._shelves[name].search(query, most), missed
        except sqlite3.Error as error:
            return NotFound(f"the collection {name!r} cannot be searched: {error}"), ()

    def _let_go(self, wanted: Mapping[str, Collection]) -> None:
        """Drop what is no longer in the settings, or is another one there."""
        for name, shelf in list(self._shelves.items()):
            if wanted.get(name) != shelf.collection:
                del self._shelves[name]
                shelf.close()

    def _look(self, collection: Collection) -> tuple[str, ...]:
        """Take in what changed, if nobody looked just now."""
        name, now = collection.name, self._clock.monotonic()
        if name not in self._shelves:
            self._shelves[name] = Shelf(collection, load_queries(Path(__file__).parent))
        elif now - self._looked[name] < LOOK_AGAIN_S:
            return ()
        self._looked[name] = now
        return self._shelves[name].look()
