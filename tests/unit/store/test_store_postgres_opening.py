"""Databases that must not be used, and how that is said: never with a password."""

import asyncio
import socket
import traceback
from collections.abc import AsyncIterator
from typing import Any, cast

import asyncpg
import pytest

from runner.clock import SystemClock
from runner.errors import IllegalStep, StoreError, StoreRefused
from runner.store.postgres.address import address_of
from runner.store.postgres.connection import QUIET, TALKATIVE, Connection, connect, hang_up
from runner.store.postgres.desk import Desk
from runner.store.postgres.faults import in_our_words, is_lost, is_passing, store_error
from runner.store.postgres.pooling import is_direct, is_pooled
from runner.store.postgres.store import SQL_FOLDER, PostgresStore
from runner.store.queries import load_queries
from runner.testing.postgres_server import PostgresServer

SQL = load_queries(SQL_FOLDER)


async def refused(url: str) -> StoreError:
    """Why a store at this address does not open."""
    store = PostgresStore(address_of(url), SystemClock())
    with pytest.raises(StoreError) as caught:
        await store.open()
    await store.close()
    return caught.value


# ── addresses ────────────────────────────────────────────────────────────────────────────────────────────
def test_an_address_is_shown_without_its_secrets() -> None:
    address = address_of("postgresql://me:s3cret@db.example:5433/bots?sslmode=require")
    assert address.shown == "db.example:5433/bots"
    assert "s3cret" not in repr(address)
    assert address_of("postgres:///bots").shown == "this machine/bots"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:s3cret@db",
        "postgresql://me:s3cret@db/",
        "postgresql://[s3cret/x",
        "postgresql://me:s3cret/x@db/bots",  # a password with an unescaped slash
    ],
)
def test_an_address_without_a_database_is_refused(url: str) -> None:
    with pytest.raises(StoreRefused) as caught:
        address_of(url)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("port", ["s3cret", "99999"])
async def test_an_address_whose_port_is_none_is_refused(port: str) -> None:
    error = await refused(f"postgresql://me:s3cret@127.0.0.1:{port}/bots")
    assert isinstance(error, StoreRefused)
    assert "s3cret" not in str(error)
    assert error.__cause__ is None


# ── servers ──────────────────────────────────────────────────────────────────────────────────────────────
async def test_a_database_that_is_not_there(postgres: PostgresServer) -> None:
    error = await refused(postgres.url("nowhere"))
    assert isinstance(error, StoreRefused)
    assert "no database of that name" in str(error)


async def test_a_user_that_is_not_there(postgres: PostgresServer) -> None:
    error = await refused(postgres.url().replace("//botrunner@", "//nobody:s3cret@"))
    assert isinstance(error, StoreRefused)
    assert "s3cret" not in str(error)


async def test_a_user_without_rights(postgres: PostgresServer) -> None:
    name = postgres.fresh()
    postgres.run_sql("CREATE ROLE guest LOGIN")
    error = await refused(postgres.url(name).replace("//botrunner@", "//guest@"))
    assert isinstance(error, StoreRefused)
    assert "rights" in str(error)


async def test_a_server_that_is_not_there() -> None:
    error = await refused("postgresql://me:s3cret@127.0.0.1:1/bots")
    assert not isinstance(error, StoreRefused)
    assert "127.0.0.1:1/bots cannot be reached" in str(error)


async def test_a_database_in_another_encoding(postgres: PostgresServer) -> None:
    postgres.run_sql("CREATE DATABASE ascii ENCODING 'SQL_ASCII' TEMPLATE template0")
    error = await refused(postgres.url("ascii"))
    assert isinstance(error, StoreRefused)
    assert "SQL_ASCII" in str(error)


async def test_a_store_opens_again(postgres_url: str) -> None:
    store = PostgresStore(address_of(postgres_url), SystemClock())
    for _ in range(2):
        await store.open()
        assert (await store.figures()).waiting == {}
        await store.close()
        with pytest.raises(StoreError):
            await store.figures()
        with pytest.raises(StoreError):
            await store.end_alert(1, None)
        await store.close()


class _Pooled:
    """What a connection says of its session, one answer after the other."""

    def __init__(self, *pids: int, greeted: int = 0) -> None:
        self._pids = list(pids)
        self._greeted = greeted

    def get_server_pid(self) -> int:
        return self._greeted

    async def fetchval(self, query: str) -> int:
        return self._pids.pop(0)

    def transaction(self) -> Any:
        return _nothing()


class _nothing:  # noqa: N801 - a context
    async def __aenter__(self) -> None:
        return

    async def __aexit__(self, *_: object) -> None:
        return


async def test_a_pooler_is_seen() -> None:
    def asked(one: _Pooled, two: _Pooled) -> Any:
        return is_pooled(cast("Connection", one), cast("Connection", two), SQL)

    assert await asked(_Pooled(7), _Pooled(7))
    assert await asked(_Pooled(7, 9), _Pooled(8))
    assert not await asked(_Pooled(7, 7), _Pooled(8))
    assert await is_direct(cast("Connection", _Pooled(7, greeted=7)), SQL)
    assert not await is_direct(cast("Connection", _Pooled(7, greeted=8)), SQL)


