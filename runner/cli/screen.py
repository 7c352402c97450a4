"""What commands print with: tables and bars on a terminal, plain columns elsewhere, JSON for programs.

Rules: colour and drawn lines only on a terminal (NO_COLOR is heeded); elsewhere a row is never cut or wrapped;
figures of money come as texts that are exact and are never made floats.
"""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDE = 10_000
"""Columns of an output that is no terminal: rows are as long as they are."""
BAR_WIDTH = 16


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        number: stands to the right and is never cut.
        spare: is left out where the terminal is too narrow for all.
    """

    name: str
    number: bool = False
    spare: bool = False


def screen(*, to_stderr: bool = False) -> Console:
    """A console for stdout or stderr as they are now."""
    stream = sys.stderr if to_stderr else sys.stdout
    return Console(
        file=stream, width=None if stream.isatty() else WIDE, highlight=False, markup=False, emoji=False
    )


def show_table(
    console: Console,
    columns: Sequence[Column],
    rows: Iterable[Sequence[str | Text]],
    footer: Sequence[str] = (),
) -> None:
    """A table; `footer` has a text for each column where there is one."""
    rows = list(rows)
    table = _table(console, columns, rows, footer)
    if console.is_terminal:
        if console.measure(table, options=console.options.update(max_width=WIDE)).maximum > console.width:
            kept = [index for index, column in enumerate(columns) if not column.spare]
            table = _table(
                console,
                [columns[index] for index in kept],
                [[row[index] for index in kept] for row in rows],
                [footer[index] for index in kept] if footer else (),
            )
        console.print(table)
        return
    with console.capture() as printed:
        console.print(table)
    for line in printed.get().splitlines():
        console.print(line.rstrip())


def _table(
    console: Console,
    columns: Sequence[Column],
    rows: Sequence[Sequence[str | Text]],
    footer: Sequence[str],
) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD if console.is_terminal else None,
        show_footer=bool(footer),
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0) if console.is_terminal else (0, 1),
        header_style="bold",
        footer_style="bold",
    )
    for index, column in enumerate(columns):
        table.add_column(
            column.name,
            footer=footer[index] if footer else "",
            justify="right" if column.number else "left",
            no_wrap=column.number,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*row)
    return table


def bar(console: Console, part: int, whole: int, width: int = BAR_WIDTH) -> str:
    """`part` of `whole` as a bar; anything above nothing shows, and only the whole is full."""
    full, empty = ("█", "░") if console.encoding.startswith("utf") else ("#", ".")
    if whole <= 0:
        return empty * width
    filled = min(width, max(0, part * width // whole))
    return full * (1 if part > 0 and not filled else filled) + empty * (width - max(filled, int(part > 0)))


def printable(text: str) -> str:
    """A text that came from outside, without control characters: they could rewrite what a terminal shows."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(c) == "Cc" and c not in "\n\t" else c
        for c in text
    )


def show_json(data: Any) -> None:  # noqa: ANN401 - anything that JSON can say
    """JSON on stdout."""
    print(json.dumps(data, indent=2, ensure_ascii=False))
