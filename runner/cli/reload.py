"""`reload`: the running daemon reads its bots.yaml again.

Rule: it is the daemon that reads, with its own environment and secrets; here is only told what came of it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from runner.cli.options import UNSAID, AsJson, Config
from runner.errors import OperatorError

RELOAD_WITHIN_S = 60.0
_WORDS = (
    ("added", "added"),
    ("removed", "removed"),
    ("changed", "changed"),
    ("reconnected", "connected anew"),
    ("sections", "also in force"),
    ("needs_restart", "in force after a restart only"),
)


def reload(config: Config = UNSAID, as_json: AsJson = False) -> None:
    """Let the running daemon read bots.yaml again: only what changed is touched, a faulty file changes nothing."""
    from runner.cli.daemon import need_daemon
    from runner.config.loader import state_dir

    daemon = need_daemon(config, state_dir(os.environ))
    try:
        done = daemon.call("POST", "/api/reload", timeout_s=RELOAD_WITHIN_S)
    except OperatorError as refused:
        raise _with_problems(config, refused) from None
    if as_json:
        from runner.cli.screen import show_json

        show_json(done)
        return
    for line in lines(done):
        typer.echo(line)


def lines(done: Mapping[str, Sequence[str]]) -> list[str]:
    """What changed, for a person."""
    told = [f"{words}: {', '.join(done[name])}" for name, words in _WORDS if done[name]]
    return [*(told or ["nothing has changed"]), *(f"warning: {each}" for each in done["warnings"])]


def _with_problems(config: Path, refused: OperatorError) -> OperatorError:
    """A faulty file may hide the secret by which the daemon would have let us in: then its faults are the news."""
    from runner.cli.daemon import NOT_LET_IN
    from runner.cli.files import load_file
    from runner.config.problems import Problems

    loaded: Any = load_file(config) if str(refused).startswith(NOT_LET_IN) and config.exists() else None
    if isinstance(loaded, Problems):
        return OperatorError(f"{config} cannot be used:\n{loaded}", "Mend the file, then reload again.")
    return refused
