"""`ledger export`: every row, for spreadsheets and for whoever checks the bill.

Rules: rows come by time and are written as they are read, however many there are; amounts are exact decimal texts;
a cell that a spreadsheet would take for a formula is led by an apostrophe.
"""

from __future__ import annotations

import asyncio
import csv
import json
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from runner.cli.options import UNSAID, Config
from runner.cli.usage import read_day
from runner.clock import MS_PER_DAY
from runner.web.spreadsheet import is_formula

if TYPE_CHECKING:
    from runner.money.ledger import LedgerEntry
    from runner.ports.books import LedgerFilter

COLUMNS = (
    *("attempt", "time", "bot", "platform", "channel", "conversation", "user", "turn", "feature", "task"),
    *("route", "route_reason", "provider", "model", "billing_mode", "number", "iteration", "state", "scopes"),
    *("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens"),
    *("reasoning_tokens", "hold_usd", "cost_usd", "price_version", "request_id", "stop_reason", "latency_ms"),
    *("why", "corrects"),
)


class Format(StrEnum):
    """How rows are written."""

    CSV = "csv"
    JSONL = "jsonl"


def export(
    config: Config = UNSAID,
    form: Annotated[Format, typer.Option("--format", help="CSV, or JSON Lines.")] = Format.CSV,
    bot: Annotated[str | None, typer.Option(metavar="BOT", help="This bot only.")] = None,
    first: Annotated[
        str | None, typer.Option("--from", metavar="YYYY-MM-DD", help="From this day on, UTC.")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", metavar="YYYY-MM-DD", help="Until the end of this day.")
    ] = None,
) -> None:
    """Print the ledger, a line a row."""
    from runner.ports.books import LedgerFilter

    which = LedgerFilter(
        bot=bot,
        from_ms=None if first is None else read_day(first, "--from") * MS_PER_DAY,
        to_ms=None if last is None else (read_day(last, "--to") + 1) * MS_PER_DAY,
    )
    asyncio.run(_export(config, which, lines_of(form, sys.stdout)))


def lines_of(form: Format, out: TextIO) -> Callable[[dict[str, Any]], object]:
    """Writes one record after another; CSV begins with the names."""
    if form is Format.JSONL:
        return lambda record: out.write(json.dumps(record, ensure_ascii=False) + "\n")
    lines = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    lines.writeheader()
    return lambda record: lines.writerow({name: _cell(value) for name, value in record.items()})


def record_of(row: LedgerEntry) -> dict[str, Any]:
    """A row with its names."""
    from runner.clock import UnixMs, iso
    from runner.money.amounts import to_usd

    call, used = row.attempt, row.usage
    return {
        "attempt": call.id,
        "time": iso(UnixMs(call.time_ms)),
        **{name: getattr(call, name) for name in COLUMNS[2:17]},
        "state": str(row.state),
        "scopes": " ".join(row.scopes),
        **{name: getattr(used, name) for name in COLUMNS[19:25]},
        "hold_usd": to_usd(row.hold),
        "cost_usd": to_usd(row.cost),
        "price_version": call.price_version,
        "request_id": row.request_id,
        "stop_reason": row.stop_reason,
        "latency_ms": row.latency_ms,
        "why": row.why,
        "corrects": row.corrects,
    }


def _cell(value: object) -> object:
    """A text that is no formula; a negative amount of ours stays a number."""
    if isinstance(value, str) and is_formula(value) and not _is_number(value):
        return f"'{value}"
    return value


def _is_number(text: str) -> bool:
    return text.lstrip("-").replace(".", "", 1).isdecimal()


async def _export(config: Path, which: LedgerFilter, write: Callable[[dict[str, Any]], object]) -> None:
    from runner.cli.books import open_books
    from runner.cli.files import load_settings

    async with open_books(load_settings(config)) as reader:
        async for row in reader.ledger(which):
            write(record_of(row))
