"""Daemons that are gone: what they left is ended once, whoever does it; who lives is left alone."""

import asyncio

import pytest

from runner.errors import IllegalStep, LaneLost, StoreError
from runner.money.budget import Counter
from runner.money.ledger import verify
from runner.money.reservation import ReservationState
from runner.ports.batches import BatchState, attempt_id
from runner.ports.fleet import Burial, News, NewsKind
from runner.ports.mail import NewOutbound, OutboxState
from runner.ports.stores import Lease, Recovery, Store
from runner.store.rules import MOST_CRASHES, WHY_AGAIN, WHY_LEFT, WHY_UNKNOWN
from tests.contract.fleets.test_fleet_news import heard
from tests.contract.fleets.worlds import PATIENCE_S, World, buried, fleet_of
from tests.contract.stores.examples import (
    NOON,
    SETTLED,
    UNKNOWN,
    answer,
    finished,
    held,
    inbound,
    rows,
    settled,
    wish,
)
from tests.contract.stores.test_store_batches import kept, moved

BOT = "bot:bot-1"


async def test_who_lives_is_never_buried(world: World) -> None:
    one, two = [await world.join(name) for name in ("one", "two")]
    await held(one, "a1")
    await held(two, "a2")
    await answer(one, inbound(), parts=1)
    for store in (one, two, one):
        assert await fleet_of(store).bury() == Burial()
        assert await store.recover() == Recovery()
    assert [row.state for row in await rows(two)] == [ReservationState.HELD] * 2
    await one.settle(settled("a1"))


async def test_what_a_dead_one_held_is_of_unknown_fate(world: World) -> None:
    one, two = [await world.join(name) for name in ("one", "two")]
    await held(one, "a1")
    await one.settle(settled("a1", 700))
    await held(one, "a2")
    await held(one, "a3")
    await held(two, "a4")
    await world.kill(one)
    assert await buried(two, 1) == Burial((1,), holds_unknown=2)
    states = {row.attempt.id: (row.state, row.why) for row in await rows(two)}
    assert states == {
        "a1": (SETTLED, ""),
        "a2": (UNKNOWN, WHY_UNKNOWN),
        "a3": (UNKNOWN, WHY_UNKNOWN),
        "a4": (ReservationState.HELD, ""),
    }
    assert await two.counters([BOT]) == {BOT: Counter(700, 2200, 1100)}
    assert verify(await two.counters(), await rows(two)) == []
    await two.settle(settled("a4"))


async def test_what_a_dead_one_was_sending_goes_again_and_is_counted(world: World) -> None:
    one, two = [await world.join(name) for name in ("one", "two")]
    [first] = await answer(one, inbound("e1"), parts=1)
    [second] = await answer(two, inbound("e2", lane="lane-2", bot="bot-2"), parts=1)
    await world.kill(one)
    assert await buried(two, 1) == Burial((1,), sends_again=1)
    [part] = await two.outgoing(OutboxState.PENDING, 9)
    assert (part.id, part.crashes, part.why) == (first, 1, WHY_AGAIN)
    assert [part.id for part in await two.outgoing(OutboxState.SENDING, 9)] == [second]
    assert (await two.figures()).possibly_doubled == 1
    await two.begin_sending([first])
    await two.end_sending(first, OutboxState.SENT)


async def test_a_part_that_many_died_of_is_left_alone(world: World) -> None:
    last = await world.join("last")
    [part] = await answer(last, inbound("e1"), parts=1, first_state=OutboxState.PENDING)
    for crash in range(1, MOST_CRASHES + 1):
        store = await world.join(f"victim {crash}")
        await store.begin_sending([part])
        number = fleet_of(store).daemon
        await world.kill(store)
        burial = await buried(last, number)
        assert (burial.sends_again, burial.sends_unknown) == ((1, 0) if crash < MOST_CRASHES else (0, 1))
    [found] = await last.outgoing(OutboxState.UNKNOWN, 9)
    assert (found.crashes, found.why) == (MOST_CRASHES, WHY_LEFT)


