"""kill -9 at any moment: whatever was promised is there, and the books are right."""

import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from runner.clock import SystemClock
from runner.errors import StoreRefused
from runner.money.reservation import ReservationState
from runner.store.sqlite.reader import reader_of
from runner.store.sqlite.store import SqliteStore
from tests.contract.stores.examples import UNKNOWN, inbound, rows

ROOT = Path(__file__).parents[2]
KILLS = 20

pytestmark = [pytest.mark.faults, pytest.mark.slow]

Promises = list[list[str]]


def live(path: Path, seed: int) -> Iterator[subprocess.Popen[str]]:
    """A victim at work; killed when the iterator goes on."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.faults.store_victim", str(path), str(seed)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as victim:
        try:
            yield victim
        finally:
            victim.send_signal(signal.SIGKILL)


def one_life(path: Path, seed: int, promises: int) -> Promises:
    """Let a victim work until it has made so many promises, kill it, and hear the rest of them."""
    heard: Promises = []
    for victim in live(path, seed):
        assert victim.stdout is not None
        for line in victim.stdout:
            heard.append(line.split())
            if len(heard) == promises:
                victim.send_signal(signal.SIGKILL)
    return heard


async def check(store: SqliteStore, promised: Promises) -> None:
    """All that was promised in all lives is there."""
    found = {row.attempt.id: row for row in await rows(store)}
    for kind, name, *cost in promised:
        if kind == "hold":
            assert name in found
        elif kind == "settle":
            assert (found[name].state, found[name].cost) == (ReservationState.SETTLED, int(cost[0]))
        else:
            seen = await store.seen(inbound(name))
            assert seen is not None, f"{name} was promised and is lost"
            assert seen.finished or kind == "accept"


async def test_nothing_that_was_promised_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    dice = random.Random(20261122)
    promised: Promises = []
    for seed in range(KILLS):
        promised += one_life(path, seed, dice.randrange(1, 400))
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        store = SqliteStore(path, SystemClock())
        await store.open()
        await check(store, promised)
        recovered = await store.recover()
        assert recovered.sends_again <= 12
        assert recovered.sends_unknown == 0
        assert recovered.holds_unknown <= 12
        lost = [row for row in await rows(store) if row.state is UNKNOWN]
        assert all(row.cost == row.hold for row in lost)
        await store.close()
        assert await reader_of(path).verify_books() == []
    assert {words[0] for words in promised} == {"accept", "hold", "settle", "finish"}


async def test_a_dead_holder_frees_the_store(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = SqliteStore(path, SystemClock())
    for victim in live(path, 1):
        assert victim.stdout is not None
        assert victim.stdout.readline()
        with pytest.raises(StoreRefused, match=rf"pid {victim.pid}\b"):
            await store.open()
    await store.open()
    await store.close()
