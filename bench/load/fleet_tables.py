"""The rounds of `bench load --daemons`, and their table."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench.load.fleet import OURS, QUEUE, Round, a_server, play
from bench.load.measures import Figures, medians, ratio

SLOWER = 8
"""The queue is given so many times fewer messages: its rate does not depend on it, and it takes its time."""


async def measure_fleet(
    daemons: Sequence[int], bots: Sequence[int], messages: int, hands: int, rounds: int
) -> dict[str, list[Figures]]:
    """All figures of all rounds, by `subject/daemons/bots`. Raises `bench.load.fleet.Wrong`."""
    plan = [
        Round(subject, number, many, messages if subject == OURS else messages // SLOWER, hands=hands)
        for many in bots
        for number in daemons
        for subject in (OURS, QUEUE)
    ]
    figures: dict[str, list[Figures]] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    async with a_server() as (server, folder):
        with Progress(*columns, console=Console(stderr=True), refresh_per_second=1) as progress:
            bar = progress.add_task("starting", total=rounds * len(plan))
            for number in range(1, rounds + 1):
                for one in plan if number % 2 else plan[::-1]:
                    name = f"{one.subject}/{one.daemons}/{one.bots}"
                    progress.update(bar, description=f"round {number}: {name}")
                    found = await play(one, server, folder)
                    figures.setdefault(name, []).append({**found, "load": os.getloadavg()[0]})
                    progress.advance(bar)
    return figures


def fleet_table(figures: Mapping[str, Sequence[Figures]]) -> str:
    """A line for each number of bots and daemons: both, and the ratio. In Markdown."""
    middles = {name: medians(rounds) for name, rounds in figures.items()}
    keys = [name.partition("/")[2] for name in middles if name.startswith(OURS)]
    head = (
        "bots", "daemons", "messages/s", "accepted/s", "procrastinate", "ratio", "CPU ms: daemons", "database",
        "two cores alone",
    )  # fmt: skip
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for key in keys:
        daemons, _, bots = key.partition("/")
        ours, theirs = middles[f"{OURS}/{key}"], middles.get(f"{QUEUE}/{key}", {})
        share = ratio(ours["rate"], theirs.get("rate", 0.0))
        cpu_ms = ours["daemons_ms"] + ours["database_ms"]
        cells = (
            bots, daemons, f"{ours['rate']:,.0f}", f"{ours['accepted']:,.0f}", f"{theirs.get('rate', 0):,.0f}",
            "" if share is None else f"{share:.1f}", f"{ours['daemons_ms']:.2f}", f"{ours['database_ms']:.2f}",
            f"{2000 / cpu_ms:,.0f}",
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    loads = [one["load"] for rounds in figures.values() for one in rounds]
    told = (
        "Producers are in the daemons and count with them. `two cores alone`: what the processor time comes to, were"
        f" both free for it all the time; the machine's load was {min(loads):.1f} to {max(loads):.1f}."
    )
    return "\n".join([*lines, "", told])
