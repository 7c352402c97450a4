"""A newer botrunner changes the schema while older daemons work: nothing they do fails, and all three work on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from runner.errors import StoreRefused
from runner.money.ledger import verify
from runner.ports.mail import OutboxState, StoredStep
from runner.ports.stores import Store
from runner.store.postgres.migration import Migration, load_migrations
from runner.store.postgres.store import PostgresStore
from runner.testing.postgres_server import PostgresServer
from tests.contract.fleets.postgres_world import daemon_at
from tests.contract.stores.examples import NOON, finished, inbound, rows, scope, settled, wish

SHIPPED = load_migrations()
NEWEST = SHIPPED[-1].version
ADDS = """
DO $$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace LOOP
        EXECUTE format('ALTER TABLE %I ADD COLUMN mood text NOT NULL DEFAULT %L', one.name, 'fine');
    END LOOP;
END
$$;
CREATE TABLE moods (mood text PRIMARY KEY);
CREATE INDEX inbox_by_mood ON inbox (mood);
"""
"""Each table has one column more."""
TURNS = 12

pytestmark = pytest.mark.faults


def newer(oldest: int) -> tuple[Migration, ...]:
    return (*SHIPPED, Migration(NEWEST + 1, "moods", oldest, ADDS))


@asynccontextmanager
async def opened(url: str, name: str, steps: tuple[Migration, ...] = SHIPPED) -> AsyncIterator[PostgresStore]:
    store = daemon_at(url, name, steps)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def work(store: Store, name: str, *, stop: asyncio.Event) -> int:
    """Whole turns, one after another, until told, and `TURNS` more; how many."""
    number = more = 0
    while more < TURNS:
        number += 1
        more += stop.is_set()
        lane = f"{name}|{number % 3}"
        await store.accept(inbound(f"{name} {number}", lane=lane))
        async with store.lane(lane) as session:
            assert session is not None
            todo = await session.next(NOON)
            assert todo is not None
            await session.hold(
                wish(f"{todo.turn}.1", [scope("bot", None), scope(lane, None)], turn=todo.turn)
            )
            await session.settle(settled(f"{todo.turn}.1", step=StoredStep(0, "reply")))
            [part] = await session.finish(finished(todo, "hello", parts=1, channel=f"{name}{number}"))
            if part.state is OutboxState.SENDING:
                await store.end_sending(part.id, OutboxState.SENT)
    return number


async def test_older_daemons_work_while_a_newer_one_adds_to_the_schema(postgres: PostgresServer) -> None:
    url = postgres.url(postgres.fresh())
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(opened(url, "old/1"))
        two = await stack.enter_async_context(opened(url, "old/2"))
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            older = [
                tasks.create_task(work(store, str(store.fleet.daemon), stop=stop)) for store in (one, two)
            ]
            three = await stack.enter_async_context(opened(url, "new/1", newer(oldest=1)))
            newest = tasks.create_task(work(three, "new", stop=stop))
            stop.set()
        lines = await three.fleet.daemons()
        assert [(line.name, line.schema) for line in lines] == [
            *(("old/1", NEWEST), ("old/2", NEWEST), ("new/1", NEWEST + 1))
        ]
        turns = [task.result() for task in (*older, newest)]
        found = await rows(one)
        assert len(found) == sum(turns)
        assert verify(await two.counters(), found) == []
        assert (await one.figures()).waiting == {}
        async with opened(url, "old/3") as four:
            assert await work(four, "late", stop=stop) == TURNS


async def test_what_older_daemons_cannot_work_with_waits_for_them(postgres: PostgresServer) -> None:
    url = postgres.url(postgres.fresh())
    stop = asyncio.Event()
    stop.set()
    async with opened(url, "old/1") as one:
        with pytest.raises(StoreRefused, match="stop old/1 first"):
            async with opened(url, "new/1", newer(oldest=NEWEST + 1)):
                pass
        assert await work(one, "old", stop=stop) == TURNS
    async with opened(url, "new/1", newer(oldest=NEWEST + 1)) as two:
        with pytest.raises(StoreRefused, match="install the newer one"):
            async with opened(url, "old/1"):
                pass
        assert await work(two, "new", stop=stop) == TURNS
