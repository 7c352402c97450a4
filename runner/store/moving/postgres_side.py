"""A PostgreSQL database as a source, and an empty one as a target.

Rules: everything happens in one transaction, in which nobody else can write to the store's tables (as a target: not
even read them); no daemon has the database. A process that is killed leaves what was there: nothing.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg

from runner.clock import Clock
from runner.errors import OperatorError, StoreRefused
from runner.store import postgres
from runner.store.moving.tables import TABLES, Row
from runner.store.postgres.address import address_of
from runner.store.postgres.connection import QUIET, Connection, connect, hang_up
from runner.store.postgres.faults import store_error
from runner.store.postgres.migration import load_migrations, migrate
from runner.store.queries import Queries, load_queries

PAGE = 1000
"""Rows at a time: some megabytes at most of messages, more where there are large runs."""
NAME = "botrunner/copy"
"""What the server's lists show."""
_NAMED = 5
"""Tables that an error names."""
_SQL = Path(postgres.__file__).parent / "sql"
_NUMBERS = {table.name: table.number for table in TABLES if table.number}


@asynccontextmanager
async def postgres_source(url: str, sql: Queries) -> AsyncIterator[PostgresSide]:
    """The database as it is at one moment; it has our schema.

    Raises:
        StoreRefused: a daemon has it.
        StoreError: it could not be read this time.
    """
    async with _connected(url) as connection:
        with _told():
            async with connection.transaction(isolation="repeatable_read", readonly=False):
                await _take(connection, sql, "postgres_unwritten")
                yield PostgresSide(connection, sql)


@asynccontextmanager
async def postgres_target(url: str, sql: Queries, clock: Clock) -> AsyncIterator[PostgresSide]:
    """The database, to be filled; it is given our schema. Where the block ends well it is committed, else nothing is.

    Raises:
        StoreRefused: a daemon has it, or something is in it already.
        StoreError: it could not be written this time.
    """
    async with _connected(url) as connection:
        await migrate(connection, load_queries(_SQL), load_migrations(), clock)
        with _told():
            async with connection.transaction():
                await _take(connection, sql, "postgres_alone")
                shared = await _emptied(connection, sql)
                await connection.execute(sql["postgres_sum_not"])
                yield PostgresSide(connection, sql)
                await connection.execute(sql["postgres_sum_again"])
                await connection.executemany(sql["postgres_share"], shared)
            await connection.execute(sql["postgres_analyse"])


async def _take(connection: Connection, sql: Queries, how: str) -> None:
    """Keep everybody else away from the store's tables. Raises StoreRefused where a daemon is there."""
    await connection.execute(sql["postgres_patient"])
    await _no_daemon(connection, sql)
    try:
        await connection.execute(sql[how].format(table=", ".join(table.name for table in TABLES)))
    except asyncpg.LockNotAvailableError:
        raise StoreRefused("the PostgreSQL database is in use: stop its daemons") from None
    await _no_daemon(connection, sql)  # one that came meanwhile waits for our transaction


async def _no_daemon(connection: Connection, sql: Queries) -> None:
    daemons = await connection.fetchval(sql["postgres_daemons"])
    if daemons:
        raise StoreRefused(
            f"{daemons} daemon{' has' if daemons == 1 else 's have'} the PostgreSQL database: stop "
            f"{'it' if daemons == 1 else 'them'} first"
        )


async def _emptied(connection: Connection, sql: Queries) -> list[Row]:
    """Take away what is of no worth, such as leases, and shared values, such as secrets, to be put back: these.

    Raises:
        OperatorError: there is anything else.
    """
    filled = [
        table.name
        for table in TABLES
        if not (table.spare or table.shared)
        and await connection.fetchval(sql["postgres_any"].format(table=table.name))
    ]
    if filled:
        named = ", ".join([*filled[:_NAMED], *(["…"] if len(filled) > _NAMED else [])])
        raise OperatorError(
            f"the PostgreSQL database holds something already ({named})",
            "Copy into a new database: `createdb` makes one.",
        )
    shared = [tuple(row) for row in await connection.fetch(sql["postgres_shared"])]
    for table in TABLES:
        if table.spare or table.shared:
            await connection.execute(sql["postgres_empty"].format(table=table.name))
    return shared


class PostgresSide:
    """An open transaction, used by one task."""

    def __init__(self, connection: Connection, sql: Queries) -> None:
        self._connection = connection
        self._sql = sql

    async def columns(self, table: str) -> tuple[str, ...]:
        """As `moving.Source`."""
        return tuple(row[0] for row in await self._connection.fetch(self._sql["postgres_columns"], table))

    async def count(self, table: str) -> int:
        """As `moving.Source`."""
        return int(await self._connection.fetchval(self._sql["count"].format(table=table)) or 0)

    async def pages(self, table: str, columns: Sequence[str]) -> AsyncGenerator[list[Row], None]:
        """As `moving.Source`."""
        names = ", ".join(f'"{name}"' for name in columns)
        query = self._sql["rows"].format(table=table, columns=names).rstrip(";")
        # A cursor of SQL's own, that is closed: the driver's stay open, and a table with one cannot be altered.
        await self._connection.execute(self._sql["postgres_begin_rows"].format(table=table, query=query))
        while page := await self._connection.fetch(
            self._sql["postgres_more_rows"].format(table=table, page=PAGE)
        ):
            yield [tuple(row) for row in page]
        await self._connection.execute(self._sql["postgres_end_rows"].format(table=table))

    async def last_numbers(self) -> dict[str, int]:
        """As `moving.Source`."""
        numbers = {}
        for table, column in _NUMBERS.items():
            counter = await self._connection.fetchval(self._sql["postgres_counter"], table, column)
            given = await self._connection.fetchval(self._sql["postgres_given"].format(table=counter))
            numbers[table] = int(given or 0)
        return numbers

    async def put(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """As `moving.Target`."""
        await self._connection.copy_records_to_table(table, records=rows, columns=list(columns))

    async def go_on_from(self, numbers: Mapping[str, int]) -> None:
        """As `moving.Target`."""
        for table, number in numbers.items():
            if number:
                counter = await self._connection.fetchval(
                    self._sql["postgres_counter"], table, _NUMBERS[table]
                )
                await self._connection.execute(self._sql["postgres_go_on"], counter, number)


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Connection]:
    connection = await connect(address_of(url), NAME, load_queries(_SQL), QUIET)
    try:
        yield connection
    finally:
        await hang_up(connection)


@contextmanager
def _told() -> Iterator[None]:
    """The driver's errors as ours."""
    try:
        yield
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, OverflowError) as error:
        raise store_error(error) from error
