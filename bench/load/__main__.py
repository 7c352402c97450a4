"""`python -m bench.load`: botrunner beside a minimal python-telegram-bot + openai script, rounds interleaved.

    python -m bench.load                          all of it, about ten minutes
    python -m bench.load --quick                  a minute, for a first look
    python -m bench.load --bots 1,100 --latency-ms 0 --rounds 5 --json

Rules: figures are medians over rounds; what counts is the ratio to the script in the same run, for machines
differ and are shared. No figure here is a test.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench.load.measures import Figures, medians
from bench.load.rounds import Load, many_bots, one_bot
from bench.load.stage import Stage
from bench.load.subjects import BOTRUNNER, SUBJECTS
from bench.load.tables import bots_table, subjects_table

QUICK = Load(messages=300, paced=5, every_s=0.5, slow_users=50, slow_each=2)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.load", description="Load, beside a minimal script."
    )
    parser.add_argument("--bots", default="1,10,100,500", help="how many bots in one daemon, with commas")
    parser.add_argument("--latency-ms", default="0,800", help="the model's: 0 and, if any, a slow one")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one round of little")
    parser.add_argument("--json", action="store_true", help="all rounds, as JSON")
    given = parser.parse_args()
    slow_ms = max(int(part) for part in given.latency_ms.split(","))
    load = replace(QUICK if given.quick else Load(), slow_s=slow_ms / 1000)
    bots = sorted({int(part) for part in given.bots.split(",")})
    rounds = 1 if given.quick else given.rounds
    figures = asyncio.run(measure(load, bots, rounds))
    if given.json:
        json.dump(figures, sys.stdout, indent=1)
        return
    show(figures)


async def measure(load: Load, bots: Sequence[int], rounds: int) -> dict[str, list[Figures]]:
    """All rounds of all subjects, by name; a daemon with more bots is named by their number."""
    figures: dict[str, list[Figures]] = {}
    crowds = [number for number in bots if number > 1]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=1) as progress:
        steps = rounds * ((len(SUBJECTS) if 1 in bots else 0) + len(crowds))
        bar = progress.add_task("starting", total=steps)
        for number in range(1, rounds + 1):
            # Who goes first has the colder machine: turn by turn.
            order = SUBJECTS if number % 2 else SUBJECTS[::-1]
            for subject in order if 1 in bots else ():
                progress.update(bar, description=f"round {number}: {subject.name}")
                async with Stage() as stage:
                    figures.setdefault(subject.name, []).append(
                        await one_bot(subject, stage, "42:abcdefgh", load)
                    )
                progress.advance(bar)
            for many in crowds:
                progress.update(bar, description=f"round {number}: {many} bots")
                async with Stage() as stage:
                    figures.setdefault(str(many), []).append(await many_bots(stage, many, 100))
                progress.advance(bar)
    return figures


def show(figures: dict[str, list[Figures]]) -> None:
    """The tables."""
    console = Console()
    middles = {name: medians(rounds) for name, rounds in figures.items()}
    if BOTRUNNER.name in middles:
        console.print(subjects_table(middles))
    if any(name.isdigit() for name in middles):
        console.print(bots_table(middles))


if __name__ == "__main__":
    main()
