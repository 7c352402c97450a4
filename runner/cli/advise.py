"""`advise`: what would have cost less, in money, with the evidence; beside a running daemon or without one.

Rules: days are UTC, today is the last; the ledger is only read; each advice has the one line of bots.yaml that does
it, and nothing is changed here. Sums overlap, so they are not added up; what rests on a model of what would have
happened is marked `about`.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.cli.options import UNSAID, AsJson, Config

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from runner.advice.counsel import Advice
    from runner.advice.gathering import Spent

USUAL_DAYS = 30
MOST_DAYS = 366
ROWS_SHOWN_FROM = 20_000
"""Rows from which on reading them takes a second."""
_LEFT_OUT = (
    "Sums overlap: do not add them up. They are about what was spent, at the prices in force now; what answers would "
    "have been like is not measured. Not looked at: questions that were asked again (response_cache) and work that "
    "could wait for a batch, for the ledger holds no texts."
)


@dataclass(frozen=True, slots=True)
class Found:
    """All that is shown."""

    first: str
    last: str
    spent: dict[str, Spent]
    advice: Sequence[Advice]
    warnings: Sequence[Advice]


def advise(
    bot: Annotated[str | None, typer.Argument(metavar="[BOT]", help="This bot only. [default: all]")] = None,
    config: Config = UNSAID,
    days: Annotated[
        int,
        typer.Option(metavar="NUMBER", min=1, max=MOST_DAYS, help="The last so many days, today included."),
    ] = USUAL_DAYS,
    as_json: AsJson = False,
) -> None:
    """Say what would have cost less, with the evidence; and warn where cost a message, tokens or calls jumped."""
    found = asyncio.run(_find(config, bot, days))
    if as_json:
        from runner.cli.screen import show_json

        show_json(_as_json(found))
    else:
        from runner.cli.screen import screen

        _show(screen(), found)


async def _find(config: Path, bot: str | None, days: int) -> Found:
    from runner.advice.counsel import in_order
    from runner.advice.gathering import Asked, advice_from_rows, advice_from_sums
    from runner.cli.books import open_books
    from runner.cli.files import find_bot, load_settings
    from runner.cli.progress import progress
    from runner.clock import SystemClock

    settings = load_settings(config)
    bots = settings.bots if bot is None else (find_bot(settings, bot),)
    asked = Asked.until(SystemClock().now_ms(), days, bots, settings.prices)
    async with open_books(settings) as reader:
        quick = await advice_from_sums(reader, asked)
        calls = sum(one.calls for one in quick.spent.values())
        with progress("reading the ledger", ROWS_SHOWN_FROM) as told:
            slow = await advice_from_rows(
                reader, asked, quick.spent, lambda done: told(done, max(done, calls))
            )
    return Found(asked.days[0], asked.days[-1], quick.spent, in_order((*quick.advice, *slow)), quick.warnings)


def _as_json(found: Found) -> dict[str, Any]:
    from runner.money.amounts import to_usd

    return {
        "from": found.first,
        "to": found.last,
        "spent": [
            {"bot": bot, "cost_usd": to_usd(one.cost), "calls": one.calls} for bot, one in found.spent.items()
        ],
        "advice": [_record(one) for one in found.advice],
        "warnings": [_record(one) for one in found.warnings],
    }


def _record(one: Advice) -> dict[str, Any]:
    from runner.money.amounts import to_usd

    saved = None if one.saved is None else to_usd(one.saved)
    given = {name: value for name, value in asdict(one).items() if name not in {"kind", "bot", "saved"}}
    return {"kind": str(one.kind), "bot": one.bot, "would_have_saved_usd": saved, **given}


def _show(console: Console, found: Found) -> None:
    from rich.text import Text

    from runner.advice.counsel import count, usd
    from runner.cli.screen import Column, printable, show_table
    from runner.money.amounts import Money

    cost = Money(sum(one.cost for one in found.spent.values()))
    calls = sum(one.calls for one in found.spent.values())
    console.print(f"{found.first} to {found.last} (UTC): {count(calls, 'model call')}, {usd(cost)}")
    for one in found.warnings:
        console.print(printable(f"warning: {one.bot}: {one.what}; {one.evidence}"), style="yellow")
    if not found.advice:
        console.print("There is nothing to advise." if calls else "No model was called.")
        return
    break_ = "\n" if console.is_terminal else " | "

    def cell(first: str, then: str) -> Text:
        text = Text(printable(first))
        return text.append(f"{break_}{printable(then)}", style="dim") if then else text

    rows: list[list[str | Text]] = [
        [_saved(one), one.bot, cell(one.what, one.evidence), cell(one.write or one.run, one.where)]
        for one in found.advice
    ]
    columns = [
        Column("would have saved", number=True),
        Column("bot"),
        Column("what"),
        Column("write in bots.yaml, or run"),
    ]
    show_table(console, columns, rows)
    console.print(_LEFT_OUT, style="dim")


def _saved(one: Advice) -> str:
    from runner.advice.counsel import usd

    if one.saved is None:
        return ""
    return f"about {usd(one.saved)}" if one.estimate else usd(one.saved)
