"""The batch desk: one task a batch, rests that grow, and a stop that waits for what is under way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from runner.agent.batch_meter.opening import NotOpened
from runner.dispatch.batches import FIRST_REST_S, LONGEST_REST_S, MOST_OPEN, BatchDesk
from runner.errors import StoreError
from runner.ports.batches import Batch, BatchState, Kept
from runner.ports.observer import Fault
from runner.store.memory import MemoryStore
from runner.testing.batch_server import FakeBatchServer
from runner.testing.clock import ManualClock
from runner.testing.model_script import Fault as Trouble
from runner.testing.model_script import Hang
from tests.unit.agent.batch_world import BatchWorld, a_prompt


@dataclass
class Office:
    """A desk at work."""

    desk: BatchDesk
    world: BatchWorld
    faults: list[str]
    running: asyncio.Task[None]

    async def submit(self, **changes: Any) -> Batch:
        kept = await self.desk.submit(self.world.bot, [a_prompt(1), a_prompt(2)], **changes)
        assert isinstance(kept, Kept)
        return kept.batch

    async def rests(self) -> float:
        """For how long the desk's batch rests now."""
        await self.world.clock.asleep()
        return self.world.clock.sleeps[-1]

    async def until(self, name: str, *states: BatchState) -> Batch:
        """Let time pass until it is so far."""
        while (batch := await self.world.known(name)).state not in states:
            if self.world.clock.sleeping:
                self.world.clock.advance(LONGEST_REST_S)
            await asyncio.get_running_loop().run_in_executor(None, int)
        return batch


@asynccontextmanager
async def an_office(store: MemoryStore | None = None) -> AsyncIterator[Office]:
    faults: list[str] = []

    def before(method: str) -> None:
        if method in faults:
            faults.remove(method)
            raise StoreError("the disk is full")

    clock, kept = ManualClock(), store or MemoryStore(before)
    await kept.open()
    world = BatchWorld(kept, FakeBatchServer(clock), clock)
    numbers = iter(range(10**6))
    desk = BatchDesk(
        world.opener,
        world.meter,
        kept.batches,
        clock,
        world.observer,
        lambda: f"{id(world):x}{next(numbers):016d}"[-16:],
    )
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(desk.run(), name="batches")
        yield Office(desk, world, faults, running)
        running.cancel()


async def test_a_batch_is_seen_through_with_rests_that_grow() -> None:
    async with an_office() as office:
        office.world.server.book.looks = None
        batch = await office.submit()
        rests = []
        for _ in range(6):
            rests.append(await office.rests())
            office.world.clock.advance(rests[-1])
        assert rests == [FIRST_REST_S, 10, 20, 40, LONGEST_REST_S, LONGEST_REST_S]
        await office.world.clock.asleep()
        office.world.server.book.end("batch_1")
        office.world.clock.advance(LONGEST_REST_S)
        assert (await office.until(batch.id, BatchState.DONE)).reached == 2
        assert office.world.observer.of(Fault) == []


async def test_whoever_cancels_wakes_it() -> None:
    async with an_office() as office:
        office.world.server.book.looks = None
        batch = await office.submit()
        await office.rests()
        canceled = await office.desk.cancel(batch.id)
        assert canceled is not None
        assert canceled.cancel
        assert await office.desk.cancel("b9") is None
        while "cancel" not in office.world.server.calls:  # no time passes: it was woken
            await asyncio.get_running_loop().run_in_executor(None, int)
        await office.until(batch.id, BatchState.CANCELED)


async def test_a_start_takes_up_what_is_open() -> None:
    store = MemoryStore()
    async with an_office(store) as office:
        office.world.server.book.looks = None
        first, second = await office.submit(), await office.submit(key="k")
        await office.world.clock.asleep(2)
        server = office.world.server
    async with an_office(store) as later:
        later.world.server.book.made.update(server.book.made)
        for remote in list(server.book.made):
            later.world.server.book.end(remote)
        for batch in (first, second):
            await later.until(batch.id, BatchState.DONE)
        again = await later.desk.submit(later.world.bot, [a_prompt(1)], key="k")
        assert isinstance(again, Kept)
        assert (again.fresh, again.batch.id) == (False, second.id)


async def test_what_fails_is_told_and_tried_again() -> None:
    async with an_office() as office:
        office.faults += ["batches.batch", "batches.save"]
        batch = await office.submit()
        while len(office.world.observer.of(Fault)) < 2:
            await office.rests()
            office.world.clock.advance(FIRST_REST_S)
            await asyncio.get_running_loop().run_in_executor(None, int)
        assert (await office.until(batch.id, BatchState.DONE)).why == ""
        assert {told.why for told in office.world.observer.of(Fault)} == {"the disk is full"}


async def test_a_client_that_breaks_ends_no_other_batch() -> None:
    async with an_office() as office:
        broken = office.world.shelf.server
        bug: Any = object()
        office.world.shelf.server = bug
        batch = await office.submit()
        await office.rests()
        [told] = office.world.observer.of(Fault)
        assert (told.turn, told.bot, told.error is not None) == (batch.id, "bot", True)
        office.world.shelf.server = broken
        state = (await office.world.known(batch.id)).state
        assert state is BatchState.SUBMITTING


async def test_a_stop_waits_for_what_is_under_way() -> None:
    async with an_office() as office:
        office.world.server.book.script("submit", Hang())
        batch = await office.submit()
        await office.rests()
        async with asyncio.TaskGroup() as tasks:
            stopping = tasks.create_task(office.desk.stop(1000.0), name="stop")
            office.world.clock.advance(1000)
            await stopping
        assert "not known whether it arrived" in (await office.world.known(batch.id)).why


async def test_a_stop_does_not_wait_for_ever() -> None:
    async with an_office() as office:
        office.world.server.book.script("submit", Hang())
        batch = await office.submit()
        await office.rests()
        await office.desk.stop(0.01)
        assert (await office.world.known(batch.id)).state is BatchState.SUBMITTING


async def test_no_more_batches_than_can_be_seen_through() -> None:
    async with an_office() as office:
        office.world.server.book.looks = None
        for _ in range(MOST_OPEN):
            await office.submit()
        refused = await office.desk.submit(office.world.bot, [a_prompt(1)])
        assert isinstance(refused, NotOpened)
        assert refused.kind == "busy"
        [first, *_] = await office.world.store.batches.open_batches()
        await office.world.clock.asleep(MOST_OPEN)
        office.world.server.book.end("batch_1")
        office.world.clock.advance(FIRST_REST_S)
        await office.until(first.id, BatchState.DONE)
        while not isinstance(await office.desk.submit(office.world.bot, [a_prompt(1)]), Kept):
            await asyncio.get_running_loop().run_in_executor(None, int)  # its place is given back behind that


async def test_a_refusal_takes_no_place() -> None:
    async with an_office() as office:
        office.world.server.book.script("submit", Trouble(400))
        office.world.roster.caps["bot"] = office.world.billed()
        for _ in range(MOST_OPEN + 1):
            refused = await office.desk.submit(office.world.bot, [a_prompt(1)])
            assert isinstance(refused, NotOpened)
            assert refused.kind == "limit"
