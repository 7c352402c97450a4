"""The door: from arguments to an exit code.

    0  well        1  a fault was found        2  the command was not understood

Rules: a plain `run` goes straight to the daemon, for whatever is imported here stays in its memory for months
and is waited for at each start; all else goes through typer, in `commands`. What an operator can mend is one
sentence and a hint on stderr, never a traceback.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from runner.cli.place import find_config
from runner.errors import BotrunnerError, IllegalStep


def main() -> None:
    """`botrunner`, as installed."""
    sys.exit(execute(sys.argv[1:], os.environ))


def execute(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Do what the arguments say; returns the exit code."""
    try:
        if is_plain_run(arguments):
            return _run(arguments, environ)
        from runner.cli.commands import dispatch

        return dispatch(arguments)
    except IllegalStep:
        raise  # a bug of ours: its traceback is wanted
    except BotrunnerError as error:
        print(f"error: {error}", file=sys.stderr)
        if hint := getattr(error, "hint", ""):
            print(f"hint: {hint}", file=sys.stderr)
        return 1


def is_plain_run(arguments: Sequence[str]) -> bool:
    """Whether this is `run`, `run --config FILE` or `--config FILE run`: the way in without typer and rich."""
    match list(arguments):
        case ["run"]:
            return True
        case ["run", "--config" | "-c", file] | ["--config" | "-c", file, "run"]:
            return not file.startswith("-")
        case _:
            return False


def _run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    given = next((Path(word) for word in arguments if word not in {"run", "--config", "-c"}), None)
    from runner.app import run_daemon

    return run_daemon(find_config(given, environ), environ)
