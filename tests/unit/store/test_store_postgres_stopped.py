"""A process that was stopped while something was written: what it was told is not sent before it is sure of it."""

from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from runner.errors import IllegalStep, LaneLost, StoreError
from runner.money.reservation import ReservationState
from runner.ports.books import Held
from runner.ports.mail import OutboxState
from runner.store.postgres.address import address_of
from runner.store.postgres.jobs import Kind
from runner.store.postgres.store import PostgresStore
from runner.testing.postgres_server import PostgresServer
from tests.contract.stores.examples import NOON, finished, inbound, rows, wish
from tests.unit.store.test_store_postgres_breaks import Stalling, opened


@pytest.fixture
async def other(postgres_url: str) -> AsyncIterator[PostgresStore]:
    """Another daemon."""
    async with opened(postgres_url) as store:
        yield store


@pytest.mark.parametrize("meanwhile", ["nothing", "buried", "taken over"])
@pytest.mark.parametrize("deed", [Kind.FINISH, Kind.BEGIN_SENDING])
async def test_a_process_that_was_stopped_makes_sure_of_what_it_sends(
    postgres: PostgresServer, postgres_url: str, other: PostgresStore, deed: Kind, meanwhile: str
) -> None:
    clock = Stalling()
    store = PostgresStore(address_of(postgres_url), clock, writers=1)
    await store.open()
    writer: Any = store._writers[0]
    ask = writer.ask

    async def stopped(kind: Kind, asked: Any, *rest: Any, **named: Any) -> Any:
        done = await ask(kind, asked, *rest, **named)
        if kind is deed:
            clock.stalled_s += 5
            if meanwhile != "nothing":
                back = "UPDATE outbox SET state = 'pending', daemon = NULL, crashes = 1"
                postgres.run_sql(back, postgres_url.rpartition("/")[2])
            if meanwhile == "taken over":
                await other.begin_sending([1])
        return done

    writer.ask = stopped
    first = OutboxState.SENDING if deed is Kind.FINISH else OutboxState.PENDING
    await store.accept(inbound())
    async with store.lane("lane-1") as session:
        assert session is not None
        work = await session.next(NOON)
        assert work is not None
        [part] = await session.finish(finished(work, parts=1, first_state=first))
    ours = meanwhile == "nothing"
    if deed is Kind.FINISH:
        assert part.state is (OutboxState.SENDING if ours else OutboxState.PENDING)
    elif ours:
        await store.begin_sending([1])
    else:
        with pytest.raises(IllegalStep):
            await store.begin_sending([1])
    if ours:
        await store.end_sending(1, OutboxState.SENT)
    await store.close()


@pytest.mark.parametrize("lost", [False, True])
async def test_money_is_made_sure_of_although_the_database_is_away_for_a_moment(
    postgres_url: str, other: PostgresStore, *, lost: bool
) -> None:
    clock = Stalling()
    store = PostgresStore(address_of(postgres_url), clock, writers=1)
    await store.open()
    await store.accept(inbound())
    async with store.lane("lane-1") as session:
        assert session is not None
        await session.next(NOON)
        writer: Any = store._writers[0]
        ask, away = writer.ask, {Kind.PLAIN, Kind.SETTLE}

        async def stopped(kind: Kind, asked: Any, *rest: Any, **named: Any) -> Any:
            if kind in away:
                away.discard(kind)
                raise StoreError("away")
            done = await ask(kind, asked, *rest, **named)
            if kind is Kind.HOLD:
                clock.stalled_s += 5
                cast("Any", session)._lane.lost = lost
            return done

        writer.ask = stopped
        if lost:
            with pytest.raises(LaneLost):
                await session.hold(wish("t1-1"))
        else:
            assert isinstance(await session.hold(wish("t1-1")), Held)
    [row] = await rows(other)
    assert row.state is (ReservationState.RELEASED if lost else ReservationState.HELD)
    await store.close()
