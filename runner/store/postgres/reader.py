"""A PostgreSQL store that is only read, by commands beside running daemons. A `runner.ports.reading.StoreReader`.

Rules: its transactions are read only, which the server watches; it is no daemon, holds no lock, and changes no schema;
what is left out of a session's time limits is what a report over a year needs.
"""

from __future__ import annotations

from pathlib import Path

from runner.clock import Clock
from runner.errors import StoreRefused
from runner.ports.reading import Unsent
from runner.store.postgres.address import Address, address_of
from runner.store.postgres.connection import READING, Connection, connect
from runner.store.postgres.desk import Desk
from runner.store.postgres.migration import check_known, load_migrations, schema_of
from runner.store.postgres.reports import PostgresReports
from runner.store.postgres.tending import DatabaseInfo, DatabaseReads
from runner.store.queries import Queries, load_queries

NAME = "botrunner/reading"
"""What the server's lists show."""
_SQL = Path(__file__).parent / "sql"
_CONNECTIONS = 2


def reader_at(url: str, clock: Clock) -> PostgresReader:
    """A reader of that database, not yet opened. Raises StoreRefused: the address names none."""
    return PostgresReader(address_of(url), clock, load_queries(_SQL), load_migrations()[-1].version)


async def info_at(url: str, clock: Clock) -> DatabaseInfo:
    """What a database is like, whatever the schema that it has. Raises StoreRefused and StoreError."""
    reader = reader_at(url, clock)
    await reader.open(any_schema=True)
    try:
        return await reader.info()
    finally:
        await reader.close()


class PostgresReader(PostgresReports):
    """Reads a database. `open` it before use, `close` it after.

    `newest` is the schema version that this code knows.
    """

    def __init__(self, address: Address, clock: Clock, sql: Queries, newest: int) -> None:
        self._address = address
        self._newest = newest
        self._sql = sql
        self._database = DatabaseReads(sql)
        desk = Desk(self._session, clock, _CONNECTIONS)
        super().__init__(desk, desk, sql)

    async def _session(self) -> Connection:
        return await connect(self._address, NAME, self._sql, READING)

    async def open(self, *, any_schema: bool = False) -> None:
        """Connect, and look whether our daemons would understand it.

        Args:
            any_schema: for `info` only, which says what there is.

        Raises:
            StoreRefused: there is no store, or its schema is not ours.
            StoreError: it cannot be reached now.
        """
        try:
            await self._desk.open()
            if not any_schema:
                await self._desk.read(self._check)
        except BaseException:
            await self._desk.close()
            raise

    async def close(self) -> None:
        """Let go; again: does nothing."""
        await self._desk.close()

    async def info(self) -> DatabaseInfo:
        """Count all rows."""
        return await self._desk.read(lambda c: self._database.info(c, self._newest))

    async def unsent(self, limit: int) -> list[Unsent]:
        """Parts of answers that wait, are being sent, or of which nobody knows."""
        return await self._desk.read(lambda c: self._database.unsent(c, limit))

    async def _check(self, connection: Connection) -> None:
        schema = await schema_of(connection, self._sql)
        check_known(schema, self._newest)
        if not schema.version:
            raise StoreRefused(f"{self._address.shown} is empty: there is no store in it")
        if schema.version < self._newest:
            raise StoreRefused(
                f"{self._address.shown} has the older schema {schema.version}:"
                " start a daemon once to bring it up to date"
            )
