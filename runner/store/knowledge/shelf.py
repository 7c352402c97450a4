"""The files of one collection, as an index that can be searched. Blocks; used from one thread.

    patterns ─▶ files (size, time) ─ changed? ─▶ text ─▶ pieces ─▶ passages (FTS5)

Rules: only files that changed are read again, and what went is dropped; a file that cannot be read is left out and
told; the limits of `runner.ports.knowledge` hold whatever the patterns match. The database is SQLite's own temporary
file, so that large collections cost disk and little memory, and nothing is left behind.
"""

from __future__ import annotations

import glob
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from runner.ports.knowledge import (
    MAX_COLLECTION_BYTES,
    MAX_FILE_BYTES,
    MOST_FILES,
    Collection,
    Passage,
)
from runner.store.knowledge.asking import match_of
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
        return tuple(Passage(text, source, round(score, 4)) for text, source, score in rows)

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
        name = _shown(path, self.collection.folder)
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


def stamped(collection: Collection) -> tuple[dict[Path, tuple[int, int, int]], list[str]]:
    """The files that the patterns match, each with what changes when it does; and what is wrong with them."""
    found: dict[Path, tuple[int, int, int]] = {}
    missed: list[str] = []
    room = MAX_COLLECTION_BYTES
    for path in islice(_matching(collection), MOST_FILES + 1):
        name = _shown(path, collection.folder)
        if len(found) == MOST_FILES:
            missed.append(f"more than {MOST_FILES} files: {name} and those after it are left out")
            break
        try:
            status = path.stat()
        except OSError as error:
            missed.append(f"{name} cannot be read: {os.strerror(error.errno or 0)}")
            continue
        if status.st_size > min(room, MAX_FILE_BYTES):
            most = "" if status.st_size > MAX_FILE_BYTES else "with those before it "
            missed.append(f"{name} is too large: {most}more than {_limit(status.st_size)} MiB")
            continue
        room -= status.st_size
        found[path] = (status.st_mtime_ns, status.st_size, status.st_ino)
    return found, missed


def read(path: Path) -> str | None:
    """A file's text; None where it is none, or cannot be read."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        return data.decode("utf-8-sig") if len(data) <= MAX_FILE_BYTES and b"\0" not in data else None
    except (OSError, UnicodeDecodeError):
        return None


def _matching(collection: Collection) -> Iterator[Path]:
    """Files, each once: the patterns in their order, files of one in the order of their names."""
    seen: set[Path] = set()
    for pattern in collection.patterns:
        folder = collection.folder
        matching = glob.iglob(pattern, root_dir=folder, recursive=True)  # noqa: PTH207 - Path.glob refuses absolute ones
        names = islice(matching, 10 * MOST_FILES)
        for name in sorted(names):
            path = collection.folder / name
            if path not in seen and path.is_file():
                seen.add(path)
                yield path


def _limit(size: int) -> int:
    return (MAX_FILE_BYTES if size > MAX_FILE_BYTES else MAX_COLLECTION_BYTES) // (1024 * 1024)


def _shown(path: Path, folder: Path) -> str:
    """A file as bots.yaml would call it."""
    try:
        return str(path.relative_to(folder))
    except ValueError:
        return str(path)
