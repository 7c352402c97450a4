"""The files of one collection, as an index that can be searched. Blocks; used from one thread.

    patterns ─▶ files (size, time) ─ changed? ─▶ text ─▶ pieces ─▶ passages (FTS5)

Rules: only files that changed are read again, and what went is dropped; a file that cannot be read is left out and
told; the limits of `runner.ports.knowledge` hold whatever the patterns match. The database is SQLite's own temporary
file, so that large collections cost disk and little memory, and nothing is left behind.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from runner.ports.knowledge import Collection, Passage
from runner.store.knowledge.asking import match_of
from runner.store.knowledge.files import read, shown, stamped
from runner.store.knowledge.passages import pieces
from runner.store.sqlite.queries import Queries


@dataclass(frozen=True, slots=True)
class _Kept:
    """A file as it is in the index. `stamp`: what changes with it; its passages are `first` to `last`."""

    stamp: tuple[int, int, int]
    first: int
    last: int


class Shelf:
    """One collection's index. Raises sqlite3.Error where there is no room for it."""

    def __init__(self, collection: Collection, queries: Queries) -> None:
        self.collection = collection
        self._sql = queries
        self._kept: dict[Path, _Kept] = {}
        self._next = 1
        self._index = sqlite3.connect("")
        for name in ("knowledge_room", "knowledge_table"):
            self._index.execute(queries[name])

    def look(self) -> tuple[str, ...]:
        """Take in what changed. Returns what could not be, a sentence each."""
        found, missed = stamped(self.collection)
        for path in self._kept.keys() - found.keys():
            self._drop(path)
        for path, stamp in found.items():
            kept = self._kept.get(path)
            if kept is None or kept.stamp != stamp:
                self._drop(path)
                missed += self._take_in(path, stamp)
        return tuple(missed)

    def search(self, query: str, most: int) -> tuple[Passage, ...]:
        """The passages that fit best, the best first."""
        match = match_of(query)
        if not match:
            return ()
        rows = self._index.execute(self._sql["knowledge_search"], (match, most))
        return tuple(Passage(text, source, float(f"{score:.4g}")) for text, source, score in rows)

    def close(self) -> None:
        """Let it go, with its file."""
        self._index.close()

    def _drop(self, path: Path) -> None:
        kept = self._kept.pop(path, None)
        if kept is not None:
            with self._index:
                self._index.execute(self._sql["knowledge_drop"], (kept.first, kept.last))

    def _take_in(self, path: Path, stamp: tuple[int, int, int]) -> list[str]:
        text = read(path)
        name = shown(path, self.collection.folder)
        if text is None:
            return [f"{name} is not a UTF-8 text, or cannot be read"]
        first = self._next
        rows = [
            (number, piece.heading, piece.text, f"{name} § {piece.heading}" if piece.heading else name)
            for number, piece in enumerate(pieces(text), first)
        ]
        with self._index:
            self._index.executemany(self._sql["knowledge_add"], rows)
        self._next = first + len(rows)
        self._kept[path] = _Kept(stamp, first, self._next - 1)
        return []
