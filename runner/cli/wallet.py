"""`wallet`: what was paid in, what is left of it.

Rules: through the running daemon where there is one, else in the store itself; a top-up has a key, so that one that
is typed twice with the same key is one.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runner.cli.options import UNSAID, AsJson, Config
from runner.errors import OperatorError

if TYPE_CHECKING:
    from runner.dispatch.treasury import Treasury

WALLET_API = "/api/wallet"
TOP_UPS_API = "/api/wallet/top-ups"


def show(config: Config = UNSAID, as_json: AsJson = False) -> None:
    """Show what is left in the wallet."""
    wallet = ask_daemon(config, "GET", WALLET_API) or asyncio.run(_here(config, _wallet))
    if as_json:
        from runner.cli.screen import show_json

        show_json(wallet)
        return
    if not wallet["active"]:
        typer.echo("There is no wallet: calls are pay as you go, held against the bots' own caps.")
        typer.echo("`botrunner wallet top-up 20.00` opens one.")
        return
    from runner.cli.screen import bar, screen
    from runner.money.amounts import from_usd

    console = screen()
    console.print(
        bar(console, from_usd(wallet["total_consumed_usd"]), from_usd(wallet["total_purchased_usd"]))
    )
    for name, key in (
        ("left", "balance_usd"),
        ("of it held for calls that run", "held_usd"),
        ("paid in", "total_purchased_usd"),
        ("spent", "total_consumed_usd"),
        ("calls stop at", "hard_limit"),
        ("you are told at", "soft_limit"),
    ):
        if wallet[key] is not None:
            console.print(f"{name}: {wallet[key]} USD", highlight=False)


def top_up(
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help="US dollars, such as 20.00.")],
    config: Config = UNSAID,
    key: Annotated[
        str | None, typer.Option(metavar="KEY", help="The same key twice pays in once. [default: a new one]")
    ] = None,
    note: Annotated[str, typer.Option(metavar="TEXT", help="What to remember with it.")] = "",
    as_json: AsJson = False,
) -> None:
    """Pay money into the wallet; bots that wait for it go on at once."""
    body = {
        "amount_usd": _amount(amount),
        "note": note,
        "idempotency_key": key or f"cli-{os.urandom(8).hex()}",
    }
    done = ask_daemon(config, "POST", TOP_UPS_API, body) or asyncio.run(
        _here(config, lambda treasury: _paid(treasury, body))
    )
    if as_json:
        from runner.cli.screen import show_json

        show_json(done)
        return
    paid, wallet = done["top_up"], done["wallet"]
    typer.echo(f"{paid['amount_usd']} USD are in (key {paid['idempotency_key']}, {paid['at']})")
    typer.echo(f"{wallet['balance_usd']} USD are left")


def history(config: Config = UNSAID, as_json: AsJson = False) -> None:
    """List what was paid in, the latest first."""
    found = ask_daemon(config, "GET", TOP_UPS_API) or asyncio.run(_here(config, _top_ups))
    from runner.cli.screen import Column, printable, screen, show_json, show_table

    if as_json:
        show_json(found)
        return
    rows = [
        [paid["at"], paid["amount_usd"], printable(paid["idempotency_key"]), printable(paid["note"])]
        for paid in found["top_ups"]
    ]
    if not rows:
        typer.echo("Nothing was paid in.")
        return
    columns = [Column("at"), Column("USD", number=True), Column("key"), Column("note", spare=True)]
    show_table(screen(), columns, rows)


def _amount(text: str) -> str:
    from runner.money.amounts import BadAmount, from_usd, to_usd

    try:
        amount = from_usd(text.removeprefix("$"))
    except BadAmount as error:
        raise typer.BadParameter(str(error), param_hint="AMOUNT") from None
    if amount <= 0:
        raise typer.BadParameter("pay in more than 0", param_hint="AMOUNT")
    return to_usd(amount)


def ask_daemon(
    config: Path, method: str, path: str, body: Mapping[str, object] | None = None
) -> dict[str, Any] | None:
    """The daemon's answer; None where none runs."""
    from runner.cli.daemon import find_daemon
    from runner.config.loader import state_dir

    daemon = find_daemon(config, state_dir(os.environ))
    return None if daemon is None else daemon.call(method, path, body)


async def _here(config: Path, do: Any) -> dict[str, Any]:  # noqa: ANN401 - a function of the treasury
    async with open_treasury(config) as treasury:
        shown: dict[str, Any] = await do(treasury)
        return shown


@asynccontextmanager
async def open_treasury(config: Path) -> AsyncIterator[Treasury]:
    """The treasury over the store itself, while no daemon has it.

    Raises:
        OperatorError: a faulty file, or a store that keeps nothing.
        StoreError: the store cannot be used.
    """
    from runner.cli.books import open_store_here
    from runner.cli.files import load_settings
    from runner.clock import SystemClock
    from runner.dispatch.treasury import Treasury

    settings = load_settings(config)
    async with open_store_here(settings) as store:
        yield Treasury(
            store,
            SystemClock(),
            terms=lambda: settings.wallet,
            changed=lambda _: None,  # nobody waits: no daemon runs
            cleared=lambda choice: store.clear_quarantine(choice.provider, choice.model),
        )


async def _wallet(treasury: Treasury) -> dict[str, Any]:
    from runner.web.api.money import wallet_shown

    return wallet_shown(await treasury.wallet()).model_dump()


async def _top_ups(treasury: Treasury) -> dict[str, Any]:
    from runner.web.api.money import top_up_shown

    return {"top_ups": [top_up_shown(paid).model_dump() for paid in await treasury.top_ups()]}


async def _paid(treasury: Treasury, body: dict[str, str]) -> dict[str, Any]:
    from runner.dispatch.treasury import KeyReused
    from runner.money.amounts import from_usd, to_usd
    from runner.web.api.money import top_up_shown, wallet_shown

    done = await treasury.top_up(body["idempotency_key"], from_usd(body["amount_usd"]), body["note"])
    if isinstance(done, KeyReused):
        raise OperatorError(
            f"the key {body['idempotency_key']!r} paid in {to_usd(done.earlier.amount)} USD before"
        )
    return {
        "top_up": top_up_shown(done.deposit).model_dump(),
        "wallet": wallet_shown(await treasury.wallet()).model_dump(),
    }