async def test_the_leases_of_a_dead_one_are_void_at_once(world: World) -> None:
    one, two = [await world.join(name) for name in ("one", "two")]
    names = [str(fleet_of(store).daemon) for store in (one, two)]
    now = fleet_of(one).now_ms()
    assert await one.lease("poll", names[0], 3_600_000, now)
    assert await two.lease("work", names[1], 3_600_000, now)
    assert await two.lease("poll", names[1], 3_600_000, now) is None
    await world.kill(one)
    await buried(two, 1)
    assert await two.lease("poll", names[1], 9, now) == Lease("poll", names[1], 2, now + 9)
    assert await two.lease("work", names[1], 9, now) == Lease("work", names[1], 1, now + 9)


async def test_a_dead_ones_lanes_are_free(world: World) -> None:
    one, two = [await world.join(name) for name in ("one", "two")]
    await one.accept(inbound())
    async with two.lane("lane-1") as session:
        assert session is not None
        async with one.lane("lane-1") as second:
            assert second is None
    entered = one.lane("lane-1")
    assert await entered.__aenter__() is not None
    async with two.lane("lane-1") as session:
        assert session is None
    await world.kill(one)
    await buried(two, 1)
    async with two.lane("lane-1") as session:
        assert session is not None
        work = await session.next(NOON)
        assert work is not None
        await session.finish(finished(work))


async def test_buried_twice_is_buried_once(world: World) -> None:
    one, two, three = [await world.join(name) for name in ("one", "two", "three")]
    await held(one, "a1")
    await world.kill(one)
    assert await buried(two, 1) == Burial((1,), holds_unknown=1)
    assert await fleet_of(two).bury() == Burial()
    assert await fleet_of(three).bury() == Burial()
    assert await three.recover() == Recovery()
    assert await two.counters([BOT]) == {BOT: Counter(0, 1100, 0)}


async def test_of_two_who_bury_at_once_one_does(world: World) -> None:
    one, two, three = [await world.join(name) for name in ("one", "two", "three")]
    for number in range(8):
        await held(one, f"a{number}")
    await answer(one, inbound("e1"), parts=1)
    await world.kill(one)
    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as tasks:
        buriers = [tasks.create_task(until_gone(store, 1)) for store in (two, three)]
    burials = [burial for burier in buriers for burial in burier.result()]
    assert [burial for burial in burials if burial != Burial()] == [Burial((1,), 8, 1)]
    assert verify(await two.counters(), await rows(two)) == []


async def until_gone(store: Store, daemon: int) -> list[Burial]:
    """What this one buries until that daemon is shown as gone."""
    burials = []
    while any(line.id == daemon and line.ended_ms is None for line in await fleet_of(store).daemons()):
        burials.append(await fleet_of(store).bury())
    return burials


async def test_the_lines_of_an_open_batch_outlive_who_held_them(world: World) -> None:
    one, two, three = [await world.join(name) for name in ("one", "two", "three")]
    open_one, over = await kept(one, "b1"), await kept(one, "b2")
    await moved(one, over, BatchState.ENDED, BatchState.CANCELED)
    await world.kill(one)
    await buried(two, 1)
    await two.recover()
    await world.kill(two)
    assert await buried(three, 2) == Burial((2,))
    assert await three.recover() == Recovery()
    assert await three.batches.open_batches() == [open_one]
    assert len(await three.batches.open_holds("b1")) == 3
    settlement = settled(attempt_id("b1", 1), 500)
    assert (await three.batches.settle_lines([settlement]))[0] is not None
    assert await three.counters([BOT]) == {BOT: Counter(500, 3300, 2200)}


async def test_a_start_ends_what_the_last_one_left(world: World) -> None:
    one = await world.join("one")
    await held(one, "a1")
    await answer(one, inbound("e1"), parts=1)
    number = fleet_of(one).daemon
    await one.close()
    two = await world.join("two")
    found = await two.recover()
    async with asyncio.timeout(PATIENCE_S):
        while any(line.id == number and line.ended_ms is None for line in await fleet_of(two).daemons()):
            found = await two.recover()
    assert found == Recovery(holds_unknown=1, sends_again=1)


