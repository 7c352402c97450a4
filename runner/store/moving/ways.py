"""Which way a copy goes: from a file into PostgreSQL, back into a new file, or from one PostgreSQL into another."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from runner.clock import Clock
from runner.errors import OperatorError
from runner.store.catalogue import open_reader, sqlite_path
from runner.store.moving.moving import Moved, Progress, Source, Target, move
from runner.store.postgres.address import is_postgres
from runner.store.queries import load_queries

if TYPE_CHECKING:
    from runner.store.queries import Queries

_FOLDER = Path(__file__).parent / "sql"


async def copy_store(source: str, target: str, state_dir: Path, clock: Clock, progress: Progress) -> Moved:
    """Copy all that one store holds into another, which is empty; all of it or nothing.

    Args:
        source, target: addresses as in `store.url`; a relative path starts at `state_dir`.

    Raises:
        OperatorError: this is no way there is, or the target holds something.
        StoreRefused: a daemon has one of them, the source's schema is not ours, or the copy is not the same.
        StoreError: one of them could not be reached, read or written this time.
    """
    if "memory:" in (source, target):
        raise OperatorError("a store in memory keeps nothing: there is nothing to copy")
    if not is_postgres(source) and not is_postgres(target):
        raise OperatorError(
            "both are files",
            "`botrunner store backup` copies a file, `botrunner store restore` puts it in a place.",
        )
    sql = load_queries(_FOLDER)
    async with (
        await _source(source, state_dir, sql) as there,
        _target(target, state_dir, sql, clock) as here,
    ):
        return await move(there, here, progress)


async def _source(url: str, state_dir: Path, sql: Queries) -> AbstractAsyncContextManager[Source]:
    if is_postgres(url):
        from runner.store.moving.postgres_side import postgres_source  # noqa: PLC0415 - only what is chosen

        reader = open_reader(url, state_dir)  # refuses what is not a store of our schema
        await reader.open()
        await reader.close()
        return postgres_source(url, sql)
    from runner.store.moving.sqlite_side import sqlite_source  # noqa: PLC0415 - only what is chosen is loaded

    return sqlite_source(sqlite_path(url, state_dir), sql)


def _target(url: str, state_dir: Path, sql: Queries, clock: Clock) -> AbstractAsyncContextManager[Target]:
    if is_postgres(url):
        from runner.store.moving.postgres_side import postgres_target  # noqa: PLC0415 - only what is chosen

        return postgres_target(url, sql, clock)
    from runner.store.moving.sqlite_side import sqlite_target  # noqa: PLC0415 - only what is chosen is loaded

    return sqlite_target(sqlite_path(url, state_dir), sql, clock.now_ms())
