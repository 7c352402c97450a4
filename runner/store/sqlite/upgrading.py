"""An older schema is brought up to date, after a copy was kept of the store as it was.

    botrunner.db.before-v5     the store before it got schema 5

Rules: no copy, no migration; the copy is whole before the first step; the latest `KEPT` of them stay, older ones
go. Each step of a migration is kept by its own commit, so one that failed half-way is copied as it is then, under
the next step's name, and the older copy stays.
"""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

from runner.errors import OperatorError, StoreError, StoreRefused
from runner.store.sqlite.copying import Progress, check_room, copy_pages, in_place_of, mib, quiet
from runner.store.sqlite.faults import damage_of
from runner.store.sqlite.migration import Migration, migrate, schema_version
from runner.store.sqlite.queries import Queries

KEPT = 2
_NUMBER = re.compile(r"\.before-v(\d+)$")


def bring_up_to_date(
    connection: sqlite3.Connection,
    path: Path,
    sql: Queries,
    steps: tuple[Migration, ...],
    now_ms: int,
    progress: Progress = quiet,
) -> Path | None:
    """Keep a copy, then migrate, where there is something to migrate; the copy, where one was made.

    Raises:
        StoreRefused: the schema is newer than ours, or the store is damaged.
        StoreError: there is no room for the copy; nothing was changed.
        sqlite3.Error: a step failed; those before it stay.
    """
    before = schema_version(connection, sql)
    copy = keep_copy(connection, path, sql, before, progress) if 0 < before < steps[-1].version else None
    migrate(connection, sql, steps, now_ms)
    return copy


def keep_copy(
    connection: sqlite3.Connection, path: Path, sql: Queries, version: int, progress: Progress = quiet
) -> Path:
    """A copy of the open store of that schema version, beside it; older copies than the latest `KEPT` go."""
    copy = copy_before(path, version)
    try:
        check_room(path.parent, path.stat().st_size)
        with in_place_of(copy) as part:
            copy_pages(connection, part, sql, progress)
            damage = damage_of(connection, sql)
            if damage:
                raise StoreRefused(f"{path} is damaged ({damage}): restore a backup")
    except OperatorError as error:
        raise StoreError(
            f"the store has the older schema {version}; before it is brought up to date a copy of it"
            f" ({mib(path.stat().st_size)}) is kept as {copy.name}, and that failed: {error}"
        ) from None
    for old in kept_copies(path)[KEPT:]:
        old.unlink(missing_ok=True)
    return copy


def copy_before(path: Path, version: int) -> Path:
    """Where the store is kept as it was with that schema version."""
    return path.with_name(f"{path.name}.before-v{version + 1}")


def kept_copies(path: Path) -> list[Path]:
    """All of them, the latest schema first."""
    found = [
        (int(number[1]), other)
        for other in path.parent.glob("*.before-v*")
        if other.name.startswith(f"{path.name}.before-v") and (number := _NUMBER.search(other.name))
    ]
    return [other for _, other in sorted(found, reverse=True)]
