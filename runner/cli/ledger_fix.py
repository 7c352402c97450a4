"""`ledger reconcile` and `ledger quarantine`: what an operator puts right.

Rules: through the running daemon where there is one, else in the store itself; a call of unknown fate is put right
once, with a reason, by rows of its own: no row of the ledger is ever changed.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from runner.cli.options import UNSAID, AsJson, Config
from runner.cli.wallet import ask_daemon, open_treasury
from runner.errors import OperatorError

if TYPE_CHECKING:
    from runner.dispatch.treasury import Treasury


def reconcile(
    attempt: Annotated[
        str | None,
        typer.Argument(metavar="[ATTEMPT]", help="Which call; without one, all that wait are listed."),
    ] = None,
    cost: Annotated[
        str | None, typer.Option(metavar="USD", help="What the provider's bill says that it cost.")
    ] = None,
    released: Annotated[bool, typer.Option("--released", help="It never ran and cost nothing.")] = False,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="How you know; it stands in the ledger.")] = "",
    config: Config = UNSAID,
    as_json: AsJson = False,
) -> None:
    """Say what a call of unknown fate really cost, or list those calls."""
    if attempt is None:
        _list(config, as_json=as_json)
        return
    if (cost is None) != released:
        raise typer.BadParameter("say what it cost, or that it never ran", param_hint="--cost / --released")
    if not reason.strip():
        raise typer.BadParameter("say how you know: it stands in the ledger", param_hint="--reason")
    body = {"cost_usd": _amount(cost or "0"), "reason": reason}
    done = ask_daemon(
        config, "POST", f"/api/ledger/{quote(attempt, safe='')}/reconcile", body
    ) or asyncio.run(_reconciled(config, attempt, body))
    if as_json:
        from runner.cli.screen import show_json

        show_json(done)
        return
    typer.echo(f"{attempt}: {done['was_usd']} USD of unknown fate are {done['is_usd']} USD now")


def quarantine(
    config: Config = UNSAID,
    clear: Annotated[
        str | None, typer.Option(metavar="PROVIDER/MODEL", help="Call this model again.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List models that charged more than their bound and are not called, or clear one."""
    if clear is None:
        found = ask_daemon(config, "GET", "/api/quarantine") or asyncio.run(_aside(config))
    else:
        provider, slash, model = clear.partition("/")
        if not (provider and slash and model):
            raise typer.BadParameter(f"{clear[:80]!r} is no PROVIDER/MODEL", param_hint="--clear")
        body = {"provider": provider, "model": model}
        found = ask_daemon(config, "POST", "/api/quarantine/clear", body) or asyncio.run(
            _cleared(config, provider, model)
        )
    if as_json:
        from runner.cli.screen import show_json

        show_json(found)
        return
    for which in found["models"]:
        typer.echo(
            f"{which['provider']}/{which['model']}: {which['cost_usd']} USD for {which['attempt']}, "
            f"its bound was {which['held_usd']} USD ({which['at']})"
        )
    if not found["models"]:
        typer.echo("No model is set aside.")


def _list(config: Path, *, as_json: bool) -> None:
    from runner.cli.screen import Column, printable, screen, show_json, show_table

    found = ask_daemon(config, "GET", "/api/ledger/unknown") or asyncio.run(_unknown(config))
    if as_json:
        show_json(found)
        return
    if not found["unknown"]:
        typer.echo("There is no call of unknown fate.")
        return
    columns = [
        *(Column(name) for name in ("attempt", "at", "bot", "model")),
        Column("held USD", number=True),
        Column("why", spare=True),
    ]
    rows = [
        [printable(call[name]) for name in ("attempt", "at", "bot", "model", "held_usd", "why")]
        for call in found["unknown"]
    ]
    show_table(screen(), columns, rows)


def _amount(text: str) -> str:
    from runner.money.amounts import BadAmount, from_usd

    try:
        amount = from_usd(text)
    except BadAmount as error:
        raise typer.BadParameter(str(error), param_hint="--cost") from None
    if amount < 0:
        raise typer.BadParameter("nothing costs less than 0", param_hint="--cost")
    return text


async def _unknown(config: Path) -> dict[str, Any]:
    from runner.web.api.money import unknown_shown

    async with open_treasury(config) as treasury:
        return {"unknown": [unknown_shown(row).model_dump() for row in await treasury.unknown()]}


async def _reconciled(config: Path, attempt: str, body: dict[str, str]) -> dict[str, Any]:
    from runner.dispatch.treasury import NotCorrected
    from runner.money.amounts import from_usd
    from runner.web.api.money import reconciled_shown

    async with open_treasury(config) as treasury:
        rows = await treasury.reconcile(attempt, from_usd(body["cost_usd"]), body["reason"])
        if isinstance(rows, NotCorrected):
            raise OperatorError(rows.why)
        return reconciled_shown(attempt, rows).model_dump()


async def _aside(config: Path) -> dict[str, Any]:
    async with open_treasury(config) as treasury:
        return await _shown(treasury)


async def _cleared(config: Path, provider: str, model: str) -> dict[str, Any]:
    async with open_treasury(config) as treasury:
        if not await treasury.clear(provider, model):
            raise OperatorError("that model is not set aside")
        return await _shown(treasury)


async def _shown(treasury: Treasury) -> dict[str, Any]:
    from runner.web.api.money import set_aside_shown

    return {"models": [set_aside_shown(which).model_dump() for which in await treasury.set_aside()]}
