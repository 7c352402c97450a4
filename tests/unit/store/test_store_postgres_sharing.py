"""Two daemons on one database: what they do at the same moment."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import asyncpg
import pytest

from runner.clock import SystemClock
from runner.errors import IllegalStep
from runner.money.reservation import ReservationState
from runner.ports.books import Held
from runner.ports.mail import NewInbound, NewOutbound, OutboxState, StoredStep
from runner.store.postgres.address import address_of
from runner.store.postgres.jobs import Kind
from runner.store.postgres.store import PostgresStore
from runner.testing.postgres_server import PostgresServer
from tests.contract.stores.examples import (
    NOON,
    answer,
    finished,
    held,
    inbound,
    rows,
    scope,
    settled,
    wish,
    work_on,
)

PENDING, SENDING, SENT = OutboxState.PENDING, OutboxState.SENDING, OutboxState.SENT


@pytest.fixture
async def stores(postgres_url: str) -> AsyncIterator[list[PostgresStore]]:
    stores = [PostgresStore(address_of(postgres_url), SystemClock(), writers=2) for _ in range(2)]
    for store in stores:
        await store.open()
    yield stores
    for store in stores:
        await store.close()


def elsewhere(bot: str = "bot-1", place: str = "here") -> tuple[NewOutbound, ...]:
    return (NewOutbound(bot, "telegram", place, "hello"),)


# ── lanes ────────────────────────────────────────────────────────────────────────────────────────────────
async def test_a_lane_has_one_holder(stores: Sequence[PostgresStore]) -> None:
    one, other = stores
    async with one.lane("lane-1") as first:
        assert first is not None
        for store in stores:
            async with store.lane("lane-1") as second:
                assert second is None
        async with other.lane("lane-2") as second:
            assert second is not None
    async with other.lane("lane-1") as second:
        assert second is not None


async def test_lanes_that_are_held_are_not_waiting(stores: Sequence[PostgresStore]) -> None:
    one, other = stores
    for lane in ("a", "b"):
        await one.accept(inbound(lane, lane))
    async with one.lane("a"):
        assert await other.waiting_lanes(["bot-1"], [], 9, NOON) == ["b"]
    assert await other.waiting_lanes(["bot-1"], [], 9, NOON) == ["a", "b"]


async def test_who_does_not_wait_for_the_lane_does_not_keep_it(stores: Sequence[PostgresStore]) -> None:
    one, other = stores

    async def enter() -> None:
        async with one.lane("lane-1"):
            raise AssertionError("cancelled before")

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(enter())
        await SystemClock().sleep(0)  # it has asked
        task.cancel()
    assert task.cancelled()
    async with asyncio.timeout(30):
        while True:
            async with other.lane("lane-1") as session:
                if session is not None:
                    return


async def test_who_asks_again_for_a_lane_holds_it(stores: Sequence[PostgresStore]) -> None:
    one, other = stores
    entered: list[bool] = []

    async def enter() -> None:
        async with one.lane("lane-1") as session:
            entered.append(session is not None)
            async with other.lane("lane-1") as theirs:
                entered.append(theirs is not None)

    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(enter())
        await SystemClock().sleep(0)
        first.cancel()
        await SystemClock().sleep(0)
        tasks.create_task(enter())
    assert entered == [True, False]
    async with other.lane("lane-1") as session:
        assert session is not None


async def test_a_lane_is_left_when_its_last_deed_is_done(
    postgres: PostgresServer, stores: Sequence[PostgresStore]
) -> None:
    """Whoever asks is cancelled: what was asked goes on, and the lane is left in the same batch, behind it."""
    one, other = stores
    works = {}
    for lane in ("bot|1", "bot|2"):
        await one.accept(inbound(lane, lane))
        works[lane] = await work_on(one, lane)
    entered, go = asyncio.Barrier(3), {lane: asyncio.Event() for lane in works}

    async def finish(lane: str) -> None:
        async with one.lane(lane) as session:
            assert session is not None
            await entered.wait()
            await go[lane].wait()
            await session.finish(finished(works[lane]))

    doors = [await asyncpg.connect(stores[0]._address.url) for _ in range(2)]
    first, second = (door.transaction() for door in doors)
    await first.start()
    await doors[0].execute("LOCK TABLE turns IN EXCLUSIVE MODE")
    await second.start()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(finish("bot|1"))
        cancelled = tasks.create_task(finish("bot|2"))
        await entered.wait()
        go["bot|1"].set()  # its end waits at the first door
        await locked(postgres, 1)
        go["bot|2"].set()
        await queued(one, Kind.FINISH)
        cancelled.cancel()
        await queued(one, Kind.LEAVE)
        behind = tasks.create_task(doors[1].execute("LOCK TABLE inbox IN EXCLUSIVE MODE"))
        await locked(postgres, 2)
        await first.rollback()
        await behind
        await locked(postgres, 1)  # the second turn's end waits at the second door
        async with other.lane("bot|2") as session:
            assert session is None
        await second.rollback()
    for door in doors:
        await door.close()
    assert await other.waiting_lanes(["bot-1"], [], 9, NOON) == []


async def locked(postgres: PostgresServer, wanted: int) -> None:
    """Until so many sessions wait for a lock."""
    connection = await asyncpg.connect(postgres.url())
    async with asyncio.timeout(30):
        while await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted") != wanted:
            await SystemClock().sleep(0.01)
    await connection.close()


async def queued(store: PostgresStore, kind: Kind) -> None:
    """Until a job of that kind waits for a writer."""
    async with asyncio.timeout(30):
        while not any(job.kind is kind for writer in store._writers for job in writer._queue):
            await SystemClock().sleep(0.01)


# ── messages ─────────────────────────────────────────────────────────────────────────────────────────────
async def test_doubled_deliveries_in_opposite_orders(stores: Sequence[PostgresStore]) -> None:
    messages = [inbound(f"e{n:03}", f"lane-{n % 7}") for n in range(200)]

    async def deliver(store: PostgresStore, these: Sequence[NewInbound]) -> list[bool]:
        return [found.fresh for found in await asyncio.gather(*map(store.accept, these))]

    first, second = await asyncio.gather(
        deliver(stores[0], messages), deliver(stores[1], list(reversed(messages)))
    )
    assert [one + other for one, other in zip(first, reversed(second), strict=True)] == [1] * len(messages)
    found = [await stores[0].seen(message) for message in messages]
    assert len({one.inbox_id for one in found if one is not None}) == len(messages)


async def test_messages_are_numbered_as_they_came(stores: Sequence[PostgresStore]) -> None:
    events = ["e3", "e1", "e2", "e9", "e5"]
    found = await asyncio.gather(*(stores[0].accept(inbound(event)) for event in events))
    assert [one.inbox_id for one in found] == [1, 2, 3, 4, 5]


async def test_a_text_with_what_cannot_be_kept_is_kept_without(stores: Sequence[PostgresStore]) -> None:
    store = stores[0]
    await store.accept(inbound("e\0", payload="a\0b\ud800c"))
    assert await store.seen(inbound("e\0")) is not None
    assert not (await store.accept(inbound("e\0"))).fresh
    work = await work_on(store)
    assert work.payload == "a\ufffdb\ufffdc"
    async with store.lane("lane-1") as session:
        assert session is not None
        await session.save_step("t1", StoredStep(0, "\0"))
        await session.finish(finished(work, "x\0", user="an\0na", report="\0", parts=1))
    record = await store.turn("t1")
    assert record is not None
    assert (record.user, record.report) == ("an\ufffdna", "\ufffd")


# ── money ────────────────────────────────────────────────────────────────────────────────────────────────
async def test_one_cap_holds_for_both(stores: Sequence[PostgresStore]) -> None:
    cap = scope(limit=5 * 1100 + 50)

    async def spend(store: PostgresStore, name: str) -> bool:
        return isinstance(await store.hold(wish(name, (cap,))), Held)

    asked = [spend(stores[n % 2], f"t{n}-1") for n in range(60)]
    granted = await asyncio.gather(*asked)
    found = await rows(stores[0])
    assert sum(granted) == len(found) >= 5
    counter = (await stores[1].counters())["bot:bot-1"]
    assert counter.held == sum(row.hold for row in found)
    assert counter.taken <= 5 * 1100 + 50


async def test_scopes_in_any_order(stores: Sequence[PostgresStore]) -> None:
    names = [f"bot:{n}" for n in range(8)]

    async def spend(store: PostgresStore, number: int, order: list[str]) -> None:
        name = f"t{number}-1"
        await held(store, name, *(scope(one, None) for one in order))
        await store.settle(settled(name, 10))

    await asyncio.gather(
        *(spend(stores[n % 2], n, names[n % 8 :] + names[: n % 8]) for n in range(40)),
        *(spend(stores[n % 2], n, names[::-1]) for n in range(40, 80)),
    )
    assert {counter.settled for counter in (await stores[0].counters(names)).values()} == {800}
    assert await stores[0].verify_books() == []


async def test_a_hold_is_ended_by_whoever_comes_first(stores: Sequence[PostgresStore]) -> None:
    await held(stores[0], "t1-1")
    done = await asyncio.gather(
        *(stores[n % 2].settle(settled("t1-1", 10 + n)) for n in range(6)), return_exceptions=True
    )
    assert sum(isinstance(one, IllegalStep) for one in done) == 5
    [row] = await rows(stores[0])
    assert row.state is ReservationState.SETTLED
    assert await stores[1].verify_books() == []


# ── the order of a place ─────────────────────────────────────────────────────────────────────────────────
async def test_a_part_waits_for_those_before_it(stores: Sequence[PostgresStore]) -> None:
    one, other = stores
    [first] = await answer(one, inbound("e1", "a"), outbox=elsewhere())
    [second] = await answer(other, inbound("e2", "b"), outbox=elsewhere())
    [third] = await answer(other, inbound("e3", "c"), outbox=elsewhere(place="there"))
    assert [part.id for part in await one.outgoing(SENDING, 9)] == [first, third]
    assert [(part.id, part.tries) for part in await one.outgoing(PENDING, 9)] == [(second, 0)]
    with pytest.raises(IllegalStep):
        await other.begin_sending([second])
    await one.end_sending(first, PENDING)
    with pytest.raises(IllegalStep):
        await other.begin_sending([second])
    await other.begin_sending([first])
    with pytest.raises(IllegalStep):
        await one.begin_sending([first])
    await other.end_sending(first, SENT)
    await one.begin_sending([second])
    [part] = await one.answers(2)
    assert (part.state, part.tries) == (SENDING, 1)


async def test_what_is_collected_waits_for_nothing(stores: Sequence[PostgresStore]) -> None:
    await answer(stores[0], inbound("e1", "a"), outbox=elsewhere())
    [part] = await answer(stores[0], inbound("e2", "b"), outbox=elsewhere(), first_state=SENT)
    assert [found.id for found in await stores[0].outgoing(SENT, 9)] == [part]


async def test_one_of_two_begins_a_send(stores: Sequence[PostgresStore]) -> None:
    parts = await answer(stores[0], inbound(), outbox=elsewhere(), first_state=PENDING)
    done = await asyncio.gather(
        *(stores[n % 2].begin_sending(parts) for n in range(6)), return_exceptions=True
    )
    assert sum(isinstance(one, IllegalStep) for one in done) == 5
    [part] = await stores[0].outgoing(SENDING, 9)
    assert part.tries == 1


async def test_turns_that_end_together_keep_the_order_of_a_place(stores: Sequence[PostgresStore]) -> None:
    store = stores[0]
    works = []
    for number in range(4):
        await store.accept(inbound(f"e{number}", f"lane|{number}"))
        works.append(await work_on(store, f"lane|{number}"))

    async def finish(number: int) -> OutboxState:
        async with store.lane(f"lane|{number}") as session:
            assert session is not None
            [filed] = await session.finish(finished(works[number], outbox=elsewhere()))
            return filed.state

    states = await asyncio.gather(*(finish(number) for number in range(4)))
    assert sorted(states) == [PENDING, PENDING, PENDING, SENDING]


# ── one bad apple ────────────────────────────────────────────────────────────────────────────────────────
async def test_what_is_refused_is_refused_alone(stores: Sequence[PostgresStore]) -> None:
    store = stores[0]
    await held(store, "t1-1")
    await store.settle(settled("t1-1"))
    await held(store, "t2-1")
    await store.accept(inbound())
    asked = [
        store.settle(settled("t1-1")),
        store.settle(settled("t2-1")),
        store.hold(wish("t1-1")),
        store.hold(wish("t3-1")),
        store.settle(settled("t9-1", step=StoredStep(0, "never"))),
        store.hold(wish("t4-1", (scope(), scope()))),
        store.hold(wish("t5-1", time_ms=2**70)),
        store.accept(inbound("e2", "lane-2")),
        store.accept(inbound("e3", "lane-3", at_ms=2**70)),
    ]
    done = await asyncio.gather(*asked, return_exceptions=True)
    failed = [n for n, one in enumerate(done) if isinstance(one, Exception)]
    assert failed == [0, 2, 4, 5, 6, 8]
    assert {row.attempt.id: row.state for row in await rows(store)} == {
        "t1-1": ReservationState.SETTLED,
        "t2-1": ReservationState.SETTLED,
        "t3-1": ReservationState.HELD,
    }
    assert await store.verify_books() == []
    assert (await store.figures()).waiting == {"bot-1": 2}
