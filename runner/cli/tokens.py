"""`token`: a bearer token for the admin API."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from runner.cli.options import UNSAID, Config

LONGEST_DAYS = 3650
_MS_PER_S = 1000


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
    from runner.web.auth import load_secret, make_token

    settings = load_settings(config)
    secret = load_secret(settings.state_dir, settings.server.jwt_secret)
    typer.echo(make_token(secret, scope, days, SystemClock().now_ms() // _MS_PER_S))
