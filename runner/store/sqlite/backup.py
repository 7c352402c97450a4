"""Backups: made beside a running daemon, checked before they are called good, and put back.

    back_up    store ──▶ copy of one moment ──▶ examined ──▶ its name
    restore    backup ──▶ copy ──▶ schema brought up to date ──▶ examined ──▶ the store's place
                                                       the store that was there ──▶ NAME.replaced-TIME

Rules: `back_up` needs no lock and never holds up the daemon; `restore` has the store to itself. A backup that is
not good is not made, and not put back. What was there is kept. What a backup holds of work under way (holds, sends)
is decided by the next start, as after a crash.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from runner.clock import UnixMs, iso
from runner.errors import OperatorError, StoreRefused
from runner.store.sqlite.connection import LOCK_WAIT_S
from runner.store.sqlite.copying import Progress, beside, check_room, copy_pages, flush, in_place_of, quiet
from runner.store.sqlite.examining import Examined, examine, reading
from runner.store.sqlite.faults import store_error
from runner.store.sqlite.lock import FileLock
from runner.store.sqlite.migration import load_migrations, migrate
from runner.store.sqlite.queries import load_queries

_PLAIN = {ord(mark): None for mark in "-:."}
_OWN_ENDINGS = ("", "-wal", "-shm", "-journal", ".lock")


@dataclass(frozen=True, slots=True)
class LeftOpen:
    """What the next start decides: holds become `unknown`, sends go again or are listed, messages are answered."""

    holds: int
    sends: int
    messages: int


@dataclass(frozen=True, slots=True)
class Restored:
    """A backup is the store now.

    Attributes:
        found: the store as it is now.
        schema_before: the backup's own.
        kept: the store that was there; None: there was none.
    """

    found: Examined
    schema_before: int
    kept: Path | None
    left_open: LeftOpen


def back_up(store: Path, target: Path, *, force: bool = False, progress: Progress = quiet) -> Examined:
    """Copy the store as it is at this moment, daemon or no daemon; what the copy is like.

    Args:
        force: a file at `target` is replaced, once the new one is good.

    Raises:
        OperatorError: `target` cannot be written, or is there already.
        StoreRefused: there is no store, or it is damaged: then the copy would be, too.
        StoreError: it could not be read this time, or the disk is full.
    """
    if target.exists() and not target.is_file():
        raise OperatorError(f"{target} is no file: name the file that the backup shall be")
    if any(_same(target, beside(store, ending)) for ending in _OWN_ENDINGS):
        raise OperatorError(f"{target} is the store itself: name another file")
    if target.exists() and not force:
        raise OperatorError(f"{target} is there already", "--force replaces it, once the new one is good.")
    sql, newest = load_queries(), load_migrations()[-1].version
    with reading(store, sql) as source:
        check_room(target.absolute().parent, store.stat().st_size)
        with in_place_of(target) as part:
            copy_pages(source, part, sql, progress)
            source.rollback()  # the daemon's log may shrink again
            found = examine(part, sql, newest)
            if not found.is_good:
                raise StoreRefused(f"no backup was made, for of the store {found.fault}")
    return found


def restore(backup: Path, store: Path, now_ms: UnixMs, *, progress: Progress = quiet) -> Restored:
    """Put a backup in the store's place, while no daemon has it.

    Raises:
        OperatorError: there is no room.
        StoreRefused: a daemon runs, or the backup is not a whole store of ours with right books.
        StoreError: it could not be done this time; the store is as it was.
    """
    if any(_same(backup, beside(store, ending)) for ending in _OWN_ENDINGS):
        raise OperatorError(f"{backup} is the store itself")
    sql = load_queries()
    store.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept: Path | None = None
    with alone(store), reading(backup, sql) as source:
        check_room(store.parent, backup.stat().st_size)
        try:
            with in_place_of(store) as part:
                copy_pages(source, part, sql, progress)
                before, found = _checked(part, backup, now_ms)
                left = _left_open(part)
                flush(part)
                kept = _set_aside(store, now_ms)
        except BaseException:
            if kept is not None and _same(kept, store):
                kept.unlink()  # the store has its place still: a second name would follow all that is written to it
            raise
    return Restored(found, before, kept, left)


@contextmanager
def alone(store: Path) -> Iterator[None]:
    """The store to oneself.

    Raises:
        StoreRefused: a daemon has it.
    """
    lock = FileLock(store)
    lock.take()
    try:
        yield
    finally:
        lock.release()


def emptied_log(store: Path) -> bool:
    """Write what the log beside the store holds into the store; False where not all of it could be.

    Raises:
        sqlite3.Error: the store is damaged, or the disk is full.
    """
    with closing(sqlite3.connect(store, timeout=LOCK_WAIT_S, isolation_level=None)) as connection:
        busy = int(connection.execute(load_queries()["checkpoint"]).fetchone()[0])
        return not busy


def _checked(part: Path, backup: Path, now_ms: UnixMs) -> tuple[int, Examined]:
    """A backup's copy, brought up to date: its schema before, and what it is like now. Raises StoreRefused."""
    sql, newest = load_queries(), load_migrations()[-1].version
    before = found = examine(part, sql, newest)
    if before.is_good and before.schema < newest:
        _bring_up_to_date(part, now_ms)
        found = examine(part, sql, newest)
    if not found.is_good:
        raise StoreRefused(f"{backup} is not put back, for {found.fault}")
    return before.schema, found


def _bring_up_to_date(part: Path, now_ms: UnixMs) -> None:
    try:
        with closing(sqlite3.connect(part, isolation_level=None)) as connection:
            migrate(connection, load_queries(), load_migrations(), now_ms)
    except sqlite3.Error as error:
        raise store_error(error) from error


def _left_open(part: Path) -> LeftOpen:
    sql = load_queries()
    with reading(part, sql) as connection:
        return LeftOpen(*connection.execute(sql["left_open"]).fetchone())


def _set_aside(store: Path, now_ms: UnixMs) -> Path | None:
    """Give the store that is there a second name, and take its log away; None: there is none.

    Until the new one takes its place the store stays where it is, and whole, for its log was written into it first;
    where that cannot be (it is damaged), the log goes to the second name, too.
    """
    if not store.exists():
        return None
    with suppress(sqlite3.Error):  # a damaged store is what backups are for
        emptied_log(store)
    stamp = iso(now_ms).translate(_PLAIN)
    kept = store.with_name(f"{store.name}.replaced-{stamp}")
    try:
        _second_name(store, kept)
        log = beside(store, "-wal")
        if log.exists():
            log.replace(beside(kept, "-wal"))
        beside(store, "-shm").unlink(missing_ok=True)
        flush(store.parent)
    except OSError as error:
        raise OperatorError(f"{store} cannot be set aside: {error.strerror}") from None
    return kept


def _second_name(path: Path, name: Path) -> None:
    try:
        os.link(path, name)
    except FileExistsError:
        raise
    except OSError:  # not every file system has links
        shutil.copy2(path, name)
        flush(name)


def _same(one: Path, other: Path) -> bool:
    return one.absolute() == other.absolute() or (one.exists() and other.exists() and one.samefile(other))
