"""The daemons of a fleet, as `status` shows them below the bots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from runner.cli.screen import Column, printable, show_table

_DIGEST_SHOWN = 8
_COLUMNS = (
    Column("daemon"),
    Column("version", spare=True),
    Column("state"),
    Column("up", number=True),
    Column("turns", number=True),
    Column("waiting", number=True),
    Column("lag", number=True, spare=True),
    Column("bots.yaml", spare=True),
    Column("holds", spare=True),
)


def show_fleet(console: Console, fleet: Mapping[str, Any]) -> None:
    """A table of its daemons, as `/api/status` tells of them, and what is odd about it."""
    console.print()
    show_table(console, _COLUMNS, fleet_rows(fleet))
    if fleet["files"] > 1:
        console.print(
            f"the daemons have {fleet['files']} different bots.yaml in force: deploy the same file to all of them"
        )
    console.print()


def fleet_rows(fleet: Mapping[str, Any]) -> list[list[str | Text]]:
    """A row for each daemon; those that are gone are dim."""
    rows: list[list[str | Text]] = []
    for one in fleet["daemons"]:
        gone = one["state"] == "gone"
        style = "dim" if gone else ""
        moment = f"gone since {one['ended_at']}" if gone else f"since {one['started_at']}"
        figures = (
            f"{one['connections_up']}/{one['connections']}",
            str(one["lanes"]),
            str(one["waiting"]),
            f"{one['lag_ms']} ms",
            one["config"][:_DIGEST_SHOWN],
        )
        cells = (
            f"{printable(one['name'])}{' (here)' if one['here'] else ''}",
            one["version"],
            moment,
            *(("",) * len(figures) if gone else figures),
            "" if gone else printable(", ".join(one["holds"])),
        )
        rows.append([Text(cell, style) for cell in cells])
    return rows
