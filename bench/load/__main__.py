"""`python -m bench.load`: botrunner beside a floor on each platform, and beside a script on Telegram.

    python -m bench.load                          all about Telegram, about ten minutes
    python -m bench.load --quick                  a minute, for a first look
    python -m bench.load --bots 1,100 --latency-ms 0 --rounds 5 --json
    python -m bench.load --platform all           one bot on each platform
    python -m bench.load --platform slack --bots 1,20
    python -m bench.load --mixed 100              one daemon with twenty bots of each platform
    python -m bench.load --daemons 1,2,4          several daemons on one PostgreSQL, beside a task queue

Rules: figures are medians over rounds; what counts is the ratio to the others in the same run, for machines
differ and are shared. No figure here is a test.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench.load.measures import Figures, medians
from bench.load.rounds import Load, many_bots, one_bot
from bench.load.subjects import subjects_on
from bench.load.tables import MIXED, bots_table, crowds_of, mixed_table, platforms_table, subjects_table
from bench.load.venues import PLATFORMS

QUICK = Load(messages=300, paced=5, every_s=0.5, slow_users=50, slow_each=2, rest_s=0.3, idle_s=0.5)
TELEGRAM_BOTS = "1,10,100,500"
Round = Callable[[], Awaitable[Figures]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, then print the tables, or everything as JSON. The arguments are the process's where there are none."""
    given = _given(arguments)
    if given.daemons:
        several(given)
        return
    slow_ms = max(int(part) for part in given.latency_ms.split(","))
    load = replace(QUICK if given.quick else Load(), slow_s=slow_ms / 1000)
    platforms = _platforms(given.platform, given.mixed)
    default = TELEGRAM_BOTS if platforms == ("telegram",) else "1"
    bots = sorted({int(part) for part in (given.bots or default).split(",")})
    plan = [plan_of(platform, load, bots) for platform in platforms]
    if given.mixed:
        plan.append(mixed_plan(given.mixed, load))
    figures = asyncio.run(measure(plan, 1 if given.quick else given.rounds))
    if given.json:
        json.dump(figures, sys.stdout, indent=1)
        return
    show(figures, platforms)


def _given(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.load", description="Load, beside others.")
    parser.add_argument(
        "--platform", choices=(*PLATFORMS, "all"), help="telegram, unless --mixed is all there is"
    )
    parser.add_argument(
        "--bots", help=f"how many bots in one daemon, with commas; {TELEGRAM_BOTS} for Telegram alone, else 1"
    )
    parser.add_argument("--mixed", type=int, metavar="N", help="N idle bots of all platforms in one daemon")
    parser.add_argument(
        "--daemons", help="how many daemons on one PostgreSQL, with commas; nothing else then"
    )
    parser.add_argument("--messages", type=int, default=8000, help="of a round with --daemons")
    parser.add_argument(
        "--hands", type=int, default=8, help="with --daemons: messages of a producer on their way at once"
    )
    parser.add_argument("--latency-ms", default="0,800", help="the model's: 0 and, if any, a slow one")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one round of little")
    parser.add_argument("--json", action="store_true", help="all rounds, as JSON")
    given = parser.parse_args(arguments)
    if given.mixed is not None and given.mixed < len(PLATFORMS):
        parser.error(f"--mixed: at least {len(PLATFORMS)}, one of each platform")
    return given


def several(given: argparse.Namespace) -> None:
    """Many daemons on one database; the table, or everything as JSON."""
    from bench.load.fleet_tables import fleet_table, measure_fleet  # noqa: PLC0415 - it needs a PostgreSQL

    daemons = sorted({int(part) for part in given.daemons.split(",")})
    bots = sorted({int(part) for part in (given.bots or "1,100").split(",")})
    messages, rounds = (800, 1) if given.quick else (given.messages, given.rounds)
    figures = asyncio.run(measure_fleet(daemons, bots, messages, given.hands, rounds))
    if given.json:
        json.dump(figures, sys.stdout, indent=1)
        return
    print(fleet_table(figures))


def _platforms(asked: str | None, mixed: int | None) -> tuple[str, ...]:
    if asked == "all":
        return PLATFORMS
    if asked is None:
        return () if mixed else ("telegram",)
    return (asked,)


def plan_of(platform: str, load: Load, bots: Sequence[int]) -> Mapping[str, Round]:
    """One platform's rounds by name: a subject's, or how many bots there are in one daemon."""
    alone = subjects_on(platform) if 1 in bots else ()
    return {
        **{f"{platform}/{one.name}": partial(one_bot, one, platform, load) for one in alone},
        **{f"{platform}/{many}": partial(many_bots, [platform] * many, load) for many in bots if many > 1},
    }


def mixed_plan(bots: int, load: Load) -> Mapping[str, Round]:
    """One bot of each platform, then `bots` of them, as many of each as of the next."""
    crowds = (list(PLATFORMS), [PLATFORMS[number % len(PLATFORMS)] for number in range(bots)])
    return {f"{MIXED}/{len(crowd)}": partial(many_bots, crowd, load) for crowd in crowds}


async def measure(plan: Sequence[Mapping[str, Round]], rounds: int) -> dict[str, list[Figures]]:
    """All figures of all rounds, by the round's name."""
    figures: dict[str, list[Figures]] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=1) as progress:
        bar = progress.add_task("starting", total=rounds * sum(map(len, plan)))
        for number in range(1, rounds + 1):
            for part in plan:
                # Who goes first has the colder machine: turn by turn.
                order = list(part.items()) if number % 2 else list(part.items())[::-1]
                for name, play in order:
                    progress.update(bar, description=f"round {number}: {name}")
                    figures.setdefault(name, []).append(await play())
                    progress.advance(bar)
    return figures


def show(figures: Mapping[str, Sequence[Figures]], platforms: Sequence[str]) -> None:
    """The tables."""
    console = Console()
    middles = {name: medians(rounds) for name, rounds in figures.items()}
    alone = [platform for platform in platforms if f"{platform}/botrunner" in middles]
    if len(alone) > 1:
        console.print(platforms_table(middles, alone))
    elif alone:
        console.print(subjects_table(middles, alone[0]))
    for platform in platforms:
        if crowds_of(middles, platform):
            console.print(bots_table(middles, platform))
    if crowds_of(middles, MIXED):
        console.print(mixed_table(middles))


if __name__ == "__main__":
    main()
