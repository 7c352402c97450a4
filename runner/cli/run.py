"""`run`, where it comes with more than `main` looks at itself, such as --help."""

from __future__ import annotations

import os

import typer

from runner.cli.options import UNSAID, Config


def run(config: Config = UNSAID) -> None:
    """Start the daemon: all enabled bots of bots.yaml, until it is told to stop (Ctrl-C or SIGTERM)."""
    from runner.app import run_daemon

    raise typer.Exit(run_daemon(config, os.environ))
