"""`store copy`: all that one store holds into another kind of store, compared before it counts.

Rules: no daemon runs on either; all of it or nothing; addresses are as in `store.url`, and what is shown of one has no
password.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.cli.options import AsJson
from runner.cli.store_database import shown_address

if TYPE_CHECKING:
    from runner.store.moving.moving import Moved
    from runner.store.moving.tables import Sums

_SHOWN_FROM = 20_000
"""Rows from which a copy takes long enough to show how far it is."""


def copy(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="The store as it is, such as sqlite:///…")],
    target: Annotated[str, typer.Argument(metavar="TARGET", help="An empty one, such as postgresql://…")],
    as_json: AsJson = False,
) -> None:
    """Copy a store into PostgreSQL, or back into a new file, while no daemon runs on either."""
    from runner.cli.progress import progress

    with progress("copying and comparing", _SHOWN_FROM) as told:
        moved = asyncio.run(_copy(source, target, told))
    if as_json:
        from runner.cli.screen import show_json

        show_json({"source": shown_address(source), "target": shown_address(target), **_as_record(moved)})
        return
    _show(moved, shown_address(source), shown_address(target))


async def _copy(source: str, target: str, told: Callable[[int, int], None]) -> Moved:
    from runner.clock import SystemClock
    from runner.config.loader import state_dir
    from runner.store.moving.ways import copy_store

    return await copy_store(source, target, state_dir(os.environ), SystemClock(), told)


def _as_record(moved: Moved) -> dict[str, Any]:
    sums = moved.sums
    return {
        "rows": dict(moved.rows),
        "calls": dict(sums.calls),
        "held_usd_by_state": {state: _usd(amount) for state, amount in sums.holds.items()},
        "cost_usd_by_state": {state: _usd(amount) for state, amount in sums.costs.items()},
        "sends": dict(sums.sends),
        "waiting": sums.waiting,
        "nul_replaced": moved.replaced,
    }


def _show(moved: Moved, source: str, target: str) -> None:
    from runner.cli.screen import Column, screen, show_table

    rows = [(name, f"{count:,}") for name, count in moved.rows.items() if count]
    total = f"{sum(moved.rows.values()):,}"
    show_table(screen(), (Column("table"), Column("rows", number=True)), rows, ("all", total))
    for line in (f"{source} is copied to {target}; the two are the same, row by row.", *_remarks(moved)):
        typer.echo(line)
    typer.echo(f"Now let `store.url` in bots.yaml be the address of {target}")


def _remarks(moved: Moved) -> list[str]:
    sums = moved.sums
    lines = [f"money: {_money(sums)}"] if sums.calls else []
    if moved.replaced:
        lines.append(
            f"{moved.replaced} texts had a NUL, which PostgreSQL cannot keep: U+FFFD stands in its place"
        )
    held, sending = sums.calls.get("held", 0), sums.sends.get("sending", 0)
    if sums.waiting or held or sending:
        lines.append(
            f"The next start takes it up as after a crash: {sums.waiting} messages wait and are answered, {held} calls"
            f" were running and become `unknown`, {sending} answers were being sent and go again."
        )
    return lines


def _money(sums: Sums) -> str:
    parts = [f"{_usd(sums.costs.get(state, 0))} USD {state}" for state in ("settled", "unknown", "held")]
    return f"{', '.join(parts)}, in {sum(sums.calls.values()):,} calls"


def _usd(amount: int) -> str:
    from runner.money.amounts import Money, to_usd

    return to_usd(Money(amount))
