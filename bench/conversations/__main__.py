"""`python -m bench.conversations`: memory of one daemon while 10,000 conversations pass through it.

    python -m bench.conversations [--conversations 10000] [--json]

It prints resident memory after each tenth, and how much it grows with a thousand conversations once it is warm.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.conversations.memory import resident_mib, slope

SAMPLES = 10
WARM = 3
"""Samples after which it is warm: caches, the allocator's pools and SQLite's pages are filled by then."""


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.conversations", description="Memory over many conversations."
    )
    parser.add_argument("--conversations", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    each = given.conversations // SAMPLES
    with Progress(console=Console(stderr=True), refresh_per_second=1) as progress:
        bar = progress.add_task("conversations", total=each * SAMPLES)
        rss = asyncio.run(resident_mib(SAMPLES, each, lambda number: progress.update(bar, completed=number)))
    growth = slope(rss[WARM:]) * 1000 / each
    if given.json:
        json.dump({"each": each, "rss_mib": rss, "growth_mib_per_1000": growth}, sys.stdout)
        return
    table = Table(title="One daemon, one bot")
    table.add_column("conversations", justify="right")
    table.add_column("RSS, MiB", justify="right")
    for number, value in enumerate(rss, 1):
        table.add_row(str(number * each), f"{value:.1f}")
    table.caption = f"after {WARM * each}: {growth * 1024:+.0f} KiB a thousand conversations"
    Console().print(table)


if __name__ == "__main__":
    main()
