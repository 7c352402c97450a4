"""The only door to a provider: money is held before each attempt and settled after it, whatever happens."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from runner.agent.meter import Ask, Failed, Meter, Metered, MeterResult, Refused
from runner.bots import Secret
from runner.conversations.models import UserMessage
from runner.errors import StoreError
from runner.money.amounts import Money
from runner.money.budget import Counter, ScopeLimit
from runner.money.ledger import Attempt, LedgerEntry, verify
from runner.money.prices import PriceBook
from runner.money.reservation import ReservationState
from runner.money.usage import Usage
from runner.ports.dialogue import ModelRequest
from runner.ports.observer import BoundBroken, CallEnded, SpendRefused
from runner.ports.observer import Fault as Faulty
from runner.ports.provider import Hear, Prepared, Provider
from runner.ports.stores import HoldRequest, LedgerFilter, MoneyStore, NewInbound, StoredStep
from runner.store.memory import MemoryStore
from runner.testing.clock import ManualClock
from runner.testing.model_script import At, Fault, Hang, Say
from runner.testing.observer import RecordingObserver
from runner.testing.provider import FakeProvider
from runner.testing.scenes import CHOICE, a_book

HELLO = Say("hello", usage=Usage(100, 10))
COST = 140
REQUEST = ModelRequest(CHOICE, "Be brief.", (UserMessage("hello"),), max_output_tokens=1000)
ABOUT = Attempt("", 0, "bot", "fake", "chat", "c1", "ada", "t1", "", "", "")
LARGEST = Money(10**9)


@dataclass
class World:
    """A meter and all that it stands on."""

    meter: Meter
    provider: FakeProvider
    store: MemoryStore
    clock: ManualClock
    observer: RecordingObserver
    providers: "Shelf"
    store_faults: list[str]
    tasks: asyncio.TaskGroup

    def ask(self, turn: str = "t1", limit: int | None = None, seconds: float = 30.0, **changes: Any) -> Ask:
        values: dict[str, Any] = {
            "request": REQUEST,
            "about": replace(ABOUT, turn=turn),
            "scopes": lambda: (ScopeLimit("bot:bot", None if limit is None else Money(limit)),),
            "deadline": self.clock.monotonic() + seconds,
            "attempts_used": 0,
            "step_number": 0,
        }
        return Ask(**{**values, **changes})

    async def call(self, through: MoneyStore | None = None, **changes: Any) -> MeterResult:
        return await self.meter.call(self.ask(**changes), through or self.store)

    async def rows(self) -> list[LedgerEntry]:
        """The ledger; its sums are the counters, always."""
        rows = [row async for row in self.store.ledger(LedgerFilter())]
        assert verify(await self.store.counters(), rows) == []
        return rows

    async def counter(self) -> Counter:
        return (await self.store.counters(["bot:bot"]))["bot:bot"]


@dataclass
class Shelf:
    """The providers, and who asked for one."""

    provider: Provider
    asked: list[tuple[str, Secret | None]] = field(default_factory=list)

    def get(self, name: str, key: Secret | None = None) -> Provider:
        self.asked.append((name, key))
        return self.provider


Make = Callable[..., Awaitable[World]]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """Make a world; its tasks end with the test."""
    async with asyncio.TaskGroup() as tasks:

        async def made(book: PriceBook | None = None) -> World:
            faults: list[str] = []

            def before(method: str) -> None:
                if method in faults:
                    faults.remove(method)
                    raise StoreError("the disk is full")

            clock, observer, store = ManualClock(), RecordingObserver(), MemoryStore(before)
            await store.open()
            provider = FakeProvider(clock, HELLO)
            shelf = Shelf(provider)
            meter = Meter(shelf, book or a_book(), store, clock, observer, tasks)
            return World(meter, provider, store, clock, observer, shelf, faults, tasks)

        yield made


@pytest.fixture
async def world(make: Make) -> World:
    return await make()


async def test_an_answer_is_paid_and_stored_in_one_go(world: World) -> None:
    result = await world.call(step_number=4, attempts_used=2)
    assert isinstance(result, Metered)
    assert (result.paid.reply.text, result.paid.cost, result.attempts_used) == ("hello", COST, 3)
    [row] = await world.rows()
    assert (row.attempt.id, row.attempt.number, row.attempt.price_version) == ("t1-3", 1, "test")
    assert (row.attempt.time_ms, row.attempt.model) == (world.clock.now_ms(), CHOICE.model)
    assert (row.state, row.cost, row.usage) == (ReservationState.SETTLED, COST, Usage(100, 10))
    assert row.hold >= row.cost
    assert world.meter.running == frozenset()
    [told] = world.observer.of(CallEnded)
    assert (told.attempt, told.state, told.held, told.cost) == ("t1-3", "settled", row.hold, COST)


async def test_money_is_held_before_a_byte_leaves(world: World) -> None:
    world.provider.script(Say("late", latency_s=5, usage=Usage(100, 10)))
    calling = world.tasks.create_task(world.call(limit=LARGEST), name="call")
    await world.clock.asleep()
    [row] = await world.rows()
    assert row.state is ReservationState.HELD
    assert (await world.counter()).held == row.hold > 0
    world.clock.advance(5)
    assert isinstance(await calling, Metered)
    assert await world.counter() == Counter(settled=Money(COST))


async def test_a_model_without_a_price_is_not_called(make: Make) -> None:
    world = await make(PriceBook("empty"))
    result = await world.call()
    assert isinstance(result, Failed)
    assert (result.unpriced, result.attempts_used) == (True, 0)
    assert world.provider.calls == []
    assert await world.rows() == []


async def test_a_reached_limit_is_a_value_and_nobody_is_called(world: World) -> None:
    assert await world.call(limit=100) == Refused("bot:bot", limit=True, attempts_used=0)
    assert world.provider.calls == []
    assert world.observer.of(SpendRefused) == [SpendRefused("bot", "t1", "bot:bot", "limit")]


async def test_a_smaller_budget_shrinks_the_output_limit(world: World) -> None:
    await world.call()
    [row] = await world.rows()
    full = world.provider.calls[0].max_output_tokens
    assert full == 1000
    await world.call(turn="t2", limit=COST + row.hold - 4 * 500)
    assert world.provider.calls[1].max_output_tokens == 500


async def test_a_retry_is_an_attempt_of_its_own(world: World) -> None:
    world.provider.script(Fault(429, retry_after="3"), Fault(529))
    calling = world.tasks.create_task(world.call(), name="call")
    await world.clock.asleep()
    assert world.clock.sleeps == [3.0]
    world.clock.advance(3)
    await world.clock.asleep()
    assert world.clock.sleeps == [3.0, 0.5]
    world.clock.advance(0.5)
    result = await calling
    assert isinstance(result, Metered)
    assert result.attempts_used == 3
    rows = await world.rows()
    assert [(row.attempt.id, row.attempt.number, row.state.value) for row in rows] == [
        ("t1-1", 1, "released"),
        ("t1-2", 2, "released"),
        ("t1-3", 3, "settled"),
    ]


async def test_what_may_have_run_stays_taken_when_it_is_tried_again(world: World) -> None:
    world.provider.script(Fault(500))
    calling = world.tasks.create_task(world.call(), name="call")
    await world.clock.asleep()
    world.clock.advance(0.25)
    assert isinstance(await calling, Metered)
    first, second = await world.rows()
    assert (first.state, first.cost) == (ReservationState.UNKNOWN, first.hold)
    assert await world.counter() == Counter(settled=second.cost, unknown=first.hold)


async def test_a_retry_that_no_longer_fits_is_refused(world: World) -> None:
    """What the first attempt may have cost is gone: the second must fit beside it."""
    await world.call(turn="t0")
    [row] = await world.rows()
    world.provider.script(Fault(500))
    calling = world.tasks.create_task(world.call(limit=COST + row.hold + 10), name="call")
    await world.clock.asleep()
    world.clock.advance(0.25)
    assert await calling == Refused("bot:bot", limit=True, attempts_used=1)
    assert len(world.provider.calls) == 2


@pytest.mark.parametrize(("fault", "calls"), [(Fault(400), 1), (Fault(401), 1), (Say(cut_at=At.START), 2)])
async def test_a_fault_that_stays_is_a_value(world: World, fault: Any, calls: int) -> None:
    world.provider.script(*[fault] * 5)
    calling = world.tasks.create_task(world.call(), name="call")
    if calls > 1:
        await world.clock.asleep()
        world.clock.advance(1)
    result = await calling
    assert isinstance(result, Failed)
    assert (result.attempts_used, result.timed_out) == (calls, False)
    assert len(world.provider.calls) == calls
    assert (await world.counter()).held == 0


async def test_an_attempt_that_nobody_waits_for_goes_on_to_its_usage(world: World) -> None:
    world.provider.script(Say("late", latency_s=40, usage=Usage(100, 10)))
    session = Session(world.store)
    result = await world.call(through=session, seconds=0.02)
    assert isinstance(result, Failed)
    assert (result.timed_out, result.attempts_used) == (True, 1)
    session.over = True
    assert (await world.rows())[0].state is ReservationState.HELD
    assert len(world.meter.running) == 1
    world.clock.advance(40)
    await world.observer.until(CallEnded)
    assert await world.counter() == Counter(settled=Money(COST))


async def test_a_cancelled_turn_leaves_its_attempt_to_the_store(world: World) -> None:
    """At a stop the lane's session ends; the money's end must not depend on it."""
    world.provider.script(Say("late", latency_s=5, usage=Usage(100, 10)))
    session = Session(world.store)
    calling = world.tasks.create_task(world.call(through=session), name="call")
    await world.clock.asleep()
    calling.cancel()
    await asyncio.wait([calling])
    session.over = True
    world.clock.advance(5)
    await world.observer.until(CallEnded)
    assert world.observer.of(Faulty) == []
    assert await world.counter() == Counter(settled=Money(COST))


async def test_a_call_that_never_ends_is_ended(world: World) -> None:
    world.provider.script(Hang(usage=None))
    result = await world.call(seconds=0.02)
    assert isinstance(result, Failed)
    assert result.timed_out
    assert world.provider.calls[0].timeout_s == pytest.approx(60.02)
    world.clock.advance(61)
    [told] = await world.observer.until(CallEnded)
    assert told.state == "unknown"
    assert (await world.counter()).unknown == told.held


async def test_an_answer_without_usage_is_given_and_costs_its_hold(world: World) -> None:
    world.provider.script(Say("hello", tells_usage=False))
    result = await world.call()
    assert isinstance(result, Metered)
    [row] = await world.rows()
    assert result.paid.cost == row.hold == (await world.counter()).unknown


async def test_a_provider_s_bug_leaves_no_hold_open(make: Make) -> None:
    world = await make()

    class Broken(FakeProvider):
        async def complete(
            self, prepared: Prepared, max_output_tokens: int, timeout_s: float, hear: Hear | None = None
        ) -> Any:
            raise RuntimeError("a client's bug")

    world.providers.provider = Broken(world.clock)
    result = await world.call()
    assert isinstance(result, Failed)
    assert "RuntimeError" in result.why
    [row] = await world.rows()
    assert row.state is ReservationState.UNKNOWN
    [fault] = world.observer.of(Faulty)
    assert isinstance(fault.error, RuntimeError)


async def test_a_store_that_fails_to_hold_lets_nothing_out(world: World) -> None:
    world.store_faults.append("hold")
    with pytest.raises(StoreError):
        await world.call()
    assert world.provider.calls == []


async def test_a_store_that_fails_to_settle_is_asked_again(world: World) -> None:
    world.store_faults += ["settle", "settle"]
    calling = world.tasks.create_task(world.call(), name="call")
    for _ in range(2):
        await world.clock.asleep()
        world.clock.advance(0.5)
    assert isinstance(await calling, Metered)
    assert await world.counter() == Counter(settled=Money(COST))
    assert len(world.provider.calls) == 1, "what is paid is not asked for again"


async def test_a_reply_whose_place_is_taken_still_ends_its_hold(world: World) -> None:
    """A turn begun again while its first attempt was still on its way."""
    inbox_id = (await world.store.accept(NewInbound("bot", "chat", "", "e", "l", "{}", 0))).inbox_id
    turn = f"t{inbox_id}"
    async with world.store.lane("l") as session:
        assert session is not None
        await session.save_step(turn, StoredStep(0, "taken"))
    assert isinstance(await world.call(turn=turn), Metered)
    assert await world.counter() == Counter(settled=Money(COST))


async def test_a_cost_above_its_hold_is_the_truth_and_quarantines_the_model(world: World) -> None:
    world.provider.script(Say("dear", usage=Usage(10**6, 10)))
    result = await world.call()
    assert isinstance(result, Metered)
    [row] = await world.rows()
    assert row.cost == 10**6 + 40 > row.hold
    [told] = world.observer.of(BoundBroken)
    assert (told.attempt, told.held, told.cost) == ("t1-1", row.hold, row.cost)
    again = await world.call(turn="t2")
    assert isinstance(again, Failed)
    assert "more than its bound" in again.why
    assert len(world.provider.calls) == 1


async def test_another_key_is_asked_for_by_its_bot_only(world: World) -> None:
    key = Secret("sk-own")
    await world.call(key=key)
    await world.call(turn="t2")
    assert world.providers.asked == [("fake", key), ("fake", None)]


# ── waiting for money ────────────────────────────────────────────────────────────────────────────────────
async def hold_of_one(world: World) -> int:
    """What one call of `REQUEST` is held at, at the least."""
    await world.call(turn="t0")
    [row] = await world.rows()
    return row.hold - 4 * (1000 - 256)


async def test_who_does_not_fit_waits_until_the_other_has_settled(world: World) -> None:
    least = await hold_of_one(world)
    limit = COST * 3 + least
    world.provider.script(Say("first", latency_s=5, usage=Usage(100, 10)))
    first = world.tasks.create_task(world.call(turn="t1", limit=limit), name="first")
    await world.clock.asleep()
    second = world.tasks.create_task(world.call(turn="t2", limit=limit), name="second")
    await until_waiting(world)
    assert not second.done()
    assert len(world.provider.calls) == 2, "one before, and the first"
    world.clock.advance(5)
    assert isinstance(await first, Metered)
    assert isinstance(await second, Metered)


async def test_a_small_call_does_not_overtake_a_large_one_that_waits(world: World) -> None:
    """Else a stream of small ones would keep a large one waiting for ever."""
    large = replace(REQUEST, system="x" * 5000)
    await world.call(turn="t0", request=large)
    [probe] = await world.rows()
    limit = COST * 4 + probe.hold - 4 * (1000 - 256)
    world.provider.script(Say("first", latency_s=5, usage=Usage(100, 10)))
    first = world.tasks.create_task(world.call(turn="t1", limit=limit), name="first")
    await world.clock.asleep()
    second = world.tasks.create_task(world.call(turn="t2", limit=limit, request=large), name="large")
    await until_waiting(world)
    small = replace(REQUEST, max_output_tokens=256)
    third = world.tasks.create_task(world.call(turn="t3", limit=limit, request=small), name="small")
    for _ in range(5):
        await world.clock.sleep(0)
    world.clock.advance(5)
    for task in (first, second, third):
        assert isinstance(await task, Metered)
    assert [call.request for call in world.provider.calls] == [large, REQUEST, large, small]


async def test_who_waits_too_long_is_told_that_we_are_busy(world: World) -> None:
    least = await hold_of_one(world)
    limit = COST + least
    world.provider.script(Say("first", latency_s=5, usage=Usage(100, 10)))
    first = world.tasks.create_task(world.call(turn="t1", limit=limit), name="first")
    await world.clock.asleep()
    result = await world.call(turn="t2", limit=limit, seconds=0.02)
    assert result == Refused("bot:bot", limit=False, attempts_used=0)
    assert world.observer.of(SpendRefused) == [SpendRefused("bot", "t2", "bot:bot", "busy")]
    world.clock.advance(5)
    assert isinstance(await first, Metered)


async def test_a_raised_limit_is_seen_at_once(world: World) -> None:
    least = await hold_of_one(world)
    limits = [COST + least]
    scopes = lambda: (ScopeLimit("bot:bot", Money(limits[0])),)  # noqa: E731 - the limit as it is now
    world.provider.script(Say("first", latency_s=5, usage=Usage(100, 10)))
    first = world.tasks.create_task(world.call(turn="t1", scopes=scopes), name="first")
    await world.clock.asleep()
    second = world.tasks.create_task(world.call(turn="t2", scopes=scopes), name="second")
    await until_waiting(world)
    limits[0] = LARGEST
    world.meter.limit_changed("bot:bot")
    assert isinstance(await second, Metered)
    world.clock.advance(5)
    assert isinstance(await first, Metered)


async def until_waiting(world: World) -> None:
    """Until somebody waits for money in the bot's scope; the loop has nothing else to do by then."""
    while world.meter._room.crowded(["bot:bot"]) is None:
        await world.clock.sleep(0)


class Session:
    """A lane's session that is over once the turn is."""

    def __init__(self, store: MoneyStore) -> None:
        self._store = store
        self.over = False

    async def hold(self, request: HoldRequest) -> Any:
        return await self._store.hold(request)

    async def settle(self, settlement: Any) -> Money:
        assert not self.over, "settled by a session that is over"
        return await self._store.settle(settlement)
