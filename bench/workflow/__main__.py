"""`python -m bench.workflow`: one support interaction as an agent loop and as a workflow, and what each costs.

    python -m bench.workflow                                  50 customers, two models
    python -m bench.workflow --interactions 10 --model openai/gpt-4o --json

A customer asks about an order: classify, look up the order, respond. The real daemon answers over HTTP, both ways,
with the same prompt, the same server of orders and the same words; the model is made up and counts four bytes a token
of what is really sent. Exit 1: the workflow is less than 30 % cheaper, or a run proves nothing (trial.py).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from bench.cost.trial import Unsound
from bench.workflow.shop import interactions
from bench.workflow.trial import WAYS, Figures, play
from runner.config.price_books import load_book

MODELS = {
    "anthropic/claude-sonnet-4-6": "anthropic/claude-haiku-4-5",
    "openai/gpt-4o-mini": "openai/gpt-4o-mini",
}
"""Each with the small one that classifies for it."""
PROMISED = 0.30
"""How much cheaper the workflow is at the least, with the same model."""
COLUMNS = ("calls", "tokens in", "tokens out", "USD / 1,000", "cheaper")
CAPTION = (
    "Calls and tokens are of one interaction, on average. The model's bill and the daemon's ledger agree."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; returns the exit code. The arguments are the process's where there are none."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.workflow", description="An agent loop and a workflow."
    )
    parser.add_argument("--interactions", type=int, default=50, metavar="N", help="customers")
    parser.add_argument("--model", action="append", metavar="PROVIDER/MODEL", help="may be given again")
    parser.add_argument("--small", metavar="PROVIDER/MODEL", help="who classifies, in the third row")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="everything, as JSON")
    given = parser.parse_args(arguments)
    book = load_book("default")
    models = given.model or list(MODELS)
    smalls = [given.small or MODELS.get(model, model) for model in models]
    for model in (*models, *smalls):
        if book.find(*model.split("/", 1)) is None or not model.startswith(("anthropic/", "openai/")):
            parser.error(f"{model}: not a model of anthropic or openai in the price book")
    if given.interactions < 1:
        parser.error("--interactions: at least 1")
    made = interactions(given.seed, given.interactions)
    try:
        found = [
            asyncio.run(play(made, model, small, book, lambda: None))
            for model, small in zip(models, smalls, strict=True)
        ]
    except Unsound as error:
        print(error, file=sys.stderr)
        return 1
    broken = [line for rows in found for line in broken_promises(rows)]
    if given.json:
        told = [{**asdict(one), "cheaper": cheaper(rows[0], one)} for rows in found for one in rows]
        json.dump({"runs": told, "broken": broken}, sys.stdout, indent=1)
    else:
        _show(found, broken)
    return 1 if broken else 0


def cheaper(agent: Figures, one: Figures) -> float:
    """The share of the agent's cost that is saved."""
    return 1 - one.cost / agent.cost


def broken_promises(rows: Sequence[Figures]) -> list[str]:
    """What does not hold. `rows`: one model's, the agent first."""
    agent, *others = rows
    return [
        f"{one.model}: {WAYS[one.bot]} is {cheaper(agent, one):.0%} cheaper; promised: {PROMISED:.0%}"
        for one in others
        if cheaper(agent, one) < PROMISED
    ]


def _show(found: Sequence[Sequence[Figures]], broken: Sequence[str]) -> None:
    console = Console()
    for rows in found:
        table = Table(
            "", *COLUMNS, box=SIMPLE_HEAD, title=f"{rows[0].model}, {rows[0].interactions} interactions"
        )
        for one in rows:
            each = one.interactions
            table.add_row(
                WAYS[one.bot],
                f"{one.calls / each:.1f}",
                f"{one.usage.input_tokens / each:,.0f}",
                f"{one.usage.output_tokens / each:,.0f}",
                f"{one.usd_per_1000:.2f}",
                "" if one is rows[0] else f"{cheaper(rows[0], one):.0%}",
            )
        console.print(table)
    console.print(CAPTION, soft_wrap=True, highlight=False)
    for line in broken:
        console.print(f"[red]Broken:[/red] {line}")


if __name__ == "__main__":
    sys.exit(main())
