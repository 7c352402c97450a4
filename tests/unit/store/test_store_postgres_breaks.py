"""Connections that break at the worst moment: what was done is known, what was not is done, a lane has one holder."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, TypeVar, cast

import pytest

from runner.clock import SystemClock
from runner.errors import LaneLost, StoreError
from runner.money.budget import Counter
from runner.money.reservation import ReservationState
from runner.ports.books import Held
from runner.ports.mail import OutboxState, StoredStep, Work
from runner.ports.stores import LaneSession
from runner.store.postgres.address import address_of
from runner.store.postgres.jobs import Kind
from runner.store.postgres.mending import WHY_RELEASED
from runner.store.postgres.store import PostgresStore
from runner.store.rules import lost_hold
from runner.testing.postgres_server import PostgresServer
from tests.contract.stores.examples import (
    NOON,
    finished,
    inbound,
    rows,
    settled,
    wish,
)
from tests.unit.store.thief import Thief

T = TypeVar("T")
PATIENCE_S = 30
BOT = "bot:bot-1"


@pytest.fixture
async def thief(postgres: PostgresServer) -> AsyncIterator[Thief]:
    thief = Thief(postgres.port)
    await thief.open()
    yield thief
    await thief.close()


@pytest.fixture
async def store(postgres: PostgresServer, postgres_url: str, thief: Thief) -> AsyncIterator[PostgresStore]:
    """A store at the end of the wire."""
    url = postgres_url.replace(f":{postgres.port}/", f":{thief.port}/")
    async with opened(url) as store:
        yield store


@pytest.fixture
async def other(postgres_url: str) -> AsyncIterator[PostgresStore]:
    """Another daemon."""
    async with opened(postgres_url) as store:
        yield store


class opened:  # noqa: N801 - a context
    """A store, open. `grace_s`: short, for nobody here comes back at the same time as all others."""

    def __init__(self, url: str, grace_s: float = 0.05) -> None:
        self._store = PostgresStore(address_of(url), SystemClock(), writers=2, grace_s=grace_s)

    async def __aenter__(self) -> PostgresStore:
        await self._store.open()
        return self._store

    async def __aexit__(self, *_: object) -> None:
        await self._store.close()


async def within(work: Awaitable[T]) -> T:
    async with asyncio.timeout(PATIENCE_S):
        return await work


async def held_lane(stack: AsyncExitStack, store: PostgresStore, lane: str = "lane-1") -> LaneSession:
    """The lane, once it is free."""
    for _ in range(1200):
        session = await stack.enter_async_context(store.lane(lane))
        if session is not None:
            return session
        await SystemClock().sleep(0.05)
    raise AssertionError("the lane is never free")


def end_sessions(postgres: PostgresServer, url: str) -> None:
    """End all sessions of all daemons, at the server."""
    postgres.run_sql(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
        " WHERE application_name LIKE 'botrunner%' AND datname = current_database()",
        url.rpartition("/")[2],
    )


# ── one COMMIT is lost ───────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("lost", ["request", "answer"])
async def test_a_turn_ends_once(store: PostgresStore, thief: Thief, lost: str) -> None:
    await store.accept(inbound())
    async with store.lane("lane-1") as session:
        assert session is not None
        work = await session.next(NOON)
        assert work is not None
        thief.steals = lost
        [filed] = await within(session.finish(finished(work, "said once", parts=1)))
        assert thief.steals == ""
        assert await session.next(NOON) is None
    assert [part.id for part in await store.outgoing(OutboxState.SENDING, 9)] == [filed.id]
    assert len(await store.answers(work.inbox_id)) == 1
    found = await store.transcript("c1")
    assert found is not None
    assert (found.line.turns, found.line.messages) == (1, 1)


@pytest.mark.parametrize("lost", ["request", "answer"])
async def test_money_that_nobody_was_told_of_is_given_back(
    store: PostgresStore, thief: Thief, lost: str
) -> None:
    await store.accept(inbound())
    async with store.lane("lane-1") as session:
        assert session is not None
        await session.next(NOON)
        thief.steals = lost
        if lost == "request":
            assert isinstance(await within(session.hold(wish("t1-1"))), Held)
            return
        with pytest.raises(StoreError):
            await within(session.hold(wish("t1-1")))
        [row] = await rows(store)
        assert (row.state, row.why) == (ReservationState.RELEASED, WHY_RELEASED)
        assert (await store.counters())[BOT] == Counter()
        assert isinstance(await session.hold(wish("t1-2")), Held)


@pytest.mark.parametrize("lost", ["request", "answer"])
async def test_a_hold_ends_once_with_its_step(store: PostgresStore, thief: Thief, lost: str) -> None:
    await store.accept(inbound())
    async with store.lane("lane-1") as session:
        assert session is not None
        await session.next(NOON)
        await session.hold(wish("t1-1"))
        thief.steals = lost
        done = await within(session.settle(settled("t1-1", step=StoredStep(0, "paid"))))
        assert done.counters[BOT] == Counter(settled=700)
        work = await session.next(NOON)
        assert work is not None
        assert work.steps == (StoredStep(0, "paid"),)
    assert (await store.counters())[BOT] == Counter(settled=700)
    assert await store.verify_books() == []


@pytest.mark.parametrize("lost", ["request", "answer"])
async def test_a_send_ends_once(store: PostgresStore, thief: Thief, lost: str) -> None:
    await store.accept(inbound())
    async with store.lane("lane-1") as session:
        assert session is not None
        work = await session.next(NOON)
        assert work is not None
        [filed] = await session.finish(finished(work, parts=1))
    thief.steals = lost
    await within(store.end_sending(filed.id, OutboxState.SENT))
    [part] = await store.answers(1)
    assert (part.state, part.tries) == (OutboxState.SENT, 1)


# ── sessions end ─────────────────────────────────────────────────────────────────────────────────────────
async def test_a_lane_is_kept_where_nobody_had_it(
    store: PostgresStore, postgres: PostgresServer, postgres_url: str
) -> None:
    await store.accept(inbound())
    async with store.lane("lane-1") as session:
        assert session is not None
        work = await session.next(NOON)
        assert work is not None
        await session.save_step("t1", StoredStep(0, "before"))
        end_sessions(postgres, postgres_url)
        await within(session.save_step("t1", StoredStep(1, "after")))
        await session.finish(finished(work, "said"))
    await store.accept(inbound("e2"))
    async with AsyncExitStack() as stack:
        again = await held_lane(stack, store)
        second = await again.next(NOON)
    assert second is not None
    assert second.history == ("said",)


async def test_whoever_comes_back_enters_no_new_lane_at_once(
    postgres: PostgresServer, postgres_url: str
) -> None:
    async with opened(postgres_url, grace_s=3600) as store:
        await store.accept(inbound())
        async with store.lane("lane-1") as session:
            assert session is not None
            end_sessions(postgres, postgres_url)
            assert await within(session.next(NOON)) is not None
            async with store.lane("lane-1|of the same writer") as mine:
                assert mine is None
            assert await session.next(NOON) is not None
        async with store.lane("lane-1") as session:
            assert session is None


@pytest.mark.parametrize("deed", ["finish", "hold", "part", "nothing", "holds on"])
async def test_a_lane_is_lost_where_somebody_had_it(
    postgres: PostgresServer,
    postgres_url: str,
    thief: Thief,
    store: PostgresStore,
    other: PostgresStore,
    deed: str,
) -> None:
    async with AsyncExitStack() as stack:
        await store.accept(inbound())
        session = await stack.enter_async_context(store.lane("lane-1"))
        assert session is not None
        work = await session.next(NOON)
        assert work is not None
        await thief.close()  # no new connection comes through
        end_sessions(postgres, postgres_url)
        async with AsyncExitStack() as theirs:
            second = await held_lane(theirs, other)
            assert await second.next(NOON) is not None
            if deed == "finish":
                await second.finish(finished(work, "theirs"))
            elif deed in ("hold", "part"):
                turn = "t1" if deed == "hold" else "t1.d1"
                await second.hold(wish(f"{turn}-1", turn=turn))
            if deed != "holds on":
                await theirs.aclose()
            await thief.open_again()
            if deed == "nothing":
                await within(tried(lambda: session.finish(finished(work, "ours"))))
            else:
                with pytest.raises(LaneLost):
                    await within(tried(lambda: session.finish(finished(work, "ours"))))
                with pytest.raises(LaneLost):
                    await session.hold(wish("t1-9"))


class Stalling(SystemClock):
    """A clock of a process that may be stopped."""

    stalled_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.stalled_s


@pytest.mark.parametrize("meanwhile", ["nothing", "buried", "lane lost"])
async def test_a_process_that_was_stopped_makes_sure_of_its_money(
    postgres_url: str, other: PostgresStore, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    clock = Stalling()
    store = PostgresStore(address_of(postgres_url), clock, writers=1)
    await store.open()
    await store.accept(inbound())
    async with store.lane("lane-1") as session:
        assert session is not None
        await session.next(NOON)
        writer: Any = store._writers[0]
        ask = writer.ask

        async def stopped(kind: Kind, asked: Any, *rest: Any, **named: Any) -> Any:
            done = await ask(kind, asked, *rest, **named)
            if kind is Kind.HOLD:
                clock.stalled_s += 5
                if meanwhile == "buried":
                    await other.settle(lost_hold("t1-1"))
                elif meanwhile == "lane lost":
                    cast("Any", session)._lane.lost = True
            return done

        monkeypatch.setattr(writer, "ask", stopped)
        if meanwhile == "nothing":
            assert isinstance(await session.hold(wish("t1-1")), Held)
        else:
            with pytest.raises(LaneLost):
                await session.hold(wish("t1-1"))
    [row] = await rows(other)
    wanted = {"nothing": "held", "buried": "unknown", "lane lost": "released"}
    assert row.state == wanted[meanwhile]
    await store.close()


async def tried(ask: Any) -> Any:
    """Asked again while there is no connection."""
    while True:
        try:
            return await ask()
        except LaneLost:
            raise
        except StoreError:
            await SystemClock().sleep(0.05)


async def test_what_waits_fails_where_there_is_no_server(
    postgres: PostgresServer, postgres_url: str, thief: Thief, store: PostgresStore
) -> None:
    await thief.close()
    end_sessions(postgres, postgres_url)
    with pytest.raises(StoreError):
        await within(store.accept(inbound()))
    with pytest.raises(StoreError):
        await within(store.figures())
    await thief.open_again()
    assert (await within(tried(lambda: store.accept(inbound())))).fresh


# ── the server restarts ──────────────────────────────────────────────────────────────────────────────────
async def work_off(store: PostgresStore, lane: str, messages: int, begun: asyncio.Event) -> None:
    """As a daemon does: accept, then take turns, whatever the store says meanwhile."""
    for number in range(messages):
        await tried(lambda number=number: store.accept(inbound(f"{lane}-{number}", lane)))
    while True:
        try:
            async with store.lane(lane) as session:
                if session is not None:
                    while (work := await session.next(NOON)) is not None:
                        await one_turn(session, work)
                        begun.set()
                    return
        except StoreError:
            pass
        await SystemClock().sleep(0.02)


async def one_turn(session: LaneSession, work: Work) -> None:
    attempt = f"{work.turn}-{work.attempts_used + 1}"
    assert isinstance(await session.hold(wish(attempt, turn=work.turn)), Held)
    await session.settle(settled(attempt, 10))
    state = work.conversation or finished(work).conversation
    then = replace(state, id=f"c {work.lane}", next_seq=state.next_seq + 1)
    await session.finish(finished(work, work.payload, conversation=then, parts=1))


@pytest.mark.parametrize("how", ["fast", "immediate"])
async def test_turns_survive_a_restart_of_the_server(
    postgres: PostgresServer, store: PostgresStore, other: PostgresStore, how: str
) -> None:
    lanes, messages, begun = 6, 6, asyncio.Event()
    async with asyncio.timeout(2 * PATIENCE_S), asyncio.TaskGroup() as tasks:
        for number in range(lanes):
            one = (store, other)[number % 2]
            tasks.create_task(work_off(one, f"lane {number}", messages, begun))
        await begun.wait()
        postgres.restart(how)  # in this thread: the server goes with the one that starts it
    for number in range(lanes):
        await store.accept(inbound(f"last {number}", f"lane {number}"))
        async with AsyncExitStack() as stack:
            work = await (await held_lane(stack, store, f"lane {number}")).next(NOON)
        assert work is not None
        assert work.history == tuple(f'{{"event":"lane {number}-{n}"}}' for n in range(messages))
    assert await store.verify_books() == []
    counter = (await store.counters())[BOT]
    found = await rows(store)
    assert counter.settled == 10 * sum(row.state is ReservationState.SETTLED for row in found)
    assert len([row for row in found if row.state is ReservationState.SETTLED]) >= lanes * messages
    assert counter.held == sum(row.hold for row in found if row.state is ReservationState.HELD)
