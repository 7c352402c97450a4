"""Runs by the clock: each once, over restarts and jumps of the calendar; what cannot be run is said."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.bots import Bot, Schedule
from runner.clock import MS_PER_DAY
from runner.dispatch.batches import BatchDesk
from runner.dispatch.schedules import LOOK_EVERY_S, TOO_LATE_MS, Schedules, latest_due
from runner.errors import StoreError
from runner.money.amounts import Money
from runner.ports.batches import BatchState
from runner.ports.observer import Fault
from runner.store.memory import MemoryStore
from runner.testing.batch_server import FakeBatchServer
from runner.testing.clock import ManualClock
from runner.testing.scenes import a_bot
from tests.unit.agent.batch_world import BatchWorld

HOUR = 3_600_000
MIDNIGHT = 20_833 * MS_PER_DAY
NIGHTLY = Schedule("digest", "prompts/digest.jsonl", MS_PER_DAY, 2 * HOUR + HOUR // 2)
OFTEN = Schedule("inbox", "inbox.jsonl", 6 * HOUR)
GOOD = b'{"custom_id": "a", "prompt": "x"}\n{"custom_id": "b", "prompt": "y"}\n'


@dataclass
class Calendar:
    """Schedules over a store that outlives them."""

    world: BatchWorld
    faults: list[str]
    files: dict[str, bytes] = field(default_factory=lambda: {NIGHTLY.prompts: GOOD, OFTEN.prompts: GOOD})
    read: list[str] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """A process begins."""
        world = self.world
        new_id: Callable[[], str] = lambda: f"{next(self.numbers):016d}"  # noqa: E731 - as app hands it in
        batches = world.store.batches
        desk = BatchDesk(world.opener, world.meter, batches, world.clock, world.observer, new_id)
        self.schedules = Schedules(desk, batches, world.roster, self._read, world.clock, world.observer)

    def _read(self, name: str) -> bytes:
        self.read.append(name)
        if name not in self.files:
            raise FileNotFoundError(2, "No such file or directory")
        return self.files[name]

    def bot(self, *schedules: Schedule, **changes: Any) -> Bot:
        self.world.bot = self.world.roster.add(a_bot(schedule=schedules, **changes))
        return self.world.bot

    async def at(self, ms: int) -> list[str]:
        """Look at that time; the keys of all batches so far, the oldest first."""
        self.world.clock.set_wall(ms)
        await self.schedules.look()
        batches = await self.world.store.batches.batches(None, 99)
        return [batch.key for batch in reversed(batches)]


@pytest.fixture
async def calendar() -> Calendar:
    faults: list[str] = []

    def before(method: str) -> None:
        if method in faults:
            faults.remove(method)
            raise StoreError("the disk is full")

    store, clock = MemoryStore(before), ManualClock(MIDNIGHT)
    await store.open()
    return Calendar(BatchWorld(store, FakeBatchServer(clock), clock), faults)


async def test_a_run_is_made_at_its_time_and_once(calendar: Calendar) -> None:
    calendar.bot(NIGHTLY)
    assert await calendar.at(MIDNIGHT) == []
    assert await calendar.at(MIDNIGHT + 2 * HOUR) == []
    key = "bot/digest@2027-01-15T02:30:00.000Z"
    assert await calendar.at(MIDNIGHT + 3 * HOUR) == [key]
    calendar.begin()
    assert await calendar.at(MIDNIGHT + 4 * HOUR) == [key]
    [batch] = await calendar.world.store.batches.batches("bot", 9)
    assert (batch.label, batch.lines, batch.state) == ("digest", 2, BatchState.HELD)
    assert await calendar.at(MIDNIGHT + 27 * HOUR) == [key, key.replace("15T", "16T")]
    assert calendar.read == [NIGHTLY.prompts] * 2


async def test_a_schedule_that_is_new_begins_now(calendar: Calendar) -> None:
    calendar.bot(NIGHTLY, OFTEN)
    assert await calendar.at(MIDNIGHT + 3 * HOUR) == []
    assert await calendar.at(MIDNIGHT + 5 * HOUR) == []
    assert await calendar.at(MIDNIGHT + 6 * HOUR) == ["bot/inbox@2027-01-15T06:00:00.000Z"]


async def test_of_runs_that_were_missed_the_latest_is_made_up_for(calendar: Calendar) -> None:
    calendar.bot(NIGHTLY, OFTEN)
    await calendar.at(MIDNIGHT)
    calendar.begin()
    day = "2027-01-17T"
    later = MIDNIGHT + 2 * MS_PER_DAY + 13 * HOUR
    assert await calendar.at(later) == [f"bot/digest@{day}02:30:00.000Z", f"bot/inbox@{day}12:00:00.000Z"]
    assert len(await calendar.at(later + HOUR)) == 2


async def test_what_is_too_late_is_left_out_and_said(calendar: Calendar) -> None:
    calendar.bot(NIGHTLY)
    await calendar.at(MIDNIGHT)
    assert await calendar.at(MIDNIGHT + NIGHTLY.offset_ms + TOO_LATE_MS + 1) == []
    assert await calendar.at(MIDNIGHT + NIGHTLY.offset_ms + TOO_LATE_MS) == []
    [told] = calendar.world.observer.of(Fault)
    assert "too late" in told.why


async def test_a_crash_between_the_batch_and_the_note_of_it_doubles_nothing(calendar: Calendar) -> None:
    calendar.bot(NIGHTLY)
    await calendar.at(MIDNIGHT)
    calendar.faults.append("batches.set_last_run")
    assert len(await calendar.at(MIDNIGHT + 3 * HOUR)) == 1
    calendar.begin()
    assert len(await calendar.at(MIDNIGHT + 3 * HOUR + 1)) == 1
    assert await calendar.world.store.batches.last_run("bot", "digest") == MIDNIGHT + NIGHTLY.offset_ms


async def test_a_store_that_fails_is_asked_again(calendar: Calendar) -> None:
    calendar.bot(NIGHTLY)
    await calendar.at(MIDNIGHT)
    calendar.faults.append("batches.add")
    assert await calendar.at(MIDNIGHT + 3 * HOUR) == []
    assert len(await calendar.at(MIDNIGHT + 3 * HOUR + 1)) == 1


async def test_a_calendar_that_was_far_ahead_forgets_no_run(calendar: Calendar) -> None:
    calendar.bot(NIGHTLY)
    await calendar.at(MIDNIGHT)
    ahead = await calendar.at(MIDNIGHT + 400 * MS_PER_DAY + 3 * HOUR)
    assert len(ahead) == 1
    assert await calendar.at(MIDNIGHT + HOUR) == ahead
    assert len(await calendar.at(MIDNIGHT + 3 * HOUR)) == 2


async def test_a_calendar_that_is_set_back_a_little_doubles_no_run(calendar: Calendar) -> None:
    calendar.bot(NIGHTLY)
    await calendar.at(MIDNIGHT)
    for hours in (3, 1, 2, 3, 4):
        await calendar.at(MIDNIGHT + hours * HOUR)
    assert len(await calendar.at(MIDNIGHT + 5 * HOUR)) == 1


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (None, "prompts/digest.jsonl cannot be read: No such file or directory"),
        (b"odd", "prompts/digest.jsonl:1: must be a JSON object in UTF-8"),
        (b'{"custom_id": "a"}', "prompts/digest.jsonl:1: needs either a prompt or messages"),
        (b"", "prompts/digest.jsonl: there are no lines"),
        (
            b'{"custom_id": "a", "prompt": "x", "max_tokens": 99999}',
            "prompts/digest.jsonl:1: max_tokens: must not be more than the bot's max_tokens_per_turn (8192)",
        ),
    ],
)
async def test_a_file_that_cannot_be_used_is_remembered_and_said_once(
    calendar: Calendar, data: bytes | None, why: str
) -> None:
    calendar.bot(NIGHTLY)
    calendar.files = {} if data is None else {NIGHTLY.prompts: data}
    await calendar.at(MIDNIGHT)
    for minutes in range(3):
        assert len(await calendar.at(MIDNIGHT + 3 * HOUR + minutes)) == 1
    [batch] = await calendar.world.store.batches.batches(None, 9)
    assert (batch.state, batch.why, batch.label) == (BatchState.REFUSED, why, "digest")
    assert [told.why for told in calendar.world.observer.of(Fault)] == [f"digest: {why}"]


async def test_a_run_without_money_is_refused_and_one_that_waits_for_it_is_tried_again(
    calendar: Calendar,
) -> None:
    calendar.bot(NIGHTLY, OFTEN)
    await calendar.at(MIDNIGHT)
    first = await calendar.world.opened(1, "x")
    calendar.world.roster.caps["bot"] = Money(first.held * 5 // 2)
    await calendar.at(MIDNIGHT + 3 * HOUR)
    assert len(await calendar.world.store.batches.batches(None, 9)) == 1
    calendar.world.roster.caps["bot"] = Money(first.held * 4)
    await calendar.at(MIDNIGHT + 3 * HOUR + 1)
    calendar.world.roster.caps["bot"] = Money(10)
    await calendar.at(MIDNIGHT + 6 * HOUR)
    latest = await calendar.world.store.batches.batches(None, 9)
    assert [batch.state for batch in latest] == [BatchState.REFUSED, BatchState.HELD, BatchState.HELD]


async def test_it_looks_again_and_again_and_a_bot_that_left_has_no_runs(calendar: Calendar) -> None:
    bot = calendar.bot(NIGHTLY)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(calendar.schedules.run(), name="schedules")
        await calendar.world.clock.asleep()
        calendar.world.clock.advance(3 * HOUR / 1000)
        await calendar.world.clock.asleep()
        assert len(await calendar.world.store.batches.batches(None, 9)) == 1
        calendar.world.roster.remove(bot.id)
        calendar.world.clock.advance(24 * HOUR / 1000)
        await calendar.world.clock.asleep()
        assert len(await calendar.world.store.batches.batches(None, 9)) == 1
        running.cancel()
    assert set(calendar.world.clock.sleeps) == {LOOK_EVERY_S}


@given(st.integers(1, 1000), st.integers(0, 10**9), st.integers(0, 2**41))
def test_the_latest_time_is_the_latest(minutes: int, offset: int, now_ms: int) -> None:
    schedule = replace(OFTEN, period_ms=minutes * 60_000, offset_ms=offset % (minutes * 60_000))
    due = latest_due(schedule, now_ms)
    assert due <= now_ms < due + schedule.period_ms
    assert (due - schedule.offset_ms) % schedule.period_ms == 0
