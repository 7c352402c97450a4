"""Options that several commands share, as types for their signatures.

Rule: --config may stand before the command or after it; after it wins.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from runner.cli.place import find_config

UNSAID = Path()
"""The default of `Config`: never seen by a command, for `_chosen` puts a file in its place."""


def _chosen(context: typer.Context, given: Path) -> Path:
    if given != UNSAID:
        return given
    before = context.find_root().params.get("config")
    return find_config(before if isinstance(before, Path) else None, os.environ)


Config = Annotated[
    Path,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        callback=_chosen,
        show_default=False,
        help="The bots.yaml to use. Else $BOTRUNNER_CONFIG, ./bots.yaml or /etc/botrunner/bots.yaml.",
    ),
]
"""Which bots.yaml; write `config: Config = UNSAID`."""

ConfigBefore = Annotated[
    Path | None,
    typer.Option("--config", "-c", metavar="FILE", help="The bots.yaml to use, for any command."),
]
"""The same before the command."""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for other programs.")]
BotId = Annotated[str, typer.Argument(metavar="BOT", help="The bot's id in bots.yaml.")]
