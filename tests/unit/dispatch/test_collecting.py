"""Answers that are collected here and made elsewhere: remembered, looked for, and forgotten in the end."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from adapters.contract import Capabilities
from adapters.testing.fake import FakeAdapter
from runner.dispatch import collecting
from runner.dispatch.collecting import LOOK_AGAIN_S, PATIENCE_S, SOON_S, Collecting
from runner.errors import StoreError
from runner.money.amounts import Money
from runner.ports.fleet import News, NewsKind
from runner.ports.observer import Fault, MessageAccepted, TurnFinished
from runner.store.memory.fleet import MemoryFleet
from runner.testing.clock import ManualClock
from runner.testing.observer import RecordingObserver
from runner.testing.roster import FakeRoster
from runner.testing.scenes import a_bot


class Desk:
    """Hands out what is answered."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        fleet = MemoryFleet(self.clock)
        self.member, self.other = fleet.join("one"), fleet.join("two")
        assert self.member.fleet is not None
        self.observer, roster = RecordingObserver(), FakeRoster()
        roster.add(a_bot(), FakeAdapter(Capabilities(collects=True)))
        roster.add(a_bot("posting"), FakeAdapter())
        self.collecting = Collecting(self.member.fleet, roster, self.clock, self.observer)
        self.answered: set[int] = set()
        self.asked: list[int] = []
        self.faults: list[Exception] = []
        self.changed = asyncio.Event()

    async def hand_out(self, bot: str, channel: str, inbox_id: int) -> bool:
        assert (bot, channel) == ("bot", "chat")
        self.asked.append(inbox_id)
        self.changed.set()
        self.changed = asyncio.Event()
        if self.faults:
            raise self.faults.pop()
        return inbox_id in self.answered

    async def asks(self, count: int) -> Sequence[int]:
        while len(self.asked) < count:
            await self.changed.wait()
        return self.asked

    def accept(self, *ids: int, bot: str = "bot", fresh: bool = True) -> None:
        for inbox_id in ids:
            self.collecting.note(MessageAccepted(bot, "chat", f"t{inbox_id}", fresh))

    def finish(self, turn: str, bot: str = "bot") -> None:
        self.collecting.note(TurnFinished(bot, "chat", "c", turn, "answered", 1, 0, Money(0), 5))

    async def looks(self, seconds: float = LOOK_AGAIN_S) -> None:
        await self.clock.asleep()
        self.clock.advance(seconds)
        for _ in range(5):
            await self.clock.sleep(0)
        await self.clock.asleep()


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with working() as made:
        yield made


@asynccontextmanager
async def working() -> AsyncIterator[Desk]:
    made = Desk()
    await made.member.open()
    await made.other.open()
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(made.collecting.run(made.hand_out))
        yield made
        running.cancel()


async def test_a_turn_that_ends_here_is_forgotten_or_told(desk: Desk) -> None:
    heard = aiter(desk.other.ears.listen())
    desk.accept(1)
    desk.finish("t1")
    desk.finish("t2")  # accepted elsewhere
    assert await anext(heard) == News(NewsKind.ANSWERED, "2", 1)
    assert desk.collecting.awaited == 0
    assert desk.asked == []


async def test_what_is_heard_is_handed_out_if_it_was_remembered(desk: Desk) -> None:
    desk.accept(1, 2)
    desk.answered.add(2)
    for text in ("2", "3", "", "x"):
        desk.collecting.heard(text)
    assert await desk.asks(1) == [2]
    await desk.looks()
    assert desk.asked == [2, 1]  # the other one was looked for
    assert desk.collecting.awaited == 1


async def test_what_takes_long_is_looked_for_until_nobody_can_wait_any_more(desk: Desk) -> None:
    desk.accept(1)
    for _ in range(3):
        await desk.looks()
    assert desk.asked == [1] * 3
    desk.clock.advance(PATIENCE_S)
    await desk.looks()
    assert desk.asked == [1] * 3
    assert desk.collecting.awaited == 0


async def test_what_came_a_second_time_is_looked_for_soon(desk: Desk) -> None:
    desk.accept(1)
    desk.accept(2, fresh=False)
    await desk.looks(SOON_S)
    assert desk.asked == [2]
    await desk.looks(2 * SOON_S)
    assert desk.asked == [2, 2]


async def test_channels_that_collect_nothing_are_not_minded(desk: Desk) -> None:
    desk.accept(1, bot="posting")
    desk.accept(2, bot="gone")
    desk.finish("t9", bot="posting")
    desk.finish("t3.d1")
    await desk.looks()
    assert (desk.collecting.awaited, desk.asked) == (0, [])


async def test_a_store_that_fails_is_asked_again_and_a_broken_adapter_is_not(desk: Desk) -> None:
    desk.accept(1)
    desk.faults = [ValueError("a bug"), StoreError("locked")]
    await desk.looks()
    assert (desk.collecting.awaited, desk.observer.of(Fault)) == (1, [])
    await desk.looks()
    assert desk.collecting.awaited == 0
    assert [fault.where for fault in desk.observer.of(Fault)] == ["send"]


async def test_no_more_are_remembered_than_may_be_and_all_have_their_turn(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "MOST", 4)
    monkeypatch.setattr(collecting, "AT_ONCE", 2)
    desk.accept(1, 2, 3, 4, 5)
    assert desk.collecting.awaited == 4
    for _ in range(2):
        await desk.looks()
    assert sorted(desk.asked) == [2, 3, 4, 5]
