"""The store is really written to."""

import asyncio
import sqlite3
from pathlib import Path

from runner.store.sqlite.store import SqliteStore
from runner.telemetry.health import EVERY_S, PROBE, StoreProbe
from runner.testing.clock import ManualClock


async def test_what_is_tried_is_on_the_disk(tmp_path: Path) -> None:
    clock = ManualClock()
    path = tmp_path / "store.db"
    store = SqliteStore(path, clock)
    await store.open()
    probe = StoreProbe(store, clock, "4711")
    assert (await probe.check()).ok
    other = sqlite3.connect(path)
    assert other.execute("SELECT holder FROM leases WHERE name = ?", (PROBE,)).fetchall() == [("4711",)]
    other.close()
    await store.close()
    assert (await probe.check()).ok, "as of a second ago at the latest"
    clock.advance(EVERY_S)
    failed = await probe.check()
    assert not failed.ok
    assert failed.why


async def test_a_store_that_does_not_answer_fails() -> None:
    class Stuck:
        async def lease(self, name: str, holder: str, ttl_ms: int, now_ms: int) -> None:
            await asyncio.Event().wait()

    check = await StoreProbe(Stuck(), ManualClock(), "1", within_s=0.01).check()
    assert (check.ok, check.why) == (False, "no answer within 0.01 s")
