"""`dashboard`: a link that signs a browser in, once."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from runner.cli.options import UNSAID, AsJson, Config
from runner.errors import OperatorError


def dashboard(
    config: Config = UNSAID,
    public: Annotated[
        bool, typer.Option("--public", help="A link to server.public_url, for a browser elsewhere.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print a link to the dashboard that signs a browser in: once, within 15 minutes. Keep it to yourself."""
    from runner.cli.daemon import configured_secret, need_daemon
    from runner.cli.files import load_settings
    from runner.clock import SystemClock
    from runner.config.loader import state_dir
    from runner.web.auth import load_secret
    from runner.web.seals import link_to, new_link

    folder = state_dir(os.environ)
    address = need_daemon(config, folder).note.url
    if public:
        address = load_settings(config).server.public_url or ""
        if not address:
            raise OperatorError(
                "server.public_url is not set", "Without --public the link is to this machine."
            )
    link = link_to(address, new_link(load_secret(folder, configured_secret(config)), SystemClock().now_ms()))
    if as_json:
        from runner.cli.screen import show_json

        show_json({"url": link})
        return
    typer.echo(link)
