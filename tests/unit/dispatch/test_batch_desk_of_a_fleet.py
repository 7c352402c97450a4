"""Two batch desks on one store: every one takes batches in, one sees to all of them, and it may be the other next."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from runner.agent.batch_meter.opening import NotOpened
from runner.dispatch.batches import FLEET_LOOK_S, LONGEST_REST_S, MOST_OPEN, BatchDesk
from runner.ports.batches import Batch, BatchState, Kept
from runner.ports.fleet import NewsKind
from runner.ports.observer import Fault
from runner.store.memory.fleet import MemoryFleet
from runner.testing.batch_server import FakeBatchServer
from runner.testing.clock import ManualClock
from tests.unit.agent.batch_world import BatchWorld, a_prompt


class Desk:
    """One daemon's."""

    def __init__(self, fleet: MemoryFleet, name: str, server: FakeBatchServer, clock: ManualClock) -> None:
        self.member, self.clock = fleet.join(name), clock
        self.world = BatchWorld(self.member, server, clock)
        numbers = iter(range(10**6))
        self.desk = BatchDesk(
            *(self.world.opener, self.world.meter, self.member.batches, clock, self.world.observer),
            lambda: f"{name}{next(numbers):013d}",
            self.member.fleet,
        )

    async def submit(self, key: str = "") -> Batch:
        kept = await self.desk.submit(self.world.bot, [a_prompt(1)], key)
        assert isinstance(kept, Kept)
        return kept.batch

    async def hear(self) -> None:
        async for news in self.member.ears.listen():
            if news.kind is NewsKind.BATCHES:
                self.desk.heard(news.text)


class House:
    """Two desks, of which the test lets one see to all."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.server = FakeBatchServer(self.clock)
        self.server.book.looks = None
        fleet = MemoryFleet(self.clock)
        self.one, self.two = (Desk(fleet, name, self.server, self.clock) for name in ("one", "two"))

    async def state(self, batch: Batch) -> BatchState:
        found = await self.one.member.batches.batch(batch.id)
        assert found is not None
        return found.state

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(60):
            while not holds():
                await asyncio.get_running_loop().run_in_executor(None, int)

    async def becomes(self, batch: Batch, state: BatchState, step_s: float = 0.0) -> None:
        async with asyncio.timeout(60):
            while await self.state(batch) is not state:
                self.clock.advance(step_s)
                await asyncio.get_running_loop().run_in_executor(None, int)


@asynccontextmanager
async def a_house() -> AsyncIterator[tuple[House, asyncio.TaskGroup]]:
    house = House()
    await house.one.member.open()
    await house.two.member.open()
    async with asyncio.TaskGroup() as tasks:
        ears = [tasks.create_task(each.hear()) for each in (house.one, house.two)]
        yield house, tasks
        for ear in ears:
            ear.cancel()
    assert not house.one.world.observer.of(Fault) + house.two.world.observer.of(Fault)


async def test_what_is_handed_in_elsewhere_is_seen_to_at_once_and_moves_with_the_lease() -> None:
    async with a_house() as (house, tasks):
        running = tasks.create_task(house.one.desk.run())
        batch = await house.two.submit()
        await house.becomes(batch, BatchState.RUNNING)  # no time passes: it was told
        running.cancel()  # the lease is lost
        await asyncio.wait((running,))
        house.server.book.end("batch_1")
        running = tasks.create_task(house.two.desk.run())
        await house.becomes(batch, BatchState.DONE, LONGEST_REST_S)
        running.cancel()
        await asyncio.wait((running,))
        again = await house.one.submit()
        running = tasks.create_task(house.one.desk.run())  # a second time
        await house.becomes(again, BatchState.RUNNING)
        running.cancel()


async def test_who_asks_to_cancel_elsewhere_wakes_it() -> None:
    async with a_house() as (house, tasks):
        running = tasks.create_task(house.one.desk.run())
        batch = await house.two.submit()
        await house.becomes(batch, BatchState.RUNNING)
        await house.clock.asleep()
        await house.two.desk.cancel(batch.id)
        await house.until(lambda: "cancel" in house.server.calls)
        await house.becomes(batch, BatchState.CANCELED, LONGEST_REST_S)
        running.cancel()


async def test_news_that_was_lost_costs_a_look() -> None:
    async with a_house() as (house, tasks):
        running = tasks.create_task(house.one.desk.run())
        await house.clock.asleep()
        house.one.desk.heard = lambda batch_id: None  # type: ignore[method-assign]  # noqa: ARG005 - its name
        batch = await house.two.submit()
        await house.becomes(batch, BatchState.RUNNING, FLEET_LOOK_S)
        running.cancel()


async def test_the_fleet_has_no_more_open_than_one_daemon_may() -> None:
    async with a_house() as (house, _):
        for number in range(MOST_OPEN):
            await (house.one, house.two)[number % 2].submit(f"k{number}")
        full = await house.two.desk.submit(house.two.world.bot, [a_prompt(1)], "one more")
        assert isinstance(full, NotOpened)
        assert full.kind == "busy"
