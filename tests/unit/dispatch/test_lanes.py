"""Order: strictly one after the other inside a lane, side by side across lanes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from runner.dispatch import lanes
from runner.dispatch.lanes import BROKEN_WAIT_MS, Lanes
from runner.errors import StoreError
from runner.ports.mail import ConversationState, FinishedTurn, NewInbound, Work
from runner.ports.observer import Fault
from runner.ports.stores import LaneSession
from runner.store.memory import MemoryStore
from runner.testing.clock import ManualClock
from runner.testing.observer import RecordingObserver
from runner.testing.roster import FakeRoster
from runner.testing.scenes import a_bot


@dataclass
class World:
    """Lanes with a handler that waits for the test's word where it is told to."""

    store: MemoryStore
    clock: ManualClock
    observer: RecordingObserver
    roster: FakeRoster
    tasks: asyncio.TaskGroup
    faults: list[str] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    gates: dict[str, asyncio.Event] = field(default_factory=dict)
    troubles: dict[str, list[Exception]] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def lanes(self, max_lanes: int = 10) -> Lanes:
        made = Lanes(
            self.store, self.roster, self.handle, self.clock, self.observer, self.tasks, max_lanes=max_lanes
        )
        self.made = made
        return made

    async def accept(self, lane: str, text: str, *, wake: bool = True) -> None:
        """A message comes in; its event id is what `begun` and `done` show."""
        await self.store.accept(NewInbound("bot", "chat", "", text, lane, text, self.clock.now_ms()))
        self.made.accepted("bot")
        if wake:
            self.made.wake(lane)

    async def handle(self, work: Work, session: LaneSession) -> None:
        self.begun.append(work.payload)
        self._ring()
        if work.payload in self.gates:
            await self.gates[work.payload].wait()
        if self.troubles.get(work.payload):
            raise self.troubles[work.payload].pop()
        await session.finish(
            FinishedTurn(
                work.inbox_id,
                work.turn,
                work.bot,
                work.channel,
                work.lane,
                "ada",
                ConversationState(f"c{work.inbox_id}", 0, 0),
                "answered",
                self.clock.now_ms(),
            ),
        )
        self.done.append(work.payload)
        self._ring()

    async def until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            await self.changed.wait()

    def gate(self, text: str) -> asyncio.Event:
        self.gates[text] = asyncio.Event()
        return self.gates[text]

    def _ring(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(lanes, "LOOK_AGAIN_S", 0.005)  # the watch waits in real time
    faults: list[str] = []

    def before(method: str) -> None:
        if method in faults:
            faults.remove(method)
            raise StoreError("the disk is full")

    store, roster = MemoryStore(before), FakeRoster()
    roster.add(a_bot())
    await store.open()
    async with asyncio.TaskGroup() as tasks:
        made = World(store, ManualClock(instant_s=0.05), RecordingObserver(), roster, tasks, faults)
        yield made
        for gate in made.gates.values():
            gate.set()


Watched = Callable[[Lanes], Awaitable[None]]


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    """Run a watch until the test is over."""
    running: list[asyncio.Task[None]] = []

    async with asyncio.TaskGroup() as tasks:

        async def watch(those: Lanes) -> None:
            running.append(tasks.create_task(those.watch(), name="watch"))

        yield watch
        for task in running:
            task.cancel()


async def test_in_order_inside_a_lane(world: World) -> None:
    world.lanes()
    gate = world.gate("1")
    for text in ("1", "2", "3"):
        await world.accept("a", text)
    await world.until(lambda: world.begun == ["1"])
    assert world.done == []
    gate.set()
    await world.until(lambda: len(world.done) == 3)
    assert world.begun == world.done == ["1", "2", "3"]


async def test_side_by_side_across_lanes(world: World) -> None:
    world.lanes()
    world.gate("slow")
    await world.accept("a", "slow")
    await world.accept("b", "quick")
    await world.until(lambda: world.done == ["quick"])
    assert world.begun[0] == "slow"


async def test_a_message_that_comes_while_its_lane_ends_is_not_left(world: World) -> None:
    those = world.lanes()
    for number in range(50):
        await world.accept("a", str(number))
        await world.until(lambda n=number: len(world.done) == n + 1)  # type: ignore[misc]
    assert world.done == [str(number) for number in range(50)]
    assert those.waiting("bot") == 0


async def test_no_more_lanes_than_allowed_and_the_rest_is_found(world: World, watched: Watched) -> None:
    those = world.lanes(max_lanes=2)
    gates = [world.gate(f"{lane}1") for lane in "abcd"]
    for lane in "abcd":
        await world.accept(lane, f"{lane}1")
    await watched(those)
    await world.until(lambda: len(world.begun) == 2)
    assert those.running == 2
    gates[1].set()
    await world.until(lambda: len(world.begun) == 3)
    assert those.running <= 2
    for gate in gates:
        gate.set()
    await world.until(lambda: len(world.done) == 4)
    assert sorted(world.done) == ["a1", "b1", "c1", "d1"]


async def test_an_overflow_is_worked_off_without_a_pause(
    world: World, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As each lane ends the next is looked for, not only every few seconds."""
    monkeypatch.setattr(lanes, "LOOK_AGAIN_S", 3600)
    those = world.lanes(max_lanes=1)
    for number in range(5):
        await world.accept(f"lane {number}", str(number), wake=False)
    await watched(those)
    await world.until(lambda: len(world.done) == 5)
    assert world.done == ["0", "1", "2", "3", "4"], "the oldest message first"


async def test_what_nobody_told_of_is_found(world: World, watched: Watched) -> None:
    """After a start: the store knows, memory knows nothing."""
    those = world.lanes()
    for lane in "ab":
        await world.accept(lane, lane, wake=False)
    await watched(those)
    await world.until(lambda: len(world.done) == 2)


async def test_a_store_s_fault_is_waited_out_inside_the_lane(world: World) -> None:
    world.lanes()
    world.troubles["1"] = [StoreError("full"), StoreError("full")]
    await world.accept("a", "1")
    await world.accept("a", "2")
    for _ in range(2):
        await world.clock.asleep()
        assert world.done == []
        world.clock.advance(0.5)
    await world.until(lambda: len(world.done) == 2)
    assert world.begun == ["1", "1", "1", "2"]
    assert len(world.observer.of(Fault)) == 2


async def test_a_message_that_cannot_be_begun_is_put_off_and_ends_no_other_lane(
    world: World, watched: Watched
) -> None:
    those = world.lanes()
    world.troubles["1"] = [RuntimeError("a bug")]
    await world.accept("a", "1")
    await world.observer.until(Fault)
    await world.accept("a", "2")
    await world.accept("b", "3")
    await world.until(lambda: world.done == ["3"])
    [fault] = world.observer.of(Fault)
    assert isinstance(fault.error, RuntimeError)
    world.clock.advance(BROKEN_WAIT_MS / 1000)
    await watched(those)
    await world.until(lambda: len(world.done) == 3)
    assert world.done == ["3", "1", "2"], "in order inside the lane all the same"


async def test_a_watch_outlives_a_failing_store(world: World, watched: Watched) -> None:
    those = world.lanes()
    await world.accept("a", "1", wake=False)
    world.faults += ["figures", "waiting_lanes"]
    await watched(those)
    for _ in range(2):
        await world.clock.asleep()
        world.clock.advance(0.5)
    await world.until(lambda: world.done == ["1"])


async def test_a_lane_that_another_holds_is_left_to_it(world: World) -> None:
    those = world.lanes()
    async with world.store.lane("a"):
        await world.accept("a", "1")
        await world.accept("b", "2")
        await world.until(lambda: world.done == ["2"])
    assert world.begun == ["2"]
    those.wake("a")
    await world.until(lambda: world.done == ["2", "1"])


async def test_a_stop_lets_a_turn_end_and_begins_no_other(world: World) -> None:
    those = world.lanes()
    gate = world.gate("1")
    await world.accept("a", "1")
    await world.accept("a", "2")
    await world.until(lambda: world.begun == ["1"])
    stopping = world.tasks.create_task(those.stop(30), name="stop")
    await world.accept("b", "3")
    gate.set()
    assert await stopping
    assert (world.done, those.running) == (["1"], 0)
    assert await world.store.waiting_lanes(["bot"], [], 10, world.clock.now_ms()) == ["a", "b"]


async def test_a_stop_parks_what_takes_too_long(world: World) -> None:
    those = world.lanes()
    world.gate("1")
    await world.accept("a", "1")
    await world.until(lambda: world.begun == ["1"])
    assert not await those.stop(0.01)
    assert world.done == []
    assert await world.store.waiting_lanes(["bot"], [], 10, world.clock.now_ms()) == ["a"]


async def test_a_stop_with_nothing_to_do(world: World) -> None:
    assert await world.lanes().stop(1)


async def test_what_is_for_a_bot_that_is_gone_stays_as_it_is_until_the_bot_returns(
    world: World, watched: Watched
) -> None:
    those = world.lanes()
    world.roster.remove("bot")
    await world.accept("a", "1")
    await watched(those)
    while those.running:
        await world.clock.sleep(0)
    assert (world.begun, those.waiting("bot")) == ([], 1)
    world.roster.add(a_bot())
    those.look()
    await world.until(lambda: world.done == ["1"])


async def test_the_end_of_the_turns_that_run_is_waited_for_and_of_no_others(world: World) -> None:
    those = world.lanes()
    gate, later = world.gate("1"), world.gate("2")
    await world.accept("a", "1")
    await world.until(lambda: world.begun == ["1"])
    await those.ended("another")
    waiting = world.tasks.create_task(those.ended("bot"), name="waiting")
    await world.clock.sleep(0)
    await world.accept("b", "2")
    await world.until(lambda: world.begun == ["1", "2"])
    assert not waiting.done()
    gate.set()
    await waiting
    assert world.done == ["1"]
    later.set()
