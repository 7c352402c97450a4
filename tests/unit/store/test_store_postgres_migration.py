"""Schema steps: by one for all, in order, never behind the back of a daemon that would not understand them."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

import runner.store.postgres as package
from runner.clock import SystemClock
from runner.errors import StoreError, StoreRefused
from runner.store.hearing import Ears
from runner.store.postgres.address import Address, address_of
from runner.store.postgres.connection import TALKATIVE, Connection, connect, hang_up
from runner.store.postgres.control import About, Control
from runner.store.postgres.migration import Migration, Schema, load_migrations, migrate, schema_of
from runner.store.queries import load_queries
from runner.testing.postgres_server import PostgresServer

HERE = Path(package.__file__).parent
SQL = load_queries(HERE / "sql")
SHIPPED = load_migrations()
NEWEST = SHIPPED[-1].version
ADDED = "ALTER TABLE inbox ADD COLUMN mood text NOT NULL DEFAULT ''; CREATE TABLE moods (mood text);"

Connecting = Callable[[], Awaitable[Connection]]


def one_more(script: str = ADDED, oldest: int = 1, name: str = "moods") -> tuple[Migration, ...]:
    return (*SHIPPED, Migration(NEWEST + 1, name, oldest, script))


@pytest.fixture
def address(postgres: PostgresServer) -> Address:
    return address_of(postgres.url(postgres.fresh()))


@pytest.fixture
async def session(address: Address) -> AsyncIterator[Connecting]:
    async with AsyncExitStack() as stack:

        async def made() -> Connection:
            connection = await connect(address, "botrunner", SQL, TALKATIVE)
            stack.push_async_callback(hang_up, connection)
            return connection

        yield made


@asynccontextmanager
async def daemon(address: Address, name: str, schema: int = NEWEST) -> AsyncIterator[Control]:
    """One that is there, and knows that schema."""
    control = Control(
        lambda: connect(address, "botrunner", SQL, TALKATIVE),
        SystemClock(),
        SQL,
        About(name, "0.1", schema),
        Ears(),
    )
    await control.open()
    try:
        yield control
    finally:
        await control.close()


# ── files ────────────────────────────────────────────────────────────────────────────────────────────────
def test_each_shipped_step_says_who_can_work_on() -> None:
    assert [step.version for step in SHIPPED] == list(range(1, NEWEST + 1))
    assert all(1 <= step.oldest <= step.version for step in SHIPPED)


@pytest.mark.parametrize("said", ["", "-- oldest: 3", "-- oldest: 0", "-- oldest: some"])
def test_a_step_that_does_not_say_is_no_step(tmp_path: Path, said: str) -> None:
    shutil.copy(HERE / "migrations" / "0001_first.sql", tmp_path)
    (tmp_path / "0002_more.sql").write_text(f"{said}\nSELECT 1;", encoding="utf-8")
    with pytest.raises(ValueError, match="0002_more"):
        load_migrations(tmp_path)


def test_a_number_is_not_left_out(tmp_path: Path) -> None:
    shutil.copy(HERE / "migrations" / "0001_first.sql", tmp_path)
    (tmp_path / "0003_more.sql").write_text("-- oldest: 1\nSELECT 1;", encoding="utf-8")
    with pytest.raises(ValueError, match="numbered"):
        load_migrations(tmp_path)


# ── applying ─────────────────────────────────────────────────────────────────────────────────────────────
async def test_of_many_that_begin_at_once_one_applies(session: Connecting) -> None:
    connections = [await session() for _ in range(4)]
    async with asyncio.TaskGroup() as tasks:
        starts = [tasks.create_task(migrate(one, SQL, one_more(), SystemClock())) for one in connections]
    assert {start.result()[1] for start in starts} == {NEWEST + 1}
    assert await schema_of(connections[0], SQL) == Schema(NEWEST + 1, SHIPPED[-1].oldest)
    rows = await connections[0].fetch("SELECT version, name, oldest FROM schema_steps ORDER BY version")
    assert [tuple(row) for row in rows] == [(step.version, step.name, step.oldest) for step in one_more()]


async def test_what_is_up_to_date_is_left_alone(session: Connecting) -> None:
    connection = await session()
    await migrate(connection, SQL, SHIPPED, SystemClock())
    assert await migrate(connection, SQL, SHIPPED, SystemClock()) == (NEWEST, NEWEST)


async def test_the_database_of_another_program_is_refused(session: Connecting) -> None:
    connection = await session()
    await connection.execute("CREATE TABLE theirs (id integer)")
    with pytest.raises(StoreRefused, match="another program"):
        await migrate(connection, SQL, SHIPPED, SystemClock())
    assert await connection.fetchval("SELECT to_regclass('daemons')") is None


async def test_a_step_that_fails_leaves_nothing(session: Connecting) -> None:
    connection = await session()
    broken = one_more("CREATE TABLE moods (mood text); SELECT 1 / 0;")
    with pytest.raises(StoreError):
        await migrate(connection, SQL, broken, SystemClock())
    assert await schema_of(connection, SQL) == Schema(NEWEST, SHIPPED[-1].oldest)
    assert await migrate(connection, SQL, one_more(), SystemClock()) == (NEWEST, NEWEST + 1)


async def test_a_step_stands_in_nobodys_way_while_it_waits_for_a_table(session: Connecting) -> None:
    reader, worker, newcomer = [await session() for _ in range(3)]
    await migrate(reader, SQL, SHIPPED, SystemClock())
    async with asyncio.TaskGroup() as tasks, reader.transaction():
        await reader.fetch("SELECT count(*) FROM inbox")
        step = tasks.create_task(migrate(newcomer, SQL, one_more(), SystemClock()))
        for _ in range(20):
            await worker.execute("INSERT INTO leases VALUES ('a', 'b', 1, 1) ON CONFLICT DO NOTHING")
            await worker.fetch("SELECT count(*) FROM inbox")
        assert not step.done()
    assert step.result() == (NEWEST, NEWEST + 1)


# ── older daemons ────────────────────────────────────────────────────────────────────────────────────────
async def test_a_step_that_only_adds_is_made_while_older_daemons_work(
    address: Address, session: Connecting
) -> None:
    connection = await session()
    await migrate(connection, SQL, SHIPPED, SystemClock())
    async with daemon(address, "old/1") as old:
        assert await migrate(connection, SQL, one_more(), SystemClock()) == (NEWEST, NEWEST + 1)
        await (await old.session()).close()
        async with daemon(address, "old/2"), daemon(address, "new/1", NEWEST + 1):
            rows = await old.fetch(SQL["daemons"])
    assert [(row[1], row[3]) for row in rows] == [("old/1", NEWEST), ("old/2", NEWEST), ("new/1", NEWEST + 1)]
    assert await migrate(connection, SQL, SHIPPED, SystemClock()) == (NEWEST + 1, NEWEST + 1)


async def test_a_step_that_they_would_not_understand_waits_until_they_are_stopped(
    address: Address, session: Connecting
) -> None:
    connection = await session()
    await migrate(connection, SQL, SHIPPED, SystemClock())
    steps = one_more(oldest=NEWEST + 1)
    async with daemon(address, "old/1"), daemon(address, "old/2"):
        with pytest.raises(StoreRefused, match="stop old/1, old/2 first"):
            await migrate(connection, SQL, steps, SystemClock())
    assert await migrate(connection, SQL, steps, SystemClock()) == (NEWEST, NEWEST + 1)


async def test_one_that_knows_too_little_is_refused(address: Address, session: Connecting) -> None:
    connection = await session()
    await migrate(connection, SQL, one_more(oldest=NEWEST + 1), SystemClock())
    with pytest.raises(StoreRefused, match="install the newer one"):
        await migrate(connection, SQL, SHIPPED, SystemClock())
    with pytest.raises(StoreRefused, match="install the newer one"):
        async with daemon(address, "old/1"):
            pass
    assert await connection.fetchval("SELECT count(*) FROM daemons") == 0


async def test_a_dead_one_holds_no_step_up_and_cannot_come_back(
    address: Address, session: Connecting
) -> None:
    connection = await session()
    await migrate(connection, SQL, SHIPPED, SystemClock())
    async with daemon(address, "old/1") as old:
        lost = old._session
        assert lost is not None
        lost.terminate()
        await _gone(connection, old.number)
        await migrate(connection, SQL, one_more(oldest=NEWEST + 1), SystemClock())
        with pytest.raises(StoreRefused, match="install the newer one"):
            await old._begin()


async def _gone(connection: Connection, number: int) -> None:
    """Until the server has missed it."""
    asked = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1"
    async with asyncio.timeout(60):
        while await connection.fetchval(asked, f"botrunner/{number}"):
            await SystemClock().sleep(0.02)


async def test_nobody_joins_while_a_step_is_made(address: Address, session: Connecting) -> None:
    connection, migrator = await session(), await session()
    await migrate(connection, SQL, SHIPPED, SystemClock())
    async with asyncio.TaskGroup() as tasks, migrator.transaction():
        assert await migrator.fetchval(SQL["lock_schema"])
        joining = tasks.create_task(_join(address))
        await _waits(connection)
        assert not joining.done()
    assert joining.result() > 0


async def _join(address: Address) -> int:
    async with daemon(address, "new/1") as new:
        return new.number


async def _waits(connection: Connection) -> None:
    """Until somebody waits for an advisory lock."""
    asked = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    async with asyncio.timeout(60):
        while not await connection.fetchval(asked):
            await SystemClock().sleep(0.02)


async def test_without_the_right_to_make_tables_it_is_refused(
    postgres: PostgresServer, address: Address
) -> None:
    database = address.shown.rpartition("/")[2]
    postgres.run_sql("REVOKE CREATE ON SCHEMA public FROM PUBLIC", database)
    postgres.run_sql(f"CREATE ROLE guest_of_{database} LOGIN", database)
    url = postgres.url(database).replace("botrunner@", f"guest_of_{database}@")
    connection = await connect(address_of(url), "botrunner", SQL, TALKATIVE)
    try:
        with pytest.raises(StoreRefused, match="lacks rights"):
            await migrate(connection, SQL, SHIPPED, SystemClock())
    finally:
        await hang_up(connection)
        postgres.run_sql(f"DROP ROLE guest_of_{database}", database)
