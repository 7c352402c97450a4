"""The control session: it keeps the daemon's number through whatever happens to its connection."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from runner.clock import SystemClock
from runner.errors import StoreError
from runner.ports.fleet import Burial, News, NewsKind
from runner.store.hearing import Ears
from runner.store.postgres.address import Address, address_of
from runner.store.postgres.connection import TALKATIVE, Connection, connect, hang_up
from runner.store.postgres.control import About, Control, session_name
from runner.store.postgres.fleet import NEIGHBOURS, PostgresFleet
from runner.store.queries import load_queries
from tests.unit.store.test_store_postgres_migration import HERE, NEWEST

SQL = load_queries(HERE / "sql")
PATIENCE_S = 60.0
GAP = News(NewsKind.GAP)


class Daemon:
    """A control session that runs, and what goes with it."""

    def __init__(self, address: Address, name: str) -> None:
        self.ears = Ears()
        self.heard = self.ears.listen()
        self.connects = True
        self._address = address
        self.control = Control(self._connect, SystemClock(), SQL, About(name, "0.1", NEWEST), self.ears, 0.0)
        self.fleet = PostgresFleet(self.control, self.ears, SystemClock(), SQL)

    async def _connect(self) -> Connection:
        if not self.connects:
            raise StoreError("not now")
        return await connect(self._address, "botrunner", SQL, TALKATIVE)

    @property
    def session(self) -> Connection:
        assert self.control._session is not None
        return self.control._session

    async def back(self) -> None:
        """Until it has heard that it was away."""
        async with asyncio.timeout(PATIENCE_S):
            while await anext(self.heard) != GAP:
                pass


Joining = Callable[[str], Any]


@pytest.fixture
def address(postgres_url: str) -> Address:
    return address_of(postgres_url)


@pytest.fixture
async def server(address: Address) -> AsyncIterator[Connection]:
    connection = await connect(address, "a test", SQL, TALKATIVE)
    yield connection
    await hang_up(connection)


@pytest.fixture
async def join(address: Address) -> AsyncIterator[Joining]:
    async with AsyncExitStack() as stack:
        tasks = await stack.enter_async_context(asyncio.TaskGroup())

        async def joined(name: str) -> Daemon:
            daemon = Daemon(address, name)
            await daemon.control.open()
            daemon.heard = daemon.ears.listen()
            beating = tasks.create_task(daemon.control.run(), name=name)
            stack.push_async_callback(daemon.control.close)
            stack.callback(beating.cancel)
            return daemon

        yield joined


async def test_looking_for_the_dead_is_one_question_where_there_are_none(join: Joining) -> None:
    one, _ = await join("one"), await join("two")
    await one.fleet.bury()
    asked: list[Any] = []
    one.session.add_query_logger(asked.append)
    assert await one.fleet.bury() == Burial()
    await SystemClock().sleep(0)
    assert [record.query for record in asked if record.query != SQL["beat"]] == [SQL["gone"]]


async def test_a_session_that_breaks_comes_back_as_the_same_daemon(join: Joining, server: Connection) -> None:
    one, two = await join("one"), await join("two")
    number, lost = one.control.number, one.session
    await server.execute("SELECT pg_terminate_backend($1)", lost.get_server_pid())
    await one.back()
    assert one.control.number == number
    assert one.session is not lost
    assert await two.fleet.bury() == Burial()
    await two.fleet.tell([News(NewsKind.WORK)])
    async with asyncio.timeout(PATIENCE_S):
        while (await anext(one.heard)).kind is not NewsKind.WORK:
            pass


async def test_an_old_session_that_the_server_believes_in_is_ended(join: Joining) -> None:
    one = await join("one")
    number, old = one.control.number, one.session
    one.control._session = None  # as where its wire was cut, and nobody has told the server
    one.control._there.clear()
    one.control._lost.set()
    await one.back()
    assert one.control.number == number
    async with asyncio.timeout(PATIENCE_S):
        while not old.is_closed():
            await SystemClock().sleep(0.01)


async def test_one_that_was_ended_while_it_lived_is_another_with_its_next_beat(
    join: Joining, server: Connection
) -> None:
    one = await join("one")
    number = one.control.number
    await server.execute("UPDATE daemons SET ended_ms = 1 WHERE id = $1", number)
    await one.back()
    assert one.control.number > number
    lines = await one.fleet.daemons()
    assert [(line.id, line.name, line.ended_ms) for line in lines] == [(one.control.number, "one", None)]


async def test_a_number_that_is_somebody_elses_is_left_to_them(join: Joining, server: Connection) -> None:
    one = await join("one")
    number = one.control.number
    await server.execute("UPDATE daemons SET name = 'other' WHERE id = $1", number)
    one.session.terminate()
    await one.back()
    assert one.control.number > number


async def test_a_statement_that_is_not_answered_costs_the_session(join: Joining) -> None:
    one = await join("one")
    number = one.control.number
    with pytest.raises(StoreError):
        await one.control._do(lambda connection: connection.execute("SELECT pg_sleep(60)"), 0.05)
    await one.back()
    assert one.control.number == number


async def test_a_session_that_writes_bears_the_name(join: Joining, server: Connection) -> None:
    one, two = await join("one"), await join("two")
    writer = await one.control.session()
    asked = "SELECT application_name FROM pg_stat_activity WHERE pid = $1"
    assert await server.fetchval(asked, writer.get_server_pid()) == session_name(one.control.number)
    one.connects = False
    one.session.terminate()
    for _ in range(3):
        assert await two.fleet.bury() == Burial()
    await writer.close()
    async with asyncio.timeout(PATIENCE_S):
        while not (await two.fleet.bury()).daemons:
            await SystemClock().sleep(0.01)


async def test_nothing_writes_in_the_name_of_one_that_was_buried(join: Joining) -> None:
    one, two = await join("one"), await join("two")
    number = one.control.number
    one.connects = False
    one.session.terminate()
    async with asyncio.timeout(PATIENCE_S):
        while not (await two.fleet.bury()).daemons:
            await SystemClock().sleep(0.01)
    with pytest.raises(StoreError):
        await one.control.session()
    one.connects = True
    await one.back()
    writer = await one.control.session()
    assert await writer.fetchval("SHOW application_name") == session_name(one.control.number)
    assert one.control.number > number
    await hang_up(writer)


async def test_a_broken_session_gives_no_sessions_and_loses_hints(join: Joining) -> None:
    one, two = await join("one"), await join("two")
    one.connects = False
    one.session.terminate()
    with pytest.raises(StoreError):
        await one.fleet.daemons()
    await one.fleet.tell([News(NewsKind.WORK)])
    one.connects = True
    await one.back()
    await one.fleet.tell([News(NewsKind.SENDS)])
    async with asyncio.timeout(PATIENCE_S):
        kinds = [(await anext(two.heard)).kind]
    assert kinds == [NewsKind.SENDS]


async def test_it_beats(join: Joining) -> None:
    one = await join("one")
    [first] = await one.fleet.daemons()
    async with asyncio.timeout(PATIENCE_S):
        while (await one.fleet.daemons())[0].seen_ms == first.seen_ms:
            await SystemClock().sleep(0.05)
    assert one.fleet.now_ms() > first.started_ms


async def test_after_a_long_silence_the_first_look_at_the_dead_is_a_later_one(join: Joining) -> None:
    one = await join("one")
    one.control._grace_s = 1e9
    two = await join("two")
    two.connects = False
    two.session.terminate()
    for _ in range(3):
        assert await one.fleet.bury() == Burial()
    one.control._grace_s = 0.0
    async with asyncio.timeout(PATIENCE_S):
        while (await one.fleet.bury()).daemons != (two.control.number,):
            await SystemClock().sleep(0.01)


async def test_each_looks_after_its_neighbours_in_a_ring(join: Joining, server: Connection) -> None:
    one, two = await join("one"), await join("two")
    await server.execute(
        "INSERT INTO daemons (name, version, schema, started_ms, seen_ms)"
        " SELECT 'dead', '', 9, 1, 1 FROM generate_series(1, $1)",
        NEIGHBOURS + 4,
    )
    dead = list(range(two.control.number + 1, two.control.number + NEIGHBOURS + 5))
    assert await two.fleet._gone() == dead[:NEIGHBOURS]
    assert await one.fleet._gone() == dead[: NEIGHBOURS - 1]  # and `two`, who lives
    assert await two.fleet._gone(10**6) == dead
    assert (await two.fleet.bury()).daemons == tuple(dead[:NEIGHBOURS])
    assert (await one.fleet.bury()).daemons == tuple(dead[NEIGHBOURS:])
    assert await two.fleet.bury() == Burial()
