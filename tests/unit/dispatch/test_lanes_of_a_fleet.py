"""Lanes that other daemons may hold: who is told, who looks, and what is counted anew."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager

import pytest

from runner.dispatch import lanes
from runner.dispatch.lanes import COUNT_EVERY_S, ELSEWHERE_S, Lanes
from runner.errors import LaneLost
from runner.ports.fleet import News, NewsKind
from runner.ports.mail import NewInbound, Work
from runner.ports.observer import Fault
from runner.ports.stores import LaneSession
from runner.store.memory.fleet import MemoryFleet, MemoryMember
from runner.testing.clock import ManualClock
from runner.testing.observer import RecordingObserver
from runner.testing.roster import FakeRoster
from runner.testing.scenes import a_bot
from tests.unit.dispatch.lane_ends import finished


class Asked(MemoryMember):
    """Remembers which lanes it was told to leave out."""

    def __init__(self, fleet: MemoryFleet) -> None:
        super().__init__(fleet, "one", lambda _: None)
        self.excluded: list[Collection[str]] = []

    async def waiting_lanes(
        self, bots: Collection[str], exclude: Collection[str], limit: int, now_ms: int
    ) -> list[str]:
        self.excluded.append(exclude)
        return await super().waiting_lanes(bots, exclude, limit, now_ms)


class World:
    """One daemon's lanes, and the store as another daemon sees it."""

    def __init__(self, max_lanes: int, tasks: asyncio.TaskGroup) -> None:
        self.clock = ManualClock(instant_s=0.05)
        fleet = MemoryFleet(self.clock)
        self.store, self.other = Asked(fleet), fleet.join("two")
        self.roster, self.observer = FakeRoster(), RecordingObserver()
        self.roster.add(a_bot())
        self.lanes = Lanes(
            *(self.store, self.roster, self.handle, self.clock, self.observer, tasks), max_lanes=max_lanes
        )
        self.tasks = tasks
        self.done: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.trouble: Exception | None = None
        self.watching: asyncio.Task[None] | None = None

    async def handle(self, work: Work, session: LaneSession) -> None:
        await self.gate.wait()
        trouble, self.trouble = self.trouble, None
        if trouble is not None:
            raise trouble
        await session.finish(finished(work, self.clock.now_ms()))
        self.done.append(work.payload)

    async def accept(self, lane: str, text: str) -> None:
        await self.other.accept(NewInbound("bot", "chat", "", text, lane, text, self.clock.now_ms()))

    def watch(self) -> None:
        self.watching = self.tasks.create_task(self.lanes.watch())

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(60):
            while not holds():
                await asyncio.get_running_loop().run_in_executor(None, int)


@asynccontextmanager
async def a_world(max_lanes: int = 10) -> AsyncIterator[World]:
    async with asyncio.TaskGroup() as tasks:
        world = World(max_lanes, tasks)
        await world.store.open()
        await world.other.open()
        yield world
        world.gate.set()
        if world.watching is not None:
            world.watching.cancel()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "FLEET_LOOK_S", 0.005)  # the watch waits in real time


async def test_who_was_woken_for_a_lane_of_anothers_tells_it_and_leaves() -> None:
    async with a_world() as world:
        heard = aiter(world.other.ears.listen())
        await world.accept("bot|a", "one")
        async with world.other.lane("bot|a"):
            world.lanes.wake("bot|a")
            world.lanes.wake("bot|a")
            assert await anext(heard) == News(NewsKind.LANE, "bot|a", 1)
            await world.until(lambda: not world.lanes.running)
        assert world.done == []


async def test_what_was_heard_is_not_told_on_for_each_would_answer_the_other() -> None:
    async with a_world() as world:
        told: list[object] = []

        async def tell(news: object) -> None:
            told.append(news)
            if len(told) < 5:
                world.lanes.heard("bot|a")  # a third daemon tells of the same lane in the same moment

        assert world.store.fleet is not None
        world.store.fleet.tell = tell  # type: ignore[method-assign]
        await world.accept("bot|a", "one")
        async with world.other.lane("bot|a"):
            world.lanes.heard("bot|a")
            await world.until(lambda: not world.lanes.running)
            assert told == []
            world.lanes.wake("bot|a")
            await world.until(lambda: not world.lanes.running)
            assert told == [[News(NewsKind.LANE, "bot|a")]]


async def test_a_lane_that_was_only_found_is_left_without_a_word_and_not_asked_for_at_once() -> None:
    async with a_world() as world:
        told: list[object] = []

        async def tell(news: object) -> None:
            told.append(news)

        assert world.store.fleet is not None
        world.store.fleet.tell = tell  # type: ignore[method-assign]
        await world.accept("bot|a", "one")
        async with world.other.lane("bot|a"):
            world.watch()
            await world.until(lambda: ["bot|a"] in map(list, world.store.excluded))
            assert told == []
        looks = len(world.store.excluded)
        await world.until(lambda: len(world.store.excluded) > looks + 3)
        assert world.done == []
        world.clock.advance(ELSEWHERE_S)
        await world.until(lambda: world.done)


async def test_a_daemon_that_is_gone_leaves_its_lanes_at_once() -> None:
    async with a_world() as world:
        await world.accept("bot|a", "one")
        async with world.other.lane("bot|a"):
            world.watch()
            await world.until(lambda: ["bot|a"] in map(list, world.store.excluded))
        world.lanes.daemon_gone()
        await world.until(lambda: world.done)


async def test_what_is_heard_is_woken_or_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "FLEET_LOOK_S", 3600)
    async with a_world() as world:
        world.watch()
        await world.until(lambda: world.store.excluded)
        await world.accept("bot|a", "one")
        world.lanes.heard("bot|a")
        await world.until(lambda: world.done == ["one"])
        await world.accept("bot|b", "two")
        world.lanes.heard("")
        await world.until(lambda: world.done == ["one", "two"])


async def test_who_has_no_room_tells_of_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "FLEET_LOOK_S", 3600)
    async with a_world(max_lanes=1) as world:
        heard = aiter(world.other.ears.listen())
        world.gate.clear()
        await world.accept("bot|a", "one")
        await world.accept("bot|b", "two")
        world.watch()
        async with asyncio.timeout(60):
            assert (await anext(heard)).kind is NewsKind.WORK
        world.gate.set()
        await world.until(lambda: len(world.done) == 2)


async def test_a_lane_that_another_has_had_is_left_without_a_fault() -> None:
    async with a_world() as world:
        await world.accept("bot|a", "one")
        world.trouble = LaneLost("another daemon has had the lane")
        world.lanes.wake("bot|a")
        await world.until(lambda: world.trouble is None and not world.lanes.running)
        assert world.observer.of(Fault) == []
        assert world.clock.sleeps == []
        world.watch()  # nobody has it now
        await world.until(lambda: world.done == ["one"])


async def test_what_waits_is_counted_anew_since_others_end_it_too() -> None:
    async with a_world() as world:
        async with world.other.lane("bot|a") as session:
            assert session is not None
            await world.accept("bot|a", "one")
            world.watch()
            await world.until(lambda: world.lanes.waiting("bot") == 1)
            work = await session.next(world.clock.now_ms())
            assert work is not None
            await session.finish(finished(work, world.clock.now_ms()))
        world.clock.advance(COUNT_EVERY_S)
        await world.until(lambda: world.lanes.waiting("bot") == 0)
