"""`token`: a bearer token for the admin API.

Rule: it is signed as the daemons that read this bots.yaml expect it: with `server.jwt_secret`; without one where they
share a store, with the secret that is kept there; else with the one in the state folder.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from runner.cli.options import UNSAID, Config
from runner.errors import OperatorError, StoreError

if TYPE_CHECKING:
    from runner.clock import Clock
    from runner.config.settings import Settings

LONGEST_DAYS = 3650
_MS_PER_S = 1000
_HINT = "Start a daemon, which makes one, and ask where the store can be reached; or set server.jwt_secret."


def token(
    config: Config = UNSAID,
    scope: Annotated[
        Literal["read", "admin"], typer.Option(help="What it may do: look, or change things too.")
    ] = "read",
    days: Annotated[int, typer.Option(min=1, max=LONGEST_DAYS, help="How long it is good for.")] = 30,
) -> None:
    """Make a token for the admin API and print it. It cannot be taken back: keep it like a password."""
    from runner.cli.files import load_settings
    from runner.clock import SystemClock
    from runner.web.auth import make_token

    clock = SystemClock()
    secret = _secret_of(load_settings(config), clock)
    typer.echo(make_token(secret, scope, days, clock.now_ms() // _MS_PER_S))


def _secret_of(settings: Settings, clock: Clock) -> bytes:
    """What the daemons take tokens by.

    Raises:
        OperatorError: it cannot be had.
    """
    from runner.store.postgres.address import is_postgres
    from runner.web.auth import load_secret

    configured = settings.server.jwt_secret
    if configured is not None or not is_postgres(settings.store_url):
        return load_secret(settings.state_dir, configured)
    try:
        secret = asyncio.run(_shared_secret(settings.store_url, clock))
    except StoreError as error:
        raise OperatorError(
            f"the secret that tokens are signed with is in the store: {error}", _HINT
        ) from None
    if secret is None:
        raise OperatorError("no daemon has been started on this store yet", _HINT)
    return secret


async def _shared_secret(url: str, clock: Clock) -> bytes | None:
    from runner.store.catalogue import open_values
    from runner.web.auth import find_shared_secret

    async with open_values(url, clock) as shared:
        return await find_shared_secret(shared.values, clock.now_ms())
