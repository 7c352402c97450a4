"""`analytics`: one bot by day: messages, people, tokens, cost; beside a running daemon or without one.

Rules: days are UTC, the last one is included, empty ones are shown; a cost is what was really charged, and what may
have been stands beside it.
"""

from __future__ import annotations

import asyncio
import csv
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.cli.options import UNSAID, AsJson, BotId, Config
from runner.cli.usage import read_day

if TYPE_CHECKING:
    from runner.web.api.report_models import Analytics

USUAL_DAYS = 30
MOST_DAYS = 366


def analytics(
    bot: BotId,
    config: Config = UNSAID,
    first: Annotated[
        str | None, typer.Option("--from", metavar="YYYY-MM-DD", help="From this day on. [default: 30 days]")
    ] = None,
    last: Annotated[
        str | None,
        typer.Option("--to", metavar="YYYY-MM-DD", help="Until the end of this day. [default: today]"),
    ] = None,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, for spreadsheets.")] = False,
) -> None:
    """Show a bot day by day: messages, people, tokens and cost."""
    if as_json and as_csv:
        raise typer.BadParameter("--json and --csv: choose one")
    found = asyncio.run(_read(config, bot, *_days(first, last))).model_dump()
    if as_json:
        from runner.cli.screen import show_json

        show_json(found)
    elif as_csv:
        lines = csv.DictWriter(sys.stdout, list(found["daily"][0]), lineterminator="\n")
        lines.writeheader()
        lines.writerows(found["daily"])
    else:
        _show(found)


def _days(first: str | None, last: str | None) -> tuple[str, str]:
    """The first and the last day.

    Raises:
        BadParameter: they are no days, or too many.
    """
    from runner.clock import SystemClock, utc_day

    for text, option in ((first, "--from"), (last, "--to")):
        if text is not None:
            read_day(text, option)
    until = date.fromisoformat(last or utc_day(SystemClock().now_ms()))
    since = date.fromisoformat(first) if first else until - timedelta(USUAL_DAYS - 1)
    if not 0 <= (until - since).days < MOST_DAYS:
        raise typer.BadParameter(
            f"from one day to a later one, at most {MOST_DAYS} days", param_hint="--from"
        )
    return since.isoformat(), until.isoformat()


async def _read(config: Path, bot: str, first: str, last: str) -> Analytics:
    from runner.cli.books import open_books
    from runner.cli.files import load_settings, no_such_bot
    from runner.web.api.reports import analytics_of

    settings = load_settings(config)
    if settings.bot(bot) is None:
        raise no_such_bot(bot, [known.id for known in settings.bots])
    async with open_books(settings) as reader:
        return await analytics_of(reader, bot, first, last)


def _show(found: dict[str, Any]) -> None:
    from runner.cli.screen import Column, bar, screen, show_table
    from runner.money.amounts import from_usd

    console = screen()
    days, summary = found["daily"], found["summary"]
    dearest = max(from_usd(day["total_cost_usd"]) for day in days)
    columns = [
        Column("day"),
        *(
            Column(name, number=True)
            for name in ("received", "sent", "people", "input", "output", "cost USD")
        ),
        Column("cost", spare=True),
    ]
    rows = [
        [
            day["date"],
            f"{day['messages_received']:,}",
            f"{day['messages_sent']:,}",
            f"{day['unique_users']:,}",
            f"{day['tokens_input']:,}",
            f"{day['tokens_output']:,}",
            day["total_cost_usd"],
            bar(console, from_usd(day["total_cost_usd"]), dearest),
        ]
        for day in days
    ]
    totals = [
        "all",
        f"{sum(day['messages_received'] for day in days):,}",
        f"{sum(day['messages_sent'] for day in days):,}",
        f"{summary['unique_users']:,}",
        f"{sum(day['tokens_input'] for day in days):,}",
        f"{sum(day['tokens_output'] for day in days):,}",
        summary["total_cost_usd"],
        "",
    ]
    show_table(console, columns, rows, totals)
    if from_usd(summary["unknown_cost_usd"]):
        console.print(f"{summary['unknown_cost_usd']} USD more may have been charged", highlight=False)
