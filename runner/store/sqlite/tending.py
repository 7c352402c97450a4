"""The store as an operator tends it: how large it is, what it holds, its schema, its unused room.

Rules: figures are read beside a running daemon; what rewrites the file has it to itself. `vacuum` writes the new
file beside the old one, and looks through it, before it takes its place.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from runner.clock import UnixMs
from runner.errors import StoreError, StoreRefused
from runner.ports.reading import Unsent
from runner.store.sqlite.backup import alone, emptied_log
from runner.store.sqlite.connection import LOCK_WAIT_S, check_there, open_for_writing
from runner.store.sqlite.copying import Progress, beside, check_room, in_place_of, quiet
from runner.store.sqlite.examining import examine, reading
from runner.store.sqlite.faults import store_error
from runner.store.sqlite.migration import load_migrations, schema_version
from runner.store.sqlite.queries import load_queries
from runner.store.sqlite.upgrading import copy_before, kept_copies


@dataclass(frozen=True, slots=True)
class StoreInfo:
    """What a store's file is like.

    Attributes:
        schema: its version; `newest` is what this botrunner brings it to.
        size: bytes of the file; `log`: of the write-ahead log beside it; `unused`: of `size`, given back by `vacuum`.
        rows: by table; empty where the schema is an older one.
        oldest_message_ms: when the oldest message that is kept was accepted; None: there is none.
        copies: of the time before migrations.
    """

    path: Path
    schema: int
    newest: int
    size: int
    log: int
    unused: int
    rows: Mapping[str, int]
    oldest_message_ms: int | None
    copies: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Due:
    """A store whose schema is older than ours.

    Attributes:
        steps: the versions that it will go through, with their names.
        copy: where it will be kept as it is.
    """

    path: Path
    schema: int
    newest: int
    size: int
    steps: tuple[tuple[int, str], ...]
    copy: Path


def unsent(path: Path, limit: int) -> list[Unsent]:
    """Parts that wait, are being sent, or of which nobody knows. Raises StoreRefused and StoreError."""
    sql = load_queries()
    with reading(path, sql) as connection:
        return [Unsent(*row) for row in connection.execute(sql["old_sends"], (limit,))]


def info(path: Path) -> StoreInfo:
    """Count all rows. Raises StoreRefused and StoreError where it cannot be read."""
    sql = load_queries()
    with reading(path, sql) as connection:
        schema = schema_version(connection, sql)
        newest = load_migrations()[-1].version
        is_ours = schema == newest
        page_size, free_pages = (
            int(connection.execute(sql[name]).fetchone()[0]) for name in ("page_size", "free_pages")
        )
        log = beside(path, "-wal")
        return StoreInfo(
            path=path,
            schema=schema,
            newest=newest,
            size=path.stat().st_size,
            log=log.stat().st_size if log.exists() else 0,
            unused=free_pages * page_size,
            rows=dict(connection.execute(sql["row_counts"]).fetchall()) if is_ours else {},
            oldest_message_ms=connection.execute(sql["oldest_message"]).fetchone()[0] if is_ours else None,
            copies=tuple(kept_copies(path)),
        )


def due(path: Path) -> Due | None:
    """What a migration would do; None: nothing, as where there is no store yet.

    Raises:
        StoreRefused: it is not ours, or of a newer botrunner.
        StoreError: it cannot be read this time.
    """
    if not path.exists() or not path.stat().st_size:
        return None
    sql, steps = load_queries(), load_migrations()
    newest = steps[-1].version
    with reading(path, sql) as connection:
        version = schema_version(connection, sql)
    if version > newest:
        raise StoreRefused(
            f"{path} has schema {version}, this botrunner knows {newest}: install the newer one again"
        )
    if version in (0, newest):
        return None
    names = tuple((step.version, step.name.replace("_", " ")) for step in steps[version:])
    return Due(path, version, newest, path.stat().st_size, names, copy_before(path, version))


def migrate_now(path: Path, now_ms: UnixMs, progress: Progress = quiet) -> None:
    """Bring it up to date, after a copy was kept, while no daemon has it.

    Raises:
        StoreRefused: there is none, a daemon has it, or it must not be used.
        StoreError: it could not be done this time.
    """
    check_there(path)
    with alone(path):
        open_for_writing(path, load_queries(), load_migrations(), now_ms, progress).close()


def vacuum(path: Path) -> tuple[int, int]:
    """Write the file anew without its unused room, while no daemon has it; its bytes before and after.

    Raises:
        OperatorError: there is no room for the new file.
        StoreRefused: a daemon has it, or it is damaged.
        StoreError: it could not be done this time; the store is as it was.
    """
    sql, newest = load_queries(), load_migrations()[-1].version
    check_there(path)
    with alone(path):
        try:
            if not emptied_log(path):
                raise StoreError(f"another program reads {path}: try again when it has ended")
            before = path.stat().st_size
            check_room(path.parent, before)
            with in_place_of(path) as part:
                with closing(sqlite3.connect(path, timeout=LOCK_WAIT_S, isolation_level=None)) as connection:
                    connection.execute(sql["vacuum_into"], (str(part),))
                found = examine(part, sql, newest)
                if not found.is_good:
                    raise StoreRefused(f"{path} is left as it is, for {found.fault}")
        except sqlite3.Error as error:
            raise store_error(error) from error
    return before, found.size
