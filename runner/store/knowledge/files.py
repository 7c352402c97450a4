"""Which files a collection has, and what is in them. Blocks.

Rules: whatever the patterns match, the limits of `runner.ports.knowledge` hold; what is left out is told, a sentence
each.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from runner.ports.knowledge import MAX_COLLECTION_BYTES, MAX_FILE_BYTES, MOST_FILES, Collection

_MATCHES_LOOKED_AT = 10 * MOST_FILES


def stamped(collection: Collection) -> tuple[dict[Path, tuple[int, int, int]], list[str]]:
    """The files that the patterns match, each with what changes when it does; and what is wrong with them."""
    found: dict[Path, tuple[int, int, int]] = {}
    missed: list[str] = []
    room = MAX_COLLECTION_BYTES
    for path in islice(_matching(collection), MOST_FILES + 1):
        name = shown(path, collection.folder)
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
        names = islice(matching, _MATCHES_LOOKED_AT)
        for name in sorted(names):
            path = collection.folder / name
            if path not in seen and path.is_file():
                seen.add(path)
                yield path


def _limit(size: int) -> int:
    return (MAX_FILE_BYTES if size > MAX_FILE_BYTES else MAX_COLLECTION_BYTES) // (1024 * 1024)


def shown(path: Path, folder: Path) -> str:
    """A file as bots.yaml would call it."""
    try:
        return str(path.relative_to(folder))
    except ValueError:
        return str(path)
