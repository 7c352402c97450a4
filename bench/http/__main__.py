"""`python -m bench.http`: answered webhooks a second on one core, beside a bare aiohttp handler; and who suffers.

    python -m bench.http [--seconds 10] [--rounds 5] [--connections 64] [--users 1000] [--client auto|wrk|own]
    python -m bench.http --quick --json

    botrunner   POST /api/bots/webhook/custom/{bot}, the echo provider: accepted, held, settled, answered, each durable
    bare        an aiohttp handler on the same loop that reads the same JSON and answers the same JSON, and nothing else
    siege       one bot's latency, alone and while another one's door is held half open, or fed with 1 MiB bodies

Rules: each server has one core to itself where the machine has more than one and lets us say so, the client has the
others; both servers live at once and take turns, who goes first changes; figures are medians over rounds, and the
ratio is what counts.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.progress import Progress

from bench.http.clients import Load, burst, own_burst
from bench.http.siege import Siege, besieged
from bench.http.subjects import BARE, DAEMON, core_apart, served
from bench.http.tables import siege_table, throughput_table
from bench.load.measures import Figures, medians

WARM_UP_S = 2.0


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured. `wrk`: by wrk, else by a small client of our own."""

    load: Load
    siege: Siege
    rounds: int
    wrk: bool


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, then print the tables, or everything as JSON. The arguments are the process's where there are none."""
    given = _given(arguments)
    plan = Plan(
        load=Load(given.connections, given.users, 1.0 if given.quick else given.seconds),
        siege=Siege(seconds=1.0, half_open=20) if given.quick else Siege(seconds=given.seconds),
        rounds=1 if given.quick else given.rounds,
        wrk=given.client == "wrk" or (given.client == "auto" and shutil.which("wrk") is not None),
    )
    with core_apart() as core:
        figures = asyncio.run(measure(plan, core))
    machine = {"core": core, "client": "wrk" if plan.wrk else "own", "load_average": os.getloadavg()}
    if given.json:
        json.dump({**figures, "machine": machine, "plan": asdict(plan)}, sys.stdout, indent=1)
        return
    middles = {name: medians(rounds) for name, rounds in figures.items()}
    console = Console()
    console.print(throughput_table(middles))
    console.print(siege_table(middles))
    pinned = "not pinned to a core" if core is None else f"each server pinned to core {core}"
    one, five, fifteen = os.getloadavg()
    console.print(f"client: {machine['client']}, {pinned}; load average {one:.1f}, {five:.1f}, {fifteen:.1f}")


def _given(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.http", description="Answered webhooks a second on one core."
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="of each burst and each siege")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument(
        "--users", type=int, default=1000, help="who write in turn, each in an own conversation"
    )
    parser.add_argument(
        "--client", choices=("auto", "wrk", "own"), default="auto", help="auto: wrk if installed"
    )
    parser.add_argument("--quick", action="store_true", help="one round of little")
    parser.add_argument("--json", action="store_true", help="all rounds, as JSON")
    return parser.parse_args(arguments)


async def measure(plan: Plan, core: int | None) -> dict[str, list[Figures]]:
    """All figures of all rounds, by subject or siege."""
    figures: dict[str, list[Figures]] = {}
    asking = burst if plan.wrk else own_burst
    with Progress(console=Console(stderr=True), refresh_per_second=1) as progress:
        bar = progress.add_task("rounds", total=2 * plan.rounds + 1)
        async with served(DAEMON, core) as daemon, served(BARE, core) as bare:
            ways = {DAEMON.name: daemon, BARE.name: bare}
            warm_up = Load(plan.load.connections, plan.load.users, min(WARM_UP_S, plan.load.seconds))
            for server in ways.values():
                await asking(server, warm_up)
            for number in range(plan.rounds):
                # Who goes first has the colder machine: turn by turn.
                order = list(ways.items()) if number % 2 == 0 else list(ways.items())[::-1]
                for name, server in order:
                    figures.setdefault(name, []).append(await asking(server, plan.load))
                    progress.advance(bar)
        async with served(DAEMON, core) as daemon:
            figures |= await besieged(daemon, plan.siege, plan.rounds)
        progress.advance(bar)
    return figures


if __name__ == "__main__":
    main()
