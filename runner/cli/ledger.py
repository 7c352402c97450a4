"""`ledger verify`: whether each scope's counter is the sum of its rows, to the pico-dollar."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from runner.cli.options import UNSAID, AsJson, Config

if TYPE_CHECKING:
    from runner.config.settings import Settings
    from runner.money.budget import Counter
    from runner.money.ledger import Difference


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was looked at, and what is wrong."""

    calls: int
    scopes: int
    differences: list[Difference]


def verify(config: Config = UNSAID, as_json: AsJson = False) -> None:
    """Check that every counter of money is the sum of its ledger rows. Exit 1 where one is not."""
    from runner.cli.files import load_settings

    verdict = asyncio.run(_verify(load_settings(config)))
    if as_json:
        from runner.cli.screen import show_json

        show_json(
            {
                "ok": not verdict.differences,
                "calls": verdict.calls,
                "scopes": verdict.scopes,
                "differences": [
                    {
                        "scope": found.scope,
                        "counter": _shown(found.scope, found.counter),
                        "rows": _shown(found.scope, found.rows),
                    }
                    for found in verdict.differences
                ],
            }
        )
    else:
        for found in verdict.differences:
            typer.echo(str(found))
        wrong = len(verdict.differences)
        ending = f"{wrong} of them WRONG" if wrong else "the books are right"
        typer.echo(f"calls: {verdict.calls}, scopes: {verdict.scopes}: {ending}")
    if verdict.differences:
        raise typer.Exit(1)


async def _verify(settings: Settings) -> Verdict:
    from runner.cli.books import open_books
    from runner.ports.books import LedgerFilter

    async with open_books(settings) as reader:
        differences = await reader.verify_books()
        calls = sum(group.calls for group in await reader.usage(LedgerFilter(), ()))
        return Verdict(calls, len(await reader.counters()), differences)


def _shown(scope: str, counter: Counter) -> dict[str, str | int]:
    """A counter with its measure in the names."""
    from runner.money.amounts import Money, to_usd
    from runner.money.budget import Measure
    from runner.money.scopes import measure_of

    parts = {"settled": counter.settled, "unknown": counter.unknown, "held": counter.held}
    if measure_of(scope) is Measure.TOKENS:
        return {f"{name}_tokens": count for name, count in parts.items()}
    return {f"{name}_usd": to_usd(Money(amount)) for name, amount in parts.items()}
