"""`python -m bench.reports`: how long the dashboard's questions take over a year, beside the ledger itself.

    python -m bench.reports [--rows 10000000] [--times 5] [--file PATH] [--json]

A year of 100 bots and 40,000 people is written to a file (10 million ledger rows: some 3 GB and some minutes), brought
to today's schema, and asked. `--file` keeps it and, where it is there already, asks it again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.reports.making import Made, make
from bench.reports.questions import USAGES, Figure, ask_others, ask_usage
from runner.store.sqlite.reader import reader_of

AIM_MS = 300


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.reports", description="The dashboard's questions over a year of data."
    )
    parser.add_argument("--rows", type=int, default=10_000_000, help="rows of the ledger")
    parser.add_argument("--times", type=int, default=5, help="how often each question is asked")
    parser.add_argument("--file", type=Path, help="keep the store here; asked again where it is there")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="botrunner-bench-") as folder:
        path = given.file or Path(folder) / "bench.db"
        with Progress(console=Console(stderr=True), refresh_per_second=1) as progress:
            made = None
            if not path.exists():
                bar = progress.add_task("rows", total=given.rows)
                made = make(path, given.rows, lambda more: progress.advance(bar, more))
            figures = asyncio.run(ask(path, given.times, progress))
    if given.json:
        json.dump({"made": made and asdict(made), "figures": [asdict(one) for one in figures]}, sys.stdout)
    else:
        show(made, given.rows, figures)


async def ask(path: Path, times: int, progress: Progress) -> list[Figure]:
    """All questions, one after the other."""
    reader = reader_of(path)
    await reader.open()
    bar = progress.add_task("questions", total=len(USAGES) + 1)
    figures = []
    for question in USAGES:
        figures.append(await ask_usage(reader, path, question, times))
        progress.advance(bar)
    figures += await ask_others(reader, times)
    progress.advance(bar)
    await reader.close()
    return figures


def show(made: Made | None, rows: int, figures: list[Figure]) -> None:
    console = Console(width=110)
    if made is not None:
        console.print(
            f"{rows:,} rows: written in {made.writing_s:.0f} s ({made.size_before / 1e6:,.0f} MB), "
            f"brought to today's schema in {made.migration_s:.0f} s ({made.size / 1e6:,.0f} MB)"
        )
    table = Table(title=f"ms, median and worst; aim: a page in {AIM_MS}")
    for name in ("question", "sums by day", "worst", "processor", "ledger", "ratio"):
        table.add_column(name, justify="left" if name == "question" else "right")
    for one in figures:
        ledger = () if one.ledger_ms is None else (f"{one.ledger_ms:.0f}", f"{one.ms / one.ledger_ms:.4f}")
        table.add_row(one.question, f"{one.ms:.0f}", f"{one.worst_ms:.0f}", f"{one.cpu_ms:.0f}", *ledger)
    console.print(table)


if __name__ == "__main__":
    main()
