"""A database seen by somebody who is no daemon: a command, or a daemon that has not begun yet.

Rule: nothing that is there is migrated. In a database without tables of ours there are no values; who wants to put one
makes the tables by saying `begin`, for bots.yaml may refer to secrets without which no daemon can start.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from runner.clock import Clock
from runner.errors import StoreError, StoreRefused
from runner.ports.sharing import SharedValues
from runner.store.postgres.address import address_of
from runner.store.postgres.connection import QUIET, Connection, connect, hang_up
from runner.store.postgres.desk import Desk
from runner.store.postgres.migration import load_migrations, migrate
from runner.store.postgres.pooling import is_direct, is_pooled
from runner.store.postgres.values import PostgresValues
from runner.store.queries import Queries, load_queries

NAME = "botrunner/command"
"""What the server's lists show."""
_TRIPS = 5
_SQL = Path(__file__).parent / "sql"


@dataclass(frozen=True, slots=True)
class Shared:
    """What the daemons of a database share. `now_ms`: the database's clock, Unix ms."""

    values: SharedValues
    now_ms: Callable[[], int]


@dataclass(frozen=True, slots=True)
class Looked:
    """What a database is.

    Attributes:
        server: its version, such as `16.2`.
        schema: botrunner's tables in it; None: there are none yet.
        daemons: how many have begun and not ended.
        latency_ms: of one round trip, the shortest of some.
        pooled: connections are not ours between two transactions: a pooler in transaction mode stands before it.
    """

    server: str
    schema: int | None
    daemons: int
    latency_ms: float
    pooled: bool


def _no_values() -> SharedValues:
    from runner.store.memory.values import MemoryValues  # noqa: PLC0415 - in an empty database only

    return MemoryValues(_not_begun)


def _not_begun(method: str) -> None:
    if method != "values.values":
        raise StoreRefused("the database has no tables of botrunner yet: start a daemon first")


@asynccontextmanager
async def values_at(url: str, clock: Clock, *, begin: bool = False) -> AsyncIterator[Shared]:
    """What is shared, while the context lasts. `begin`: make the tables where there are none.

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
        there = await desk.read(lambda connection: connection.fetchval(sql["outside_begun"]))
        if begin and not there:
            connection = await session()
            try:
                await migrate(connection, sql, load_migrations(), clock)
            finally:
                await hang_up(connection)
            there = True
        ahead_ms = (
            await desk.read(lambda connection: connection.fetchval(sql["outside_now"])) - clock.now_ms()
        )
        yield Shared(PostgresValues(desk, sql) if there else _no_values(), lambda: clock.now_ms() + ahead_ms)
    finally:
        await desk.close()


async def look_at(url: str, clock: Clock) -> Looked:
    """Look at a database. Raises as `values_at`."""
    address, sql = address_of(url), load_queries(_SQL)
    one = await connect(address, NAME, sql, QUIET)
    try:
        two = await connect(address, NAME, sql, QUIET)
        try:
            pooled = not await is_direct(one, sql) and await is_pooled(one, two, sql)
        finally:
            await hang_up(two)
        return await _looked(one, sql, clock, pooled=pooled)
    except Exception as error:
        if isinstance(error, StoreError):
            raise
        raise StoreError(f"{address.shown} does not answer as it should ({type(error).__name__})") from None
    finally:
        await hang_up(one)


async def _looked(connection: Connection, sql: Queries, clock: Clock, *, pooled: bool) -> Looked:
    latencies = []
    for _ in range(_TRIPS):
        begun = clock.monotonic()
        await connection.fetchval(sql["outside_ping"])
        latencies.append((clock.monotonic() - begun) * 1000)
    begun_already = await connection.fetchval(sql["outside_begun"])
    schema = await connection.fetchval(sql["outside_schema"]) if begun_already else None
    daemons = await connection.fetchval(sql["outside_daemons"]) if begun_already else 0
    version = connection.get_server_version()
    return Looked(f"{version.major}.{version.minor}", schema, daemons, min(latencies), pooled)
