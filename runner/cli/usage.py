"""`usage`: what was spent on what, from the ledger, beside a running daemon or without one.

Rules: days are UTC, `--to` is included; a cost is what was really charged, and what may have been charged
(a call whose end nobody saw) stands beside it; figures that are added up are pico-dollars. What was saved (by the
provider's cache, by batches, by kept answers: `runner.advice.saved`) is reckoned at the prices of bots.yaml as it is.
"""

from __future__ import annotations

import asyncio
import csv
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.cli.options import UNSAID, AsJson, Config
from runner.clock import MS_PER_DAY, day_number
from runner.money.amounts import to_usd
from runner.ports.books import GROUPINGS, LedgerFilter

if TYPE_CHECKING:
    from rich.console import Console

    from runner.advice.saved import SavedSum
    from runner.ports.books import UsageSum

FIGURES = (
    "calls",
    "retries",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_hit_percent",
    "cost_usd",
    "unknown_usd",
    "cache_saved_usd",
    "batch_saved_usd",
    "kept_answers",
    "kept_answers_saved_usd",
    "saved_usd",
)


@dataclass(frozen=True, slots=True)
class Usages:
    """What is shown: the groups and all of them together."""

    by: tuple[str, ...]
    groups: Sequence[SavedSum]
    total: SavedSum


def usage(
    config: Config = UNSAID,
    by: Annotated[
        str, typer.Option(metavar="NAMES", help=f"What to group by: some of {','.join(GROUPINGS)}.")
    ] = "bot,model",
    bot: Annotated[str | None, typer.Option(metavar="BOT", help="This bot only.")] = None,
    first: Annotated[
        str | None, typer.Option("--from", metavar="YYYY-MM-DD", help="From this day on.")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", metavar="YYYY-MM-DD", help="Until the end of this day.")
    ] = None,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, for spreadsheets.")] = False,
) -> None:
    """Show what was spent: cost, tokens, calls, retries and cache hits, by bot, model, user or day."""
    groupings = read_groupings(by)
    which = LedgerFilter(
        bot=bot,
        from_ms=None if first is None else read_day(first, "--from") * MS_PER_DAY,
        to_ms=None if last is None else (read_day(last, "--to") + 1) * MS_PER_DAY,
    )
    if as_json and as_csv:
        raise typer.BadParameter("--json and --csv: choose one")
    found = asyncio.run(_read(config, which, groupings))
    if as_json:
        _show_json(found, first, last)
    elif as_csv:
        _show_csv(found)
    else:
        from runner.cli.screen import screen

        _show_table(screen(), found)


def read_groupings(text: str) -> tuple[str, ...]:
    """`bot,day` as names, each once.

    Raises:
        BadParameter: an unknown name.
    """
    from runner.config.problems import did_you_mean

    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        if name not in GROUPINGS:
            guess = did_you_mean(name, GROUPINGS) or f"; there are: {', '.join(GROUPINGS)}"
            raise typer.BadParameter(f"usage cannot be grouped by {name!r}{guess}", param_hint="--by")
    return names


def read_day(text: str, option: str) -> int:
    """The number of a UTC day, 1970-01-01 being 0.

    Raises:
        BadParameter: it is no day.
    """
    try:
        return day_number(text)
    except ValueError:
        raise typer.BadParameter(f"{text[:40]!r} is no day such as 2026-11-22", param_hint=option) from None


def in_order(groups: Sequence[SavedSum], by: Sequence[str]) -> list[SavedSum]:
    """By day where days are asked for, else as they come: dearest first."""
    if "day" not in by:
        return list(groups)
    place = by.index("day")
    return sorted(groups, key=lambda group: group.sum.key[place])


def cache_hit_percent(group: UsageSum) -> int:
    """How much of the input was read from a provider's cache."""
    tokens = group.usage.input_tokens
    return group.usage.cache_read_tokens * 100 // tokens if tokens else 0


def as_record(shown: SavedSum, by: Sequence[str]) -> dict[str, Any]:
    """A group with its names, as JSON and CSV show it."""
    group, saved = shown.sum, shown.saved
    figures = (
        group.calls,
        group.retries,
        group.usage.input_tokens,
        group.usage.output_tokens,
        group.usage.cache_read_tokens,
        cache_hit_percent(group),
        to_usd(group.cost),
        to_usd(group.unknown),
        to_usd(saved.caching),
        to_usd(saved.batches),
        saved.hits,
        to_usd(saved.kept),
        to_usd(saved.total),
    )
    return {**dict(zip(by, group.key, strict=False)), **dict(zip(FIGURES, figures, strict=True))}


async def _read(config: Path, which: LedgerFilter, by: tuple[str, ...]) -> Usages:
    from runner.advice.saved import all_of, usage_with_savings
    from runner.cli.books import open_books
    from runner.cli.files import load_settings

    settings = load_settings(config)
    async with open_books(settings) as reader:
        groups = await usage_with_savings(reader, which, by, settings.prices)
    return Usages(by, in_order(groups, by), all_of(groups))


def _show_json(found: Usages, first: str | None, last: str | None) -> None:
    from runner.cli.screen import show_json

    show_json(
        {
            "from": first,
            "to": last,
            "by": found.by,
            "groups": [as_record(group, found.by) for group in found.groups],
            "total": as_record(found.total, ()),
        }
    )


def _show_csv(found: Usages) -> None:
    lines = csv.DictWriter(sys.stdout, (*found.by, *FIGURES), lineterminator="\n")
    lines.writeheader()
    lines.writerows(as_record(group, found.by) for group in found.groups)


def _show_table(console: Console, found: Usages) -> None:
    from runner.cli.screen import Column, bar, printable, show_table

    if not found.total.sum.calls:
        console.print("No model was called.")
        return
    unsure = bool(found.total.sum.unknown)
    columns = [
        *(Column(name) for name in found.by),
        *(
            Column(name, number=True)
            for name in ("calls", "retries", "input", "output", "cached", "cost USD", "saved USD")
        ),
        *((Column("may have cost", number=True),) if unsure else ()),
        Column("share", spare=True),
    ]

    def figures(shown: SavedSum) -> list[str]:
        group = shown.sum
        return [
            f"{group.calls:,}",
            f"{group.retries:,}",
            f"{group.usage.input_tokens:,}",
            f"{group.usage.output_tokens:,}",
            f"{cache_hit_percent(group)} %",
            to_usd(group.cost),
            to_usd(shown.saved.total),
            *((to_usd(group.unknown),) if unsure else ()),
        ]

    rows = [
        [
            *map(printable, group.sum.key),
            *figures(group),
            bar(console, group.sum.cost, found.total.sum.cost),
        ]
        for group in found.groups
    ]
    names = ["total", *[""] * (len(found.by) - 1)] if found.by else []
    show_table(console, columns, rows, [*names, *figures(found.total), ""] if found.by else ())