# ── one that hung ────────────────────────────────────────────────────────────────────────────────────────
async def test_one_that_was_buried_while_it_hung_goes_on_as_another(world: World) -> None:
    one, two = [await world.join(name) for name in ("one", "two")]
    await held(one, "a1")
    listener = fleet_of(one).listen()
    await world.hang(one)
    assert await buried(two, 1) == Burial((1,), holds_unknown=1)
    await world.go_on(one)
    number = fleet_of(one).daemon
    assert number > fleet_of(two).daemon
    assert News(NewsKind.GAP) in await heard(listener, 1, but={NewsKind.DAEMONS, NewsKind.WORK})
    with pytest.raises(IllegalStep):
        await one.settle(settled("a1"))
    await held(one, "a2")
    await world.kill(one)
    assert await buried(two, number) == Burial((number,), holds_unknown=1)


async def test_a_lane_that_another_had_meanwhile_is_lost_for_good(world: World) -> None:
    one, two = [await world.join(name) for name in ("one", "two")]
    await one.accept(inbound())
    async with one.lane("lane-1") as session:
        assert session is not None
        work = await session.next(NOON)
        assert work is not None
        await world.hang(one)
        await buried(two, 1)
        async with two.lane("lane-1") as other:
            assert other is not None
            again = await other.next(NOON)
            assert again is not None
            await other.finish(finished(again, "hello"))
        await world.go_on(one)
        for _ in range(2):
            with pytest.raises(LaneLost):
                await session.finish(finished(work, "hello"))
        with pytest.raises(LaneLost):
            await session.hold(wish("a1"))
    assert await rows(two) == []
    assert (await one.figures()).waiting == {}


@pytest.mark.parametrize("fate", [OutboxState.PENDING, OutboxState.SENT])
async def test_a_send_that_another_took_over_is_that_ones_to_end(world: World, fate: OutboxState) -> None:
    one, two = [await world.join(name) for name in ("one", "two")]
    [part] = await answer(one, inbound(), parts=1)
    await world.hang(one)
    await buried(two, 1)
    await two.begin_sending([part])
    await world.go_on(one)
    with pytest.raises(IllegalStep):
        await one.end_sending(part, fate)
    assert [row.id for row in await two.outgoing(OutboxState.SENDING, 9)] == [part]
    await two.end_sending(part, OutboxState.REJECTED)


async def test_one_that_was_cut_off_for_a_moment_is_who_it_was(world: World) -> None:
    one, two = [await world.join(name) for name in ("one", "two")]
    await held(one, "a1")
    await world.hang(one)
    await world.go_on(one)
    assert await fleet_of(two).bury() == Burial()
    assert fleet_of(one).daemon == 1
    await one.settle(settled("a1"))


async def test_a_killed_one_can_do_no_more(world: World) -> None:
    one, two = [await world.join(name) for name in ("one", "two")]
    await world.kill(one)
    with pytest.raises(StoreError):
        await one.accept(inbound())
    assert await two.seen(inbound()) is None


# ── order of what goes out ───────────────────────────────────────────────────────────────────────────────
async def test_an_answer_waits_behind_an_earlier_one_of_its_place(world: World) -> None:
    one, two = [await world.join(name) for name in ("one", "two")]
    part = (NewOutbound("bot-1", "telegram", "one chat", "hello"),)
    [first] = await answer(one, inbound("e1"), outbox=part)
    [second] = await answer(two, inbound("e2", lane="lane-2"), outbox=part)
    states = {part.id: part.state for event in (1, 2) for part in await one.answers(event)}
    assert states == {first: OutboxState.SENDING, second: OutboxState.PENDING}
    with pytest.raises(IllegalStep):
        await two.begin_sending([second])
    await one.end_sending(first, OutboxState.SENT)
    await two.begin_sending([second])
    [third] = await answer(one, inbound("e3", lane="lane-3"), outbox=part)
    assert [part.state for part in await one.answers(3)] == [OutboxState.PENDING]
    await two.end_sending(second, OutboxState.SENT)
    await one.begin_sending([third])
