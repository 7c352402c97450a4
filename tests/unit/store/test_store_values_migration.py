"""A store that comes from any earlier version keeps shared values from now on, over a restart too."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from runner.clock import SystemClock
from runner.store.sqlite.migration import load_migrations, migrate
from runner.store.sqlite.queries import load_queries
from runner.store.sqlite.store import SqliteStore
from runner.store.sqlite.tending import info
from tests.contract.stores.examples import NOON, work_on


@pytest.mark.parametrize("version", range(1, 8))
async def test_values_are_kept_in_a_store_of_before(path: Path, version: int) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection, load_queries(), load_migrations()[:version], 1)
        connection.execute(
            "INSERT INTO inbox (bot, channel, account, event_id, lane, payload, accepted_ms)"
            " VALUES ('bot-1', 'telegram', 'acc', 'e1', 'lane-1', 'from before', ?)",
            (NOON,),
        )
    for expected in (None, "used"):
        store = SqliteStore(path, SystemClock())
        await store.open()
        try:
            assert (await work_on(store)).payload == "from before"
            assert await store.values.value("link-used/1", NOON) == expected
            assert await store.values.put_new("link-used/1", expected or "used", NOON, NOON + 9) == "used"
        finally:
            await store.close()
    assert info(path).rows["shared_values"] == 1
