"""A writer whose connection breaks when a test says so: money that may be given back is told to nobody."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

import asyncpg
import pytest

from runner.errors import StoreError
from runner.money.amounts import Money
from runner.money.reservation import ReservationState
from runner.ports.books import Held
from runner.store.postgres.committing import Committer
from runner.store.postgres.connection import Connection
from runner.store.postgres.jobs import Job, Kind
from runner.store.postgres.lane_locks import LaneLocks
from runner.store.postgres.store import SQL_FOLDER
from runner.store.postgres.writer import PATIENCE_S, Writer
from runner.store.queries import load_queries
from runner.testing.clock import ManualClock
from tests.contract.stores.examples import wish

SQL = load_queries(SQL_FOLDER)


class Session:
    """A connection whose server has room for so many locks; `terminated`: it was given up."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.locks: list[str] = []
        self.terminated = False

    async def fetch(self, query: str, names: Sequence[str]) -> list[tuple[str, bool]]:
        if query == SQL["unlock_lanes"]:
            self.locks = [name for name in self.locks if name not in names]
            return []
        for name in names:
            if len(self.locks) == self.room:
                raise asyncpg.OutOfMemoryError("out of shared memory")
            self.locks.append(name)
        return [(name, True) for name in names]

    async def fetchrow(self, *_: object) -> None:
        return None

    async def execute(self, *_: object) -> str:
        return "SELECT 1"

    def terminate(self) -> None:
        self.terminated = True

    async def close(self) -> None:
        pass


class Ledger:
    """Commits holds, and the connection breaks as soon as they are durable."""

    doubt = None

    def __init__(self) -> None:
        self.settled: dict[str, ReservationState] = {}
        self.settles = asyncio.Event()
        self.breaks = False

    async def run(self, _connection: object, jobs: Sequence[Job[Any]]) -> None:
        for job in [job for job in jobs if job.is_open]:
            if job.kind is Kind.HOLD:
                job.result = Held(job.asked.attempt.id, 1000, Money(1100))
            elif job.kind is Kind.SETTLE:
                self.settled[job.asked.attempt_id] = job.asked.state
                self.settles.set()
            job.done = True
        if self.breaks:
            self.breaks = False
            raise ConnectionResetError


class World:
    """A writer and its database."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.ledger = Ledger()
        self.away = False
        lanes = LaneLocks(SQL, self.clock, lambda: 1)
        self.writer = Writer(self._connect, SQL, cast("Committer", self.ledger), lanes, self.clock)

    async def _connect(self) -> Connection:
        if self.away:
            raise StoreError("away")
        return cast("Connection", Session(room=2))


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Opened; a test starts `run`, which ends by itself once it is closed."""
    world = World()
    yield world
    world.writer.close()


async def test_a_hold_that_may_be_released_is_told_to_nobody(world: World) -> None:
    connection = await world.writer.open()
    told: list[object] = []

    async def ask() -> None:
        try:
            told.append(await world.writer.ask(Kind.HOLD, wish("t1-1")))
        except StoreError as error:
            told.append(type(error))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(world.writer.run(connection))
        world.ledger.breaks = world.away = True
        asked = tasks.create_task(ask())
        for _ in range(int(PATIENCE_S) + 2):
            await world.clock.asleep()
            world.clock.advance(1.0)
        await asked
        await world.clock.asleep()
        world.away = False
        world.clock.advance(1.0)
        await world.ledger.settles.wait()
        world.writer.close()
    assert told == [StoreError]
    assert world.ledger.settled == {"t1-1": ReservationState.RELEASED}


async def test_where_the_server_has_no_room_for_locks_only_those_who_want_one_are_refused(
    world: World,
) -> None:
    connection = await world.writer.open()
    session = cast("Session", connection)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(world.writer.run(connection))
        first = await world.writer.enter("lane-1")
        assert first is not None
        wanted = [world.writer.enter(f"lane-{number}") for number in (2, 3)]
        holds = [world.writer.ask(Kind.HOLD, wish(f"t1-{number}")) for number in (1, 2)]
        *results, one, two = await asyncio.gather(*wanted, *holds, return_exceptions=True)
        assert [type(result) for result in results] == [StoreError, StoreError]
        assert (type(one), type(two)) == (Held, Held)
        assert (session.locks, session.terminated) == (["lane-1"], False)
        await world.writer.leave(first)
        assert await world.writer.enter("lane-2") is not None
        assert session.locks == ["lane-2"]
        world.writer.close()
