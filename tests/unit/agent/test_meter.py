"""The only door to a provider: money is held before each attempt and settled after it, whatever happens."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from runner.agent.asks import Failed, Metered, Refused
from runner.bots import Secret
from runner.errors import LaneLost, StoreError
from runner.money.budget import Counter
from runner.money.prices import PriceBook
from runner.money.reservation import ReservationState
from runner.money.usage import Usage
from runner.ports.books import HoldRequest, HoldResult, MoneyStore, Settled, Settlement
from runner.ports.mail import NewInbound, StoredStep
from runner.ports.observer import BoundBroken, CallEnded, SpendRefused
from runner.ports.observer import Fault as Faulty
from runner.testing.model_script import At, Fault, Hang, Say
from runner.testing.provider import FakeProvider
from runner.testing.scenes import CHOICE
from tests.unit.agent.meter_world import COST, LARGEST, World, a_world


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with a_world() as made:
        yield made


async def test_an_answer_is_paid_and_stored_in_one_go(world: World) -> None:
    result = await world.call(step_number=4, attempts_used=2)
    assert isinstance(result, Metered)
    assert (result.paid.reply.text, result.paid.cost, result.attempts_used) == ("hello", COST, 3)
    [row] = await world.rows()
    assert (row.attempt.id, row.attempt.number, row.attempt.price_version) == ("t1-3", 1, "test")
    assert (row.attempt.time_ms, row.attempt.model) == (world.clock.now_ms(), CHOICE.model)
    assert (row.state, row.cost, row.usage) == (ReservationState.SETTLED, COST, Usage(100, 10))
    assert row.hold >= row.cost
    await world.meter.settled("t1")
    assert world.meter.running == frozenset()
    [told] = world.observer.of(CallEnded)
    assert (told.attempt, told.state, told.held, told.cost) == ("t1-3", "settled", row.hold, COST)


async def test_what_is_no_step_of_a_turn_is_paid_and_not_stored(world: World) -> None:
    await world.store.accept(NewInbound("bot", "chat", "", "e1", "lane", "{}", 0))
    result = await world.call(step_number=None)
    assert isinstance(result, Metered)
    assert result.paid.reply.text == "hello"
    [row] = await world.rows()
    assert row.state is ReservationState.SETTLED
    async with world.store.lane("lane") as session:
        assert session is not None
        work = await session.next(0)
    assert work is not None
    assert (work.steps, work.attempts_used) == ((), 1)


async def test_money_is_held_before_a_byte_leaves(world: World) -> None:
    world.provider.script(Say("late", latency_s=5, usage=Usage(100, 10)))
    calling = world.tasks.create_task(world.call(limit=LARGEST), name="call")
    await world.clock.asleep()
    [row] = await world.rows()
    assert row.state is ReservationState.HELD
    assert (await world.counter()).held == row.hold > 0
    world.clock.advance(5)
    assert isinstance(await calling, Metered)
    assert await world.counter() == Counter(settled=COST)


async def test_a_model_without_a_price_is_not_called_where_anything_is_limited() -> None:
    async with a_world(PriceBook("empty")) as world:
        result = await world.call(limit=LARGEST)
    assert isinstance(result, Failed)
    assert (result.unpriced, result.attempts_used) == (True, 0)
    assert world.provider.calls == []
    assert await world.rows() == []


async def test_without_any_limit_a_model_without_a_price_is_counted() -> None:
    async with a_world(PriceBook("empty")) as world:
        assert isinstance(await world.call(), Metered)
        [row] = await world.rows()
    assert (row.cost, row.usage, row.attempt.price_version) == (0, Usage(100, 10), "unpriced")


async def test_a_reached_limit_is_a_value_and_nobody_is_called(world: World) -> None:
    assert await world.call(limit=100) == Refused("bot:bot", limit=True, attempts_used=0)
    assert world.provider.calls == []
    assert world.observer.of(SpendRefused) == [
        SpendRefused("bot", "t1", "bot:bot", "limit", limit=100, gone=0)
    ]


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
    assert await world.counter() == Counter(settled=COST)


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
    assert await world.counter() == Counter(settled=COST)


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


async def test_a_provider_s_bug_leaves_no_hold_open(world: World) -> None:
    class Broken(FakeProvider):
        async def complete(self, *_: Any, **__: Any) -> Any:
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
    await world.meter.settled("t1")
    assert await world.counter() == Counter(settled=COST)
    assert len(world.provider.calls) == 1, "what is paid is not asked for again"


async def test_a_reply_whose_place_is_taken_still_ends_its_hold(world: World) -> None:
    """A turn begun again while its first attempt was still on its way."""
    inbox_id = (await world.store.accept(NewInbound("bot", "chat", "", "e", "l", "{}", 0))).inbox_id
    turn = f"t{inbox_id}"
    async with world.store.lane("l") as session:
        assert session is not None
        await session.save_step(turn, StoredStep(0, "taken"))
    assert isinstance(await world.call(turn=turn), Metered)
    assert await world.counter() == Counter(settled=COST)


async def test_what_a_lost_turn_still_calls_is_paid_and_leaves_no_step(world: World) -> None:
    await world.store.accept(NewInbound("bot", "chat", "", "e1", "lane", "{}", 0))
    world.provider.script(Say("late", latency_s=5, usage=Usage(100, 10)))
    calling = world.tasks.create_task(world.call(step_number=0), name="call")
    await world.clock.asleep()
    world.meter.lost("t2")
    world.meter.lost("t1")
    world.clock.advance(5)
    await calling
    await world.meter.settled("t1")
    assert [row.state for row in await world.rows()] == [ReservationState.SETTLED]
    assert await steps_of_t1(world) == ()
    assert not world.observer.of(Faulty)


async def test_a_lane_that_is_lost_while_it_settles_is_settled_by_the_store(world: World) -> None:
    await world.store.accept(NewInbound("bot", "chat", "", "e1", "lane", "{}", 0))

    class Lost:
        """A lane that somebody else has had between the hold and the settlement."""

        async def hold(self, request: HoldRequest) -> HoldResult:
            return await world.store.hold(request)

        async def settle(self, settlement: Settlement) -> Settled:
            raise LaneLost("another daemon has had the lane")

    result = await world.meter.call(world.ask(step_number=0), Lost())
    await world.meter.settled("t1")
    assert isinstance(result, Metered)
    assert [row.state for row in await world.rows()] == [ReservationState.SETTLED]
    assert await steps_of_t1(world) == ()
    assert not world.observer.of(Faulty)
    assert world.clock.sleeps == []


async def steps_of_t1(world: World) -> tuple[StoredStep, ...]:
    async with world.store.lane("lane") as session:
        assert session is not None
        work = await session.next(0)
    assert work is not None
    return work.steps


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


class Session:
    """A lane's session that is over once the turn is."""

    def __init__(self, store: MoneyStore) -> None:
        self._store = store
        self.over = False

    async def hold(self, request: HoldRequest) -> HoldResult:
        return await self._store.hold(request)

    async def settle(self, settlement: Settlement) -> Settled:
        assert not self.over, "settled by a session that is over"
        return await self._store.settle(settlement)
