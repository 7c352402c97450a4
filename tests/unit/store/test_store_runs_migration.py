"""A store that comes from any earlier version: what it has goes on, and from now on runs are kept in it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from runner.clock import SystemClock
from runner.ports.runs import Decision
from runner.store.sqlite.migration import load_migrations, migrate
from runner.store.sqlite.queries import load_queries
from runner.store.sqlite.store import SqliteStore
from tests.contract.stores.examples import NOON, answer, inbound, work_on
from tests.contract.stores.test_store_runs import errand_of, handoff_of, run_of


@pytest.mark.parametrize("version", range(1, 7))
async def test_runs_are_kept_in_a_store_of_before(path: Path, version: int) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection, load_queries(), load_migrations()[:version], 1)
        connection.execute(
            "INSERT INTO inbox (bot, channel, account, event_id, lane, payload, accepted_ms)"
            " VALUES ('bot-1', 'telegram', 'acc', 'e1', 'lane-1', 'from before', ?)",
            (NOON,),
        )
        connection.execute("INSERT INTO steps VALUES ('t1', 0, 'paid')")
    store = SqliteStore(path, SystemClock())
    await store.open()
    try:
        work = await work_on(store)
        assert (work.payload, [step.payload for step in work.steps]) == ("from before", ["paid"])
        assert await store.runs.handoffs(None, 9) == []
        message = inbound("e2", lane="lane-2")
        await answer(store, message, run=run_of(), errands=(errand_of(),), handoff=handoff_of())
        await store.runs.decide("ht1.n1", Decision.APPROVED, "x", "", errand_of("decided"), NOON)
        assert await store.runs.run("rt1") == run_of()
        assert [errand.key for errand in await store.runs.errands(NOON, 9)] == ["e.t1", "decided"]
        await store.runs.remember("bot-1", "anna", "k", "v", NOON)
        assert await store.runs.recall("bot-1", "anna", "k") == "v"
    finally:
        await store.close()
