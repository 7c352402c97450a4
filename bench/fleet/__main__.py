"""`python -m bench.fleet`: a thousand daemons on one PostgreSQL, in virtual time.

    python -m bench.fleet                    how fast, where it bends, what to do then; some minutes
    python -m bench.fleet --quick            a few daemons only
    python -m bench.fleet --seeds 3000       that many small runs with deaths: is anything ever wrong?
    python -m bench.fleet --flaws            the same with one rule left out at a time: is it seen?
    python -m bench.fleet --whole            1,000 daemons, 1,000,000 conversations, with deaths, once
    python -m bench.fleet --calibrate        what things cost on this machine's PostgreSQL
    python -m bench.fleet --costs FILE       play with those costs

Rules: the same arguments print the same but for how long it took; it exits with 1 where anything was ever wrong.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from bench.fleet.fleet import run
from bench.fleet.outcome import Outcome
from bench.fleet.settings import MEASURED, Costs, Flaw, Habits, Kind, Scenario, Server
from bench.fleet.tables import (
    BOTS,
    DAEMONS,
    ENOUGH,
    FEW_DAEMONS,
    QUICK,
    remedies,
    sizes,
    small,
    speeds,
    stormy,
    whole,
)

FLAWED_SEEDS = 25


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the arguments say; the process's where there are none."""
    given = _given(arguments)
    if given.calibrate:
        from bench.fleet.calibrate import calibrate  # noqa: PLC0415 - it starts a server

        json.dump(calibrate(), sys.stdout, indent=1)
        return
    costs = MEASURED if given.costs is None else read_costs(given.costs)
    if given.seeds:
        wrong = check_seeds(given.seed, given.seeds)
    elif given.flaws:
        wrong = show_flaws()
    elif given.whole:
        wrong = play_whole(costs, given.seed)
    else:
        wrong = show(costs, Server(cores=given.cores), given.seed, quick=given.quick)
    sys.exit(wrong > 0)


def _given(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.fleet", description="A fleet, in virtual time.")
    parser.add_argument("--quick", action="store_true", help="few daemons")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=0, help="so many small runs with deaths")
    parser.add_argument("--flaws", action="store_true", help="leave out one rule at a time")
    parser.add_argument("--whole", action="store_true", help="1,000 daemons, 1,000,000 conversations")
    parser.add_argument("--calibrate", action="store_true", help="measure this machine's PostgreSQL")
    parser.add_argument("--costs", type=Path, help="what --calibrate printed")
    parser.add_argument("--cores", type=int, default=8, help="the database's processors")
    return parser.parse_args(arguments)


def read_costs(file: Path) -> Costs:
    """Costs as `--calibrate` prints them; what is not in it is as in `MEASURED`."""
    found = json.loads(file.read_text(encoding="utf-8"))
    rows, first = (
        {**known, **{Kind[name.upper()]: cost for name, cost in found.pop(part, {}).items()}}
        for part, known in (("rows", MEASURED.rows), ("first", MEASURED.first))
    )
    return replace(MEASURED, **found, rows=rows, first=first)


def show(costs: Costs, server: Server, seed: int, *, quick: bool) -> int:
    """The tables; returns how many runs had faults."""
    faults = 0

    def play(scenario: Scenario) -> Outcome:
        nonlocal faults
        found = run(scenario, seed)
        faults += bool(found.faults)
        return found

    daemons = FEW_DAEMONS if quick else DAEMONS
    for bots in BOTS[:2] if quick else BOTS:
        print(speeds(play, bots, costs, server, daemons, QUICK if quick else ENOUGH))
    if not quick:
        print(remedies(play, costs, server))
    print(sizes(costs, Habits(), lanes=100))
    return faults


def check_seeds(first: int, seeds: int) -> int:
    """Small runs with deaths; returns how many went wrong."""
    begun, wrong = time.perf_counter(), 0
    messages = calls = doubled = 0
    for seed in range(first, first + seeds):
        scenario = stormy(seed) if seed % 2 else small(seed)
        found = run(scenario, seed)
        messages, calls, doubled = messages + scenario.messages, calls + found.calls, doubled + found.doubled
        if found.faults:
            wrong += 1
            print(f"seed {seed}: {'; '.join(found.faults[:3])}")
    took = time.perf_counter() - begun
    print(
        f"{seeds} runs, {messages} messages, {calls} calls: {wrong} runs with a fault;"
        f" {doubled} replies sent twice and listed; {took:.1f} s"
    )
    return wrong


def show_flaws() -> int:
    """Each rule left out; returns how many of them nobody would have missed."""
    unseen = 0
    for flaw in Flaw:
        found = [run(stormy(seed, flaw), seed).faults for seed in range(FLAWED_SEEDS)]
        seen = [faults[0] for faults in found if faults]
        unseen += not seen
        print(f"{str(flaw.name).lower()}: seen in {len(seen)} of {FLAWED_SEEDS} runs: {seen[:1]}")
    return unseen


def play_whole(costs: Costs, seed: int) -> int:
    """The run of full size; returns 1 where something was wrong."""
    begun = time.perf_counter()
    found = run(whole(costs), seed)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(asdict(found))
    print(f"{time.perf_counter() - begun:.0f} s, {memory:.0f} MiB")
    return bool(found.faults)


if __name__ == "__main__":
    main()
