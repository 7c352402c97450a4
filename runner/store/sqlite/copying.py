"""Copies of a store's file: consistent, whole, and never half there under their name.

    reader ──pages──▶ .NAME.part (0600) ──checked, fsync──▶ NAME

Rules: the reader's transaction is open from the first page to the last, so the copy is the store of one moment
however much is written meanwhile; the writer is never waited for and never made to wait (its log grows until the
copy is done); a copy that is not good does not get its name.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from runner.errors import OperatorError
from runner.store.sqlite.queries import Queries

PAGES_AT_ONCE = 1024
"""4 MiB: between two such steps others get the disk, and progress is told."""
_MARGIN = 1024 * 1024

Progress = Callable[[int, int], None]
"""Told how many pages are done, and how many there are."""


def quiet(_done: int, _whole: int) -> None:
    """Progress that nobody is told of."""


def copy_pages(source: sqlite3.Connection, target: Path, sql: Queries, progress: Progress = quiet) -> None:
    """All pages of an open store into an empty file, as one file without a log.

    Raises:
        sqlite3.Error: it cannot be read, or written (disk full).
    """

    def told(_status: int, remaining: int, whole: int) -> None:
        progress(whole - remaining, whole)

    with closing(sqlite3.connect(target, isolation_level=None)) as copied:
        source.backup(copied, pages=PAGES_AT_ONCE, progress=told)
        copied.execute(sql["one_file"])


@contextmanager
def in_place_of(target: Path) -> Iterator[Path]:
    """An empty file, for its owner only, that takes the name `target` in one step where the block ends well.

    Raises:
        OperatorError: it cannot be made or named.
    """
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    _sweep(target)
    try:
        os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise OperatorError(f"{target} cannot be written: {error.strerror}") from None
    try:
        yield part
        flush(part)
        try:
            part.replace(target)
        except OSError as error:
            raise OperatorError(f"{target} cannot be written: {error.strerror}") from None
        flush(target.parent)
    finally:
        for left in (part, beside(part, "-journal"), beside(part, "-wal"), beside(part, "-shm")):
            with suppress(OSError):
                left.unlink(missing_ok=True)


def _sweep(target: Path) -> None:
    """Remove what a killed process left of an earlier try at the same target."""
    for left in target.parent.glob(".*.part*"):
        name, _, rest = left.name.rpartition(".part")[0].rpartition(".")
        if name == f".{target.name}" and rest.isdecimal() and not _runs(int(rest)):
            with suppress(OSError):
                left.unlink()


def _runs(pid: int) -> bool:
    """Whether another process has that number."""
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


def check_room(folder: Path, needed: int) -> None:
    """Raise OperatorError where the disk of that folder has no room for so many bytes."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise OperatorError(f"{folder} cannot be used: {error.strerror}") from None
    if free < needed + _MARGIN:
        raise OperatorError(
            f"{folder} has {mib(free)} free, {mib(needed)} are needed", "Make room, or name another folder."
        )


def mib(size: int) -> str:
    """Bytes as people read them: `3.2 MiB`."""
    return f"{size / 2**20:.1f} MiB"


def beside(path: Path, ending: str) -> Path:
    """`store.db-wal` of `store.db`."""
    return path.with_name(path.name + ending)


def flush(path: Path) -> None:
    """Until the disk has it: a file, or a folder's names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
