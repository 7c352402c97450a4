"""`cap`: how much a bot may spend, ever.

Rules: whole cents; a running daemon changes bots.yaml itself and heeds the cap at once; without one the file is
changed here, and nothing else in it. On a fleet the cap is kept in the store, for all daemons, and the file stays as it
is; it counts until the file says another cap than it does now.
"""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import Annotated

import typer

from runner.cli.options import UNSAID, AsJson, BotId, Config
from runner.errors import OperatorError, StoreRefused
from runner.money.amounts import ZERO, Money, from_cents, from_usd, to_usd

NONE = "none"
MOST_CENTS = 900_000_000
_AMOUNT = re.compile(r"\$?([0-9]{1,7})(?:\.([0-9]{1,2}))?")


def cap(
    bot: BotId,
    amount: Annotated[
        str, typer.Argument(metavar="AMOUNT", help="US dollars, at most two decimals, or: none.")
    ],
    config: Config = UNSAID,
    as_json: AsJson = False,
) -> None:
    """Set how much a bot may spend, in bots.yaml and in the running daemon at once; on a fleet, for all daemons."""
    from runner.cli.daemon import find_daemon
    from runner.config.loader import state_dir

    cents = read_cap(amount)
    daemon = find_daemon(config, state_dir(os.environ))
    spent: Money | None
    if daemon is None:
        _change(config, bot, cents)
        spent = _spent(config, bot)
    else:
        _known(bot, daemon.bot_ids())
        changed = daemon.set_cap(bot, cents)
        spent = Money(sum(from_usd(changed[name]) for name in ("spent_usd", "held_usd", "unknown_usd")))
    if as_json:
        from runner.cli.screen import show_json

        shown = None if spent is None else to_usd(spent)
        show_json({"bot": bot, "spending_cap_cents": cents, "spent_usd": shown})
        return
    limit = "no cap" if cents is None else f"a cap of {to_usd(from_cents(cents))} USD"
    sofar = "" if spent is None else f"; {to_usd(spent)} USD are spent or set aside"
    typer.echo(f"{bot} has {limit} now{sofar}")


def read_cap(text: str) -> int | None:
    """Cents; None where there shall be no cap.

    Raises:
        BadParameter: it is neither an amount of whole cents nor `none`.
    """
    if text.lower() == NONE:
        return None
    found = _AMOUNT.fullmatch(text)
    cents = -1 if found is None else int(found[1]) * 100 + int((found[2] or "").ljust(2, "0"))
    if not 0 <= cents <= MOST_CENTS:
        raise typer.BadParameter(
            f"{text[:40]!r} is no cap: write US dollars with at most two decimals, such as 5.00 (at most 9000000), "
            "or none",
            param_hint="AMOUNT",
        )
    return cents


def _known(bot_id: str, known: list[str]) -> None:
    from runner.cli.files import no_such_bot

    if bot_id not in known:
        raise no_such_bot(bot_id, known)


def _change(config: Path, bot_id: str, cents: int | None) -> None:
    """Write it where it belongs while no daemon of this machine does."""
    from runner.cli.files import find_bot, load_settings
    from runner.cli.fleet import fleet_of, put_cap

    url = fleet_of(config)
    if url is None:
        _change_file(config, bot_id, cents)
        return
    settings = load_settings(config)
    asyncio.run(put_cap(url, settings, find_bot(settings, bot_id), cents))


def _change_file(config: Path, bot_id: str, cents: int | None) -> None:
    from runner.config.edit import set_cap

    problem = set_cap(config, bot_id, cents, environ=os.environ)
    if problem is not None:
        raise OperatorError(str(problem))


def _spent(config: Path, bot_id: str) -> Money | None:
    """What stands against the cap; None where the file does not tell which store to look into."""
    from runner.cli.books import open_books
    from runner.cli.files import load_settings

    async def taken() -> Money:
        async with open_books(load_settings(config)) as reader:
            counter = (await reader.counters()).get(f"bot:{bot_id}")
            return ZERO if counter is None else Money(counter.taken)

    try:
        return asyncio.run(taken())
    except StoreRefused:
        return ZERO  # there is no store yet
    except OperatorError:
        return None
