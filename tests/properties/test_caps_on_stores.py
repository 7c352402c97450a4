"""The promise on the real thing: 200 conversations at once, 5 USD, faults: not a pico-dollar over."""

from pathlib import Path

import pytest

from runner.clock import SystemClock
from runner.money.amounts import from_usd
from runner.money.prices import Price, Rates
from runner.store.memory import MemoryStore
from runner.store.sqlite.reader import reader_of
from runner.store.sqlite.store import SqliteStore
from runner.testing.cap_trial import Trial, try_cap

CAP = from_usd("5.00")
PRICE = Price("model", "trial", Rates(input=3 * 10**12, output=15 * 10**12), version="trial")


def _holds(trial: Trial) -> None:
    assert trial.overshoot == 0
    assert trial.counter.taken <= CAP
    assert trial.counter.held == 0
    assert trial.billed <= trial.counter.gone
    assert trial.false_limits == 0
    assert trial.used_permille >= 950
    assert CAP - trial.counter.gone < trial.least


@pytest.mark.parametrize("seed", range(20))
async def test_on_sqlite(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "botrunner.db"
    store = SqliteStore(path, SystemClock())
    await store.open()
    trial = await try_cap(store, PRICE, CAP, seed)
    await store.close()
    _holds(trial)
    reader = reader_of(path)
    await reader.open()
    assert await reader.verify_books() == []
    await reader.close()


@pytest.mark.parametrize("seed", range(3))
async def test_on_memory(seed: int) -> None:
    store = MemoryStore()
    await store.open()
    _holds(await try_cap(store, PRICE, CAP, seed))
