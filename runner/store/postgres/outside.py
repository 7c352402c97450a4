"""The shared values of a database, for somebody who is no daemon: a command, or a daemon that has not begun yet.

Rule: nothing is migrated here: in a database that no daemon has begun with there are no values, and none can be put.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from runner.clock import Clock
from runner.errors import StoreRefused
from runner.ports.sharing import SharedValues
from runner.store.memory.values import MemoryValues
from runner.store.postgres.address import address_of
from runner.store.postgres.connection import QUIET, Connection, connect
from runner.store.postgres.desk import Desk
from runner.store.postgres.values import PostgresValues
from runner.store.queries import load_queries

NAME = "botrunner/command"
"""What the server's lists show."""
_SQL = Path(__file__).parent / "sql"


def _not_begun(method: str) -> None:
    if method != "values.values":
        raise StoreRefused(
            "the database has no tables of botrunner yet: `botrunner store migrate` makes them"
        )


@asynccontextmanager
async def values_at(url: str, clock: Clock) -> AsyncIterator[SharedValues]:
    """The shared values, while the context lasts.

    Raises:
        StoreRefused: no such database, or it does not let us in.
        StoreError: it cannot be reached now.
    """
    address, sql = address_of(url), load_queries(_SQL)

    async def session() -> Connection:
        return await connect(address, NAME, sql, QUIET)

    desk = Desk(session, clock, connections=1)
    await desk.open()
    try:
        there = await desk.read(lambda connection: connection.fetchval(sql["shared_values_there"]))
        yield PostgresValues(desk, sql) if there else MemoryValues(_not_begun)
    finally:
        await desk.close()
