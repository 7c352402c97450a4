"""What is over is forgotten in time, and no sooner."""

import asyncio

from runner.dispatch.upkeep import DEDUPE_DAYS, EVERY_S, FIRST_S, Upkeep
from runner.errors import StoreError
from runner.ports.mail import ConversationState, FinishedTurn, NewInbound
from runner.ports.observer import Fault
from runner.store.memory import MemoryStore
from runner.testing.clock import START_MS, ManualClock
from runner.testing.observer import RecordingObserver

DAY_S = 86_400.0
HELLO = NewInbound("bot", "chat", "", "e1", "l", "{}", START_MS)


async def _answered(store: MemoryStore) -> None:
    inbox_id = (await store.accept(HELLO)).inbox_id
    state = ConversationState(f"c{inbox_id}", START_MS, START_MS)
    async with store.lane("l") as session:
        assert session is not None
        await session.finish(
            FinishedTurn(inbox_id, f"t{inbox_id}", "bot", "chat", "l", "ada", state, "answered", START_MS)
        )


async def test_a_finished_message_is_known_for_eight_days_and_a_fault_is_no_end() -> None:
    faults = ["prune"]

    def before(method: str) -> None:
        if method in faults:
            faults.remove(method)
            raise StoreError("the disk is full")

    store, clock, observer = MemoryStore(before), ManualClock(), RecordingObserver()
    await store.open()
    await _answered(store)
    await store.values.put("ends", "x", START_MS, START_MS + 1)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(Upkeep(store, lambda: 90, clock, observer).run())
        await clock.asleep()
        assert clock.sleeps == [FIRST_S]
        for passed, known in ((FIRST_S, True), (DEDUPE_DAYS * DAY_S - EVERY_S, True), (2 * EVERY_S, False)):
            clock.advance(passed)
            await clock.asleep()
            await observer.until(Fault)
            assert (await store.seen(HELLO) is not None) is known
        running.cancel()
    assert await store.values.drop_ended(clock.now_ms()) == 0, "it is forgotten already"
