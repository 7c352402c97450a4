"""A store's file as a source, and a new file as a target.

Rules: the source is nobody else's meanwhile (no daemon has it), is looked through first, and has our schema; the
target is a file that is not there yet, and gets its name when it is complete, flushed and looked through.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import OperatorError, StoreRefused
from runner.store.moving.tables import TABLES, Row
from runner.store.queries import Queries
from runner.store.sqlite.backup import alone
from runner.store.sqlite.connection import LOCK_WAIT_S, check_there, read_only_uri
from runner.store.sqlite.copying import in_place_of
from runner.store.sqlite.examining import examine
from runner.store.sqlite.faults import store_error
from runner.store.sqlite.migration import load_migrations, migrate
from runner.store.sqlite.queries import load_queries

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = 1000
"""Rows at a time: some megabytes at most of messages, more where there are large runs."""
_NUMBERS = {table.name: table.number for table in TABLES if table.number}
_INNER = "rowid"
"""The number that SQLite gives the rows of a table that has no column for it."""


@asynccontextmanager
async def sqlite_source(path: Path, sql: Queries) -> AsyncIterator[SqliteSide]:
    """The file, read at one moment; `sql`: the queries of this room.

    Raises:
        StoreRefused: there is none, a daemon has it, its schema is older or newer than ours, or it is damaged.
        StoreError: it could not be read this time.
    """
    check_there(path)
    newest = load_migrations()[-1].version
    with alone(path):
        found = await asyncio.to_thread(examine, path, load_queries(), newest)
        if not found.is_good:
            raise StoreRefused(f"nothing was copied, for of {path}: {found.fault}")
        if found.schema < newest:
            raise StoreRefused(
                f"{path} has the older schema {found.schema}: bring it up to date first (`botrunner store migrate`)"
            )
        with (
            _told(),
            closing(
                sqlite3.connect(
                    read_only_uri(path),
                    uri=True,
                    timeout=LOCK_WAIT_S,
                    isolation_level=None,
                    check_same_thread=False,
                )
            ) as connection,
        ):
            connection.execute(load_queries()["begin_read"])
            yield SqliteSide(connection, sql)


@asynccontextmanager
async def sqlite_target(path: Path, sql: Queries, now_ms: int) -> AsyncIterator[SqliteSide]:
    """A new file. Where the block ends well it is there, whole; else nothing is.

    Raises:
        OperatorError: a file of that name is there, or it cannot be made.
        StoreRefused: what was written is not whole, or its books are not right.
    """
    _make_place(path)
    own, steps = load_queries(), load_migrations()
    with alone(path), in_place_of(path) as part:
        with (
            _told(),
            closing(sqlite3.connect(part, isolation_level=None, check_same_thread=False)) as connection,
        ):
            migrate(connection, own, steps, now_ms)
            connection.execute(own["begin_write"])
            triggers = connection.execute(sql["sqlite_ledger_triggers"]).fetchall()
            for name, _ in triggers:  # the sums are copied themselves
                connection.execute(sql["sqlite_drop_trigger"].format(table=name))
            yield SqliteSide(connection, sql)
            for _, text in triggers:
                connection.execute(text)
            connection.execute(own["commit"])
        found = await asyncio.to_thread(examine, part, own, steps[-1].version)
        if not found.is_good:
            raise StoreRefused(f"nothing was copied, for of the copy {found.fault}")


def _make_place(path: Path) -> None:
    if path.exists():
        raise OperatorError(f"{path} is there already", "Name a file that is not there yet.")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)


class SqliteSide:
    """An open file, used by one task, its work in a thread."""

    def __init__(self, connection: sqlite3.Connection, sql: Queries) -> None:
        self._connection = connection
        self._sql = sql

    async def columns(self, table: str) -> tuple[str, ...]:
        """As `moving.Source`."""
        rows = await self._all(self._sql["sqlite_columns"], (table,))
        names = tuple(str(name) for (name,) in rows)
        number = _NUMBERS.get(table, "")
        return (number, *names) if number and number not in names else names

    async def count(self, table: str) -> int:
        """As `moving.Source`."""
        [(count,)] = await self._all(self._sql["count"].format(table=table))
        return int(count or 0)

    async def pages(self, table: str, columns: Sequence[str]) -> AsyncGenerator[list[Row], None]:
        """As `moving.Source`."""
        query = self._sql["rows"].format(table=table, columns=await self._names(table, columns))
        with _told(), closing(await asyncio.to_thread(self._connection.execute, query)) as cursor:
            while page := await asyncio.to_thread(cursor.fetchmany, PAGE):
                yield page

    async def last_numbers(self) -> dict[str, int]:
        """As `moving.Source`."""
        numbers: dict[str, int] = {}
        for table, column in _NUMBERS.items():
            query = self._sql["sqlite_highest"]
            [(highest,)] = await self._all(
                query.format(table=table, columns=await self._names(table, [column]))
            )
            numbers[table] = int(highest or 0)
        for name, given in await self._all(self._sql["sqlite_given"]):
            numbers[str(name)] = max(numbers.get(str(name), 0), int(given or 0))
        return {name: number for name, number in numbers.items() if name in _NUMBERS}

    async def put(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """As `moving.Target`."""
        query = self._sql["sqlite_put"].format(
            table=table, columns=await self._names(table, columns), marks=", ".join("?" * len(columns))
        )
        with _told():
            await asyncio.to_thread(self._connection.executemany, query, rows)

    async def go_on_from(self, numbers: Mapping[str, int]) -> None:
        """As `moving.Target`; only tables that never give a number twice remember theirs."""
        for table, number in numbers.items():
            if await self._never_twice(table):
                await self._all(self._sql["sqlite_forget_given"], (table,))
                await self._all(self._sql["sqlite_go_on"], (table, number))

    async def _never_twice(self, table: str) -> bool:
        [(text,)] = await self._all(self._sql["sqlite_table"], (table,))
        return "AUTOINCREMENT" in str(text)

    async def _names(self, table: str, columns: Sequence[str]) -> str:
        there = {str(name) for (name,) in await self._all(self._sql["sqlite_columns"], (table,))}
        return ", ".join(f'"{name}"' if name in there else _INNER for name in columns)

    async def _all(self, query: str, arguments: Sequence[object] = ()) -> list[Row]:
        with _told():
            return await asyncio.to_thread(
                lambda: self._connection.execute(query, tuple(arguments)).fetchall()
            )


@contextmanager
def _told() -> Iterator[None]:
    """SQLite's errors as ours."""
    try:
        yield
    except sqlite3.Error as error:
        raise store_error(error) from error
