"""Rates of a fleet on a real database: exact whoever counts, by the database's clock."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

import runner.store.postgres
from runner.clock import SystemClock
from runner.errors import StoreError
from runner.ports.rates import Rate
from runner.store.postgres.address import address_of
from runner.store.postgres.connection import QUIET, Connection, connect
from runner.store.postgres.desk import Desk
from runner.store.postgres.rates import PostgresRates
from runner.store.queries import Queries, load_queries

SQL = Path(runner.store.postgres.__file__).parent / "sql"
BOTH: tuple[Rate, Rate] = (("bot", 10), ("user", 3))


class Fleet:
    """Two daemons that count, and a way to look into their database."""

    def __init__(self, url: str, sql: Queries) -> None:
        self._url = url
        self._sql = sql
        self.desks = [Desk(self._session, SystemClock()) for _ in range(2)]
        self.first, self.second = (PostgresRates(desk, sql) for desk in self.desks)

    async def _session(self) -> Connection:
        return await connect(address_of(self._url), "test", self._sql, QUIET)

    async def times(self) -> dict[str, int]:
        """How many times each row holds."""
        return dict(map(tuple, await self._ask("SELECT key, cardinality(times) FROM rates")))

    async def pass_by(self, seconds: float) -> None:
        """As if so much time had gone by since."""
        await self._ask(
            "UPDATE rates SET times = ARRAY(SELECT t - $1 FROM unnest(times) AS t ORDER BY 1)",
            round(seconds * 1_000_000),
        )

    async def _ask(self, query: str, *values: object) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self._url)
        try:
            return await connection.fetch(query, *values)
        finally:
            await connection.close()


@pytest.fixture
async def fleet(postgres_url: str) -> AsyncIterator[Fleet]:
    fleet = Fleet(postgres_url, load_queries(SQL))
    for desk in fleet.desks:
        await desk.open()
    yield fleet
    for desk in fleet.desks:
        await desk.close()


async def test_never_more_than_the_limit_however_many_count_at_once(fleet: Fleet) -> None:
    waits = await asyncio.gather(
        *(rates.take_all([("bot", 40)]) for _ in range(60) for rates in (fleet.first, fleet.second))
    )
    assert waits.count(0.0) == 40
    assert all(0 < wait <= 60 for wait in waits if wait)
    assert await fleet.times() == {"bot": 40}


async def test_keys_in_any_order_and_each_with_its_limit(fleet: Fleet) -> None:
    asked: list[list[Rate]] = [[("bot", 30), (f"user {n % 4}", 5)] for n in range(40)]
    waits = await asyncio.gather(
        *(fleet.first.take_all(one) for one in asked),
        *(fleet.second.take_all(one[::-1]) for one in asked),
    )
    assert waits.count(0.0) == 20
    assert await fleet.times() == {"bot": 20, **{f"user {n}": 5 for n in range(4)}}


async def test_all_or_none_are_counted(fleet: Fleet) -> None:
    assert [await fleet.first.take_all(BOTH) for _ in range(3)] == [0.0] * 3
    assert 0 < await fleet.second.take_all(BOTH) <= 60
    assert await fleet.times() == {"bot": 3, "user": 3}
    assert await fleet.second.take_all([("bot", 10), ("user", None)]) == 0.0
    assert await fleet.times() == {"bot": 4, "user": 3}


async def test_what_has_no_limit_is_not_kept(fleet: Fleet) -> None:
    assert await fleet.first.take_all([("bot", None)]) == 0.0
    assert await fleet.first.take_all([]) == 0.0
    assert await fleet.times() == {}


async def test_a_minute_later_there_is_room_again(fleet: Fleet) -> None:
    for _ in range(3):
        assert await fleet.first.take_all(BOTH) == 0.0
    await fleet.pass_by(20)
    wait = await fleet.second.take_all(BOTH)
    assert 0 < wait <= 40
    await fleet.pass_by(wait)
    assert await fleet.second.take_all(BOTH) == 0.0
    await fleet.pass_by(60)
    assert await fleet.first.take_all(BOTH) == 0.0
    assert await fleet.times() == {"bot": 1, "user": 1}, "what is over is not kept"


async def test_a_limit_that_was_lowered_holds_at_once(fleet: Fleet) -> None:
    for _ in range(5):
        assert await fleet.first.take_all([("bot", 9)]) == 0.0
        await fleet.pass_by(10)
    assert 0 < await fleet.second.take_all([("bot", 3)]) <= 40
    assert await fleet.second.take_all([("bot", 0)]) == 60.0


async def test_what_came_to_nothing_makes_room(fleet: Fleet) -> None:
    for _ in range(3):
        assert await fleet.first.take_all(BOTH) == 0.0
    await fleet.second.give_back([("bot", 10), ("user", 3), ("other", 5), ("none", None)])
    assert await fleet.times() == {"bot": 2, "user": 2}
    assert await fleet.second.take_all(BOTH) == 0.0
    assert await fleet.second.take_all(BOTH) > 0
    await fleet.first.give_back([])
    assert await fleet.times() == {"bot": 3, "user": 3}


async def test_no_later_message_is_given_back_than_the_one_that_is_meant(fleet: Fleet) -> None:
    for _ in range(2):
        assert await fleet.first.take_all([("user", 2)]) == 0.0
        await fleet.pass_by(20)
    await fleet.first.give_back([("user", 2)], ago_s=50)
    assert await fleet.times() == {"user": 2}, "none was counted so long ago"
    await fleet.first.give_back([("user", 2)], ago_s=30)
    assert await fleet.first.take_all([("user", 2)]) == 0.0
    assert 0 < await fleet.first.take_all([("user", 2)]) <= 40, "the later one still counts"


async def test_who_gives_up_waiting_takes_nobody_with_them(fleet: Fleet) -> None:
    tasks = [
        asyncio.ensure_future(fleet.first.take_all([("bot", 50)]))  # noqa: TID251 - each is ended here
        for _ in range(20)
    ]
    await asyncio.sleep(0)  # noqa: TID251 - gives way once: the first has begun
    for task in tasks[:10]:
        task.cancel()
    waits = await asyncio.gather(*tasks, return_exceptions=True)
    assert waits[10:] == [0.0] * 10
    assert 10 <= (await fleet.times())["bot"] <= 20, "what nobody knows of may have counted"
    assert await fleet.first.take_all([("bot", 50)]) == 0.0


async def test_where_the_store_fails_nothing_is_counted(fleet: Fleet) -> None:
    await fleet.desks[0].close()
    with pytest.raises(StoreError):
        await fleet.first.take_all(BOTH)
    await fleet.first.give_back(BOTH)
    assert await fleet.second.take_all(BOTH) == 0.0
    assert await fleet.times() == {"bot": 1, "user": 1}


async def test_keys_that_are_idle_go_with_the_upkeep(fleet: Fleet) -> None:
    await fleet.first.take_all([("idle", 5)])
    await fleet.pass_by(61)
    await fleet.first.take_all([("busy", 5)])
    await fleet.first.take_all([("empty", 5)])
    await fleet.first.give_back([("empty", 5)])
    assert await fleet.desks[1].write(fleet.second.forget_idle) == 2
    assert await fleet.desks[1].write(fleet.second.forget_idle) == 0
    assert await fleet.times() == {"busy": 1}
