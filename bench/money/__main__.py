"""`python -m bench.money`: how many calls' money a second is held and settled, durably (SQLite, synchronous=FULL).

    python -m bench.money [--pairs 5000] [--rounds 5] [--json]

    grouped       the daemon's store: one writer thread, what waits at a moment in one transaction
    one by one    the same units on the same kind of file, a transaction for each

Rules: both in turn, `AT_ONCE` callers each, figures are medians over rounds, and the ratio is what counts.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from runner.bots import BillingMode
from runner.clock import SystemClock, UnixMs
from runner.money.amounts import Money
from runner.money.budget import ScopeLimit
from runner.money.estimate import Estimate
from runner.money.ledger import Attempt
from runner.money.reservation import ReservationState
from runner.money.usage import Usage
from runner.ports.books import HoldRequest, Settlement
from runner.store.sqlite.connection import open_for_writing
from runner.store.sqlite.deposits import DepositRows
from runner.store.sqlite.inbox import InboxRows
from runner.store.sqlite.migration import load_migrations
from runner.store.sqlite.money import MoneyRows
from runner.store.sqlite.queries import load_queries
from runner.store.sqlite.run_rows import RunRows
from runner.store.sqlite.store import SqliteStore
from runner.store.sqlite.turns import TurnRows

AT_ONCE = 64
BOTS = 8
BOUND = Estimate(
    input_tokens=500,
    output_tokens=512,
    floor_tokens=64,
    input_cost=Money(50_000_000),
    output_rate=400_000_000_000,
)
COST = Money(60_000_000)
USAGE = Usage(input_tokens=100, output_tokens=60)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.money", description="Holds and settlements a second."
    )
    parser.add_argument("--pairs", type=int, default=5000, help="pairs a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    ways: dict[str, Callable[[Path, int], Coroutine[None, None, float]]] = {
        "one by one": one_by_one,
        "grouped": grouped,
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    with Progress(console=Console(stderr=True), refresh_per_second=1) as progress:
        bar = progress.add_task("rounds", total=given.rounds * len(ways))
        for _ in range(given.rounds):
            for name, way in ways.items():
                with tempfile.TemporaryDirectory(prefix="botrunner-bench-") as folder:
                    seconds = asyncio.run(way(Path(folder) / "bench.db", given.pairs))
                rates[name].append(given.pairs / seconds)
                progress.advance(bar)
    if given.json:
        json.dump(rates, sys.stdout)
        return
    table = Table(title=f"Hold and settle, synchronous=FULL, {AT_ONCE} at once: medians of {given.rounds}")
    for name in ("way", "pairs/s", "ratio"):
        table.add_column(name, justify="left" if name == "way" else "right")
    least = median(rates["one by one"])
    for name, found in rates.items():
        table.add_row(name, f"{median(found):.0f}", f"{median(found) / least:.2f}")
    Console().print(table)


async def grouped(path: Path, pairs: int) -> float:
    """By the daemon's store; seconds."""
    store = SqliteStore(path, SystemClock())
    await store.open()
    numbers = iter(range(pairs))

    async def caller() -> None:
        for number in numbers:
            await store.hold(hold(number))
            await store.settle(settlement(number))

    begun = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(AT_ONCE):
            group.create_task(caller(), name=f"caller {number}")
    seconds = time.perf_counter() - begun
    await store.close()
    return seconds


async def one_by_one(path: Path, pairs: int) -> float:
    """A transaction for each unit, without a thread between: the best that this can do; seconds."""
    sql = load_queries()
    rows = MoneyRows(sql, TurnRows(sql, RunRows(sql, InboxRows(sql))), DepositRows(sql))
    connection = open_for_writing(path, sql, load_migrations(), SystemClock().now_ms())

    def alone(unit: Callable[[], object]) -> None:
        connection.execute(sql["begin_write"])
        unit()
        connection.execute(sql["commit"])

    begun = time.perf_counter()
    for number in range(pairs):
        alone(partial(rows.hold, connection, hold(number)))
        alone(partial(rows.settle, connection, settlement(number)))
    seconds = time.perf_counter() - begun
    connection.close()
    return seconds


def hold(number: int) -> HoldRequest:
    """The hold of one call, in two scopes."""
    bot, turn = f"bot{number % BOTS}", f"t{number}"
    attempt = Attempt(
        id=f"{turn}-1",
        time_ms=UnixMs(1_800_000_000_000 + number),
        bot=bot,
        platform="telegram",
        channel="telegram",
        conversation=f"c{number}",
        user=str(number % 1000),
        turn=turn,
        provider="house",
        model="m",
        price_version="bench",
        billing_mode=BillingMode.WALLET,
    )
    scopes = (ScopeLimit(f"bot:{bot}", Money(10**18)), ScopeLimit(f"message:{turn}", Money(10**12)))
    return HoldRequest(attempt, scopes, BOUND)


def settlement(number: int) -> Settlement:
    """The end of that hold."""
    return Settlement(
        f"t{number}-1", ReservationState.SETTLED, COST, USAGE, stop_reason="stop", latency_ms=800
    )


if __name__ == "__main__":
    main()
