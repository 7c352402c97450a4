"""`python -m bench.cost`: what a thousand messages cost, with botrunner and with what most bots do.

    python -m bench.cost                                       all, some ten minutes
    python -m bench.cost --quick                               a first look, some seconds
    python -m bench.cost --only support --model anthropic/claude-haiku-4-5
    python -m bench.cost --workload chats.jsonl --join 10      conversations of one's own; the format: trajectories.py
    python -m bench.cost --plot cost.svg --json > cost.json

The real daemon, over HTTP, and each baseline, by a client of the bench, are played the same chats against one
simulated provider with a prompt cache (runner/testing/prompt_cache.py), whose bill is what counts. Time is the
workload's: days pass in seconds. Exit 1: a promise does not hold (tables.py), or a run proves nothing (trial.py).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench.cost.making import MAKERS, Size
from bench.cost.plot import svg_of
from bench.cost.subjects import Part, parts_of
from bench.cost.tables import CAPTION, Result, as_json, broken_promises, table_of
from bench.cost.trajectories import BadTrajectory, read_workload
from bench.cost.trial import Unsound, play
from bench.cost.workload import Workload
from runner.config.price_books import load_book
from runner.money.prices import PriceBook

MODELS = ("anthropic/claude-sonnet-4-6", "anthropic/claude-haiku-4-5", "openai/gpt-4o")
WIDTH = 110
BIG = "anthropic/claude-opus-4-6"
USUAL = Size(chats=8, turns=60)
QUICK = Size(chats=1, turns=16)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; returns the exit code. The arguments are the process's where there are none."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.plot is not None and given.plot.suffix != ".svg":
        parser.error("--plot writes SVG: name a file that ends in .svg")
    book = load_book("default")
    models = given.model or list(MODELS[:1] if given.quick else MODELS)
    for model in (*models, given.big):
        if book.find(*model.split("/", 1)) is None or not model.startswith(("anthropic/", "openai/")):
            parser.error(f"{model}: not a model of anthropic or openai in the price book")
    try:
        workloads = _workloads(given)
    except (BadTrajectory, OSError) as error:
        parser.error(str(error))
    parts = parts_of(workloads, models, given.big, ablate=not (given.quick or given.no_ablation))
    try:
        results = asyncio.run(run(parts, book, given.faults))
    except Unsound as error:
        print(error, file=sys.stderr)
        return 1
    if given.plot is not None:
        given.plot.write_text(svg_of(results), encoding="utf-8")
    return _show(results, as_text=not given.json, judged=not given.quick)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.cost", description="What a thousand messages cost."
    )
    parser.add_argument("--only", help=f"with commas: {', '.join(MAKERS)}")
    parser.add_argument(
        "--workload", type=Path, action="append", metavar="FILE", help="conversations, in JSONL"
    )
    parser.add_argument(
        "--join", type=int, default=1, metavar="N", help="N of the file's in a row are one chat"
    )
    parser.add_argument("--model", action="append", metavar="PROVIDER/MODEL", help="may be given again")
    parser.add_argument(
        "--big", default=BIG, metavar="PROVIDER/MODEL", help="the naive baseline's other model"
    )
    parser.add_argument("--chats", type=int, help="of each made workload")
    parser.add_argument("--turns", type=int, help="messages of a chat's user")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=int, default=0, metavar="N", help="each Nth request is answered 429")
    parser.add_argument("--no-ablation", action="store_true", help="not each saving by itself")
    parser.add_argument("--quick", action="store_true", help="little of it; factors are shown, not judged")
    parser.add_argument("--json", action="store_true", help="everything, as JSON")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="a bar chart")
    return parser


def _workloads(given: argparse.Namespace) -> list[Workload]:
    if given.workload:
        return [read_workload(path, join=given.join, seed=given.seed) for path in given.workload]
    usual = QUICK if given.quick else USUAL
    size = Size(given.chats or usual.chats, given.turns or usual.turns)
    names = given.only.split(",") if given.only else list(MAKERS)[:1] if given.quick else list(MAKERS)
    unknown = [name for name in names if name not in MAKERS]
    if unknown:
        raise BadTrajectory(f"--only: {', '.join(unknown)}; there are {', '.join(MAKERS)}")
    return [MAKERS[name](given.seed, size) for name in names]


async def run(parts: Sequence[Part], book: PriceBook, fault_every: int = 0) -> list[Result]:
    """Play everything. Raises Unsound."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    results = []
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=1) as progress:
        bar = progress.add_task("", total=sum(p.workload.messages * len(list(p.runs())) for p in parts))
        for part in parts:
            figures = []
            for subject, model in part.runs():
                progress.update(bar, description=f"{part.workload.name}, {model}: {subject.name}")
                figures.append(
                    await play(
                        part.workload, subject, model, book, lambda: progress.advance(bar), fault_every
                    )
                )
            results.append(Result(part, tuple(figures)))
    return results


def _show(results: Sequence[Result], *, as_text: bool, judged: bool) -> int:
    """Print; returns the exit code."""
    broken = list(broken_promises(results, judged=judged))
    if as_text:
        console = Console()
        console.width = max(WIDTH, console.width)
        for result in results:
            console.print(table_of(result))
        console.print(CAPTION, soft_wrap=True, highlight=False)
        for line in broken:
            console.print(f"[red]Broken:[/red] {line}")
    else:
        json.dump({"parts": as_json(results), "broken": broken}, sys.stdout, indent=1)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