async def test_a_server_that_vanishes_without_a_word_is_missed(postgres_url: str) -> None:
    connection = await connect(address_of(postgres_url), "a test", SQL, QUIET)
    wire = cast("Any", connection)._transport.get_extra_info("socket")
    assert wire.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 2
    assert wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 6000
    await hang_up(connection)


async def test_settings_are_the_sessions(postgres_url: str) -> None:
    connection = await connect(address_of(postgres_url), "botrunner/7", SQL, TALKATIVE)
    told = {row[0]: row[1] for row in await connection.fetch("SELECT name, setting FROM pg_settings")}
    assert told["application_name"] == "botrunner/7"
    assert told["synchronous_commit"] == "on"
    assert int(told["idle_session_timeout"]) > 0
    assert int(told["client_connection_check_interval"]) == 500
    await hang_up(connection)


# ── errors ───────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("error", "lost", "passing"),
    [
        (asyncpg.DeadlockDetectedError("x"), False, True),
        (asyncpg.SerializationError("x"), False, True),
        (asyncpg.LockNotAvailableError("x"), False, True),
        (asyncpg.AdminShutdownError("x"), True, False),
        (asyncpg.IdleSessionTimeoutError("x"), True, False),
        (asyncpg.ConnectionDoesNotExistError("x"), True, False),
        (asyncpg.InterfaceError("connection is closed"), True, False),
        (asyncpg.exceptions._base.DataError("too large"), False, False),
        (asyncpg.UniqueViolationError("x"), False, False),
        (ConnectionResetError(), True, False),
        (TimeoutError(), True, False),
        (IllegalStep("x"), False, False),
    ],
)
def test_errors_are_told_apart(error: Exception, lost: bool, passing: bool) -> None:  # noqa: FBT001 - two columns
    assert (is_lost(error), is_passing(error)) == (lost, passing)


def test_errors_in_our_words() -> None:
    told = store_error(asyncpg.InvalidPasswordError('password authentication failed for user "s3cret"'))
    assert isinstance(told, StoreRefused)
    assert "s3cret" not in str(told)
    assert "s3cret" not in str(store_error(asyncpg.UniqueViolationError("Key (x)=(s3cret)")))
    assert isinstance(in_our_words(asyncpg.DiskFullError("x")), StoreError)
    refusal = IllegalStep("not so")
    assert in_our_words(refusal) is refusal


# ── the desk ─────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
async def desk(postgres_url: str) -> AsyncIterator[Desk]:
    desk = Desk(lambda: connect(address_of(postgres_url), "a test", SQL, QUIET), SystemClock(), connections=2)
    await desk.open()
    yield desk
    await desk.close()


async def test_a_rows_values_are_in_no_error_that_is_shown_with_its_causes(desk: Desk) -> None:
    query = "INSERT INTO deposits (key, amount, at_ms, note) VALUES ('k', 0, 1, 's3cret')"
    with pytest.raises(StoreError) as caught:
        await desk.write(lambda c: c.execute(query))
    assert isinstance(caught.value.__cause__, asyncpg.CheckViolationError)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


async def test_whoever_is_in_the_way_is_tried_again(desk: Desk) -> None:
    """Two that lock in opposite orders: the server undoes one, which is done again."""
    await desk.write(lambda c: c.execute("INSERT INTO scopes (name) VALUES ('a'), ('b')"))
    both = asyncio.Barrier(2)

    async def spend(first: str, second: str) -> None:
        tries = 0

        async def unit(connection: Connection) -> None:
            nonlocal tries
            tries += 1
            await connection.execute("UPDATE scopes SET held = held + 1 WHERE name = $1", first)
            if tries == 1:
                await both.wait()
            await connection.execute("UPDATE scopes SET held = held + 1 WHERE name = $1", second)

        await desk.write(unit)

    await asyncio.gather(spend("a", "b"), spend("b", "a"))
    rows = await desk.read(lambda c: c.fetch("SELECT held FROM scopes WHERE name IN ('a', 'b')"))
    assert [row[0] for row in rows] == [2, 2]


async def test_what_a_unit_raises_undoes_it(desk: Desk) -> None:
    async def unit(connection: Connection) -> None:
        await connection.execute("INSERT INTO scopes (name) VALUES ('a')")
        raise IllegalStep("no")

    with pytest.raises(IllegalStep):
        await desk.write(unit)
    with pytest.raises(StoreError):
        await desk.write(lambda c: c.execute("SELECT 1 / 0"))
    with pytest.raises(StoreError):
        await desk.read(lambda c: c.execute("INSERT INTO scopes (name) VALUES ('b')"))
    assert await desk.fetch("SELECT name FROM scopes") == []


async def test_a_read_goes_on_where_its_connection_broke(desk: Desk) -> None:
    async def unit(connection: Connection) -> Any:
        if not broke:
            broke.append(1)
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return await connection.fetchval("SELECT 7")

    broke: list[int] = []
    assert await desk.read(unit) == 7
    broke.clear()
    with pytest.raises(StoreError):
        await desk.write(unit)
    assert await desk.write(unit) == 7


async def test_one_snapshot(desk: Desk) -> None:
    async def unit(connection: Connection) -> list[int]:
        first = await connection.fetchval("SELECT count(*) FROM scopes")
        await desk.write(lambda c: c.execute("INSERT INTO scopes (name) VALUES ('a')"))
        return [first, await connection.fetchval("SELECT count(*) FROM scopes")]

    assert await desk.read(unit) == [0, 0]
