"""A batch is killed before and after every call of its store and its provider: no line is paid twice or forgotten."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.clock import SystemClock
from runner.money.amounts import Money
from runner.money.reservation import ReservationState
from runner.ports.batches import Batch, BatchState, Kept
from runner.ports.stores import Store
from runner.store.catalogue import open_store
from runner.testing.batch_server import FakeBatchServer
from runner.testing.clock import ManualClock
from runner.testing.model_batches import CutOff, Expired
from runner.testing.model_script import Drop, Fault, Say
from tests.unit.agent.batch_world import FINAL, BatchWorld, Doom, Killed, a_prompt

pytestmark = pytest.mark.faults

LINES = 3
PROMPTS = [a_prompt(number) for number in range(1, LINES + 1)]


@dataclass(frozen=True)
class Story:
    """What happens to a batch beside the kill."""

    name: str
    end: BatchState
    runs: bool = True
    marks: bool = True
    cancel_in: BatchState | None = None
    trouble: Callable[[FakeBatchServer], None] = lambda _: None


def refuse(server: FakeBatchServer) -> None:
    server.book.script("submit", *[Fault(400)] * 9)


def unheard(server: FakeBatchServer) -> None:
    server.book.script("submit", CutOff())
    server.book.script("results", CutOff(lines=1))


def lost(server: FakeBatchServer) -> None:
    server.book.script("submit", Drop())


def invalid(server: FakeBatchServer) -> None:
    server.book.invalid = "odd"


def mixed(server: FakeBatchServer) -> None:
    server.book.fates = {"b0-1": Expired(), "b0-2": Say("well", tells_usage=False)}


STORIES = [
    Story("plain", BatchState.DONE),
    Story("without marks", BatchState.DONE, marks=False),
    Story("mixed", BatchState.DONE, trouble=mixed),
    Story("unheard", BatchState.DONE, trouble=unheard),
    Story("unheard, without marks", BatchState.DONE, marks=False, trouble=unheard),
    Story("lost", BatchState.DONE, marks=False, trouble=lost),
    Story("refused", BatchState.FAILED, runs=False, trouble=refuse),
    Story("invalid", BatchState.FAILED, runs=False, trouble=invalid),
    Story("canceled while held", BatchState.CANCELED, runs=False, cancel_in=BatchState.HELD),
    Story("canceled while running", BatchState.CANCELED, cancel_in=BatchState.RUNNING),
]


class House:
    """A world whose process may die: `kills` are boundaries, each of the life that the one before began."""

    def __init__(self, story: Story, reopen: Callable[[], Awaitable[Store]], kills: list[int]) -> None:
        self.story = story
        self.reopen = reopen
        self.kills = kills
        clock = ManualClock()
        self.server = FakeBatchServer(clock, keeps_marks=story.marks)
        self.server.book.looks = 2
        story.trouble(self.server)
        self.clock = clock
        self.doom = Doom()
        self.died = 0

    async def live(self) -> Batch:
        """From nothing to the end of the batch, over as many deaths as are due."""
        while True:
            store = await self.reopen()
            await store.recover()
            self.doom.passed, self.doom.at = 0, self.kills[self.died] if self.died < len(self.kills) else 0
            self.doom.armed = True
            world = BatchWorld(store, self.server, self.clock, self.doom)
            if story_cap := self.cap():
                world.roster.caps["bot"] = story_cap
            try:
                return await self.see_through(world)
            except Killed:
                self.died += 1
            finally:
                self.doom.armed = False
                await self.check(world)
                await store.close()

    def cap(self) -> Money:
        """What the bot may spend: what its batch takes, and not a pico-dollar more."""
        return Money(self.most)

    most = 0

    async def see_through(self, world: BatchWorld) -> Batch:
        opened = await world.open(PROMPTS, f"b{self.died}", "key")
        assert isinstance(opened, Kept)
        batch = opened.batch
        for _ in range(60):
            if not batch.is_open:
                return batch
            if batch.state is self.story.cancel_in and not batch.cancel:
                await world.store.batches.ask_cancel(batch.id)
                batch = await world.known(batch.id)
            batch = await world.step(batch)
        raise AssertionError(f"{batch} does not end")

    async def check(self, world: BatchWorld) -> None:
        """Whatever has happened so far: the books are right, and nobody spent more than was held."""
        rows = await world.rows()
        assert len(rows) in (0, LINES)
        assert sum(row.cost for row in rows) <= (self.most or 10**18)
        for row in rows:
            assert row.cost <= row.hold


async def lived(story: Story, reopen: Callable[[], Awaitable[Store]], kills: list[int]) -> House:
    """One whole life with these deaths, checked at its end."""
    house = House(story, reopen, kills)
    batch = await house.live()
    store = await reopen()
    world = BatchWorld(store, house.server, house.clock)
    rows = await world.rows()
    assert batch.state is story.end, batch
    assert all(row.state in FINAL for row in rows)
    assert await store.batches.open_batches() == []
    assert [each.id for each in await store.batches.batches(None, 9)] == [batch.id]
    settled = [row for row in rows if row.state is ReservationState.SETTLED]
    unknown = [row for row in rows if row.state is ReservationState.UNKNOWN]
    told = [bill for bill in house.server.bill if bill.answered]
    # The bill of the provider is the ledger: each line ran once, and none without its row.
    assert len(house.server.bill) == len(settled) + len(unknown)
    assert len(house.server.bill) <= LINES
    if not unknown:
        assert sum(row.cost for row in settled) == world.billed()
        assert len(told) == len(settled)
    assert bool(house.server.bill) == story.runs or story.cancel_in is not None
    ends = await store.batches.line_ends(batch.id, 0, 9)
    assert [end.custom_id for end in ends] == [prompt.custom_id for prompt in PROMPTS]
    assert [bool(end.reply) for end in ends] == [row.state is not ReservationState.RELEASED for row in rows]
    await store.close()
    return house


def kept_in_memory() -> Callable[[], Awaitable[Store]]:
    only = open_store("memory:", Path(), SystemClock())

    async def reopen() -> Store:
        await only.open()
        return only

    return reopen


def kept_in_a_file(folder: Path) -> Callable[[], Awaitable[Store]]:
    async def reopen() -> Store:
        store = open_store("sqlite:store.db", folder, SystemClock())
        await store.open()
        return store

    return reopen


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
async def test_a_kill_at_every_boundary(story: Story) -> None:
    undisturbed = await lived(story, kept_in_memory(), [])
    assert undisturbed.doom.passed > 8
    for boundary in range(1, undisturbed.doom.passed + 1):
        house = await lived(story, kept_in_memory(), [boundary])
        assert house.died == 1


@pytest.mark.parametrize(("story", "first"), [(STORIES[0], 1), (STORIES[4], 3)], ids=["plain", "unheard"])
async def test_a_kill_at_every_other_call_with_a_file(story: Story, first: int, tmp_path: Path) -> None:
    """Before the call: on its far side the store in memory has shown all there is."""
    (tmp_path / "0").mkdir()
    undisturbed = await lived(story, kept_in_a_file(tmp_path / "0"), [])
    for boundary in range(first, undisturbed.doom.passed + 1, 4):
        folder = tmp_path / f"{boundary}"
        folder.mkdir()
        house = await lived(story, kept_in_a_file(folder), [boundary])
        assert house.died == 1


@given(st.sampled_from(STORIES), st.lists(st.integers(1, 30), max_size=6))
@settings(max_examples=60)
async def test_many_kills(story: Story, kills: list[int]) -> None:
    await lived(story, kept_in_memory(), kills)


async def test_money_for_the_batch_and_not_a_pico_dollar_more() -> None:
    """A cap of exactly what is held: whoever held twice, or kept what is over, would be refused or seen."""
    first = await lived(STORIES[0], kept_in_memory(), [])
    for boundary in range(1, first.doom.passed + 1):
        reopen = kept_in_memory()
        house = House(STORIES[0], reopen, [boundary])
        probe = BatchWorld(await kept_in_memory()(), FakeBatchServer(house.clock), house.clock)
        house.most = (await probe.opened(LINES)).held
        assert (await house.live()).state is BatchState.DONE
