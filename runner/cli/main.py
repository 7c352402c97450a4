"""The door: from arguments to an exit code.

    0  well        1  a fault was found        2  the command was not understood
    70 a bug of ours, with its traceback       75 the store failed: worth another try

Rules: a service manager starts the daemon again after 70 and 75, and not after 1 and 2, which a person must
mend; a plain `run` goes straight to the daemon, for whatever is imported here stays in its memory for months
and is waited for at each start; all else goes through typer, in `commands`. What an operator can mend is one
sentence and a hint on stderr, never a traceback; a bug of ours is a traceback.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.cli.place import find_config
from runner.errors import BotrunnerError, IllegalStep, StoreError, StoreRefused

FAULT = 1
BUG = 70
TRY_AGAIN = 75


@dataclass(frozen=True, slots=True)
class PlainRun:
    """`run` with no more than a --config."""

    config: Path | None = None


def main() -> None:
    """`botrunner`, as installed."""
    try:
        code = execute(sys.argv[1:], os.environ)
    except Exception:  # noqa: BLE001 - told whole; left to Python it would end with 1, like a faulty file
        import traceback

        traceback.print_exc()
        code = BUG
    sys.exit(code)


def execute(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Do what the arguments say; returns the exit code."""
    code = FAULT
    try:
        plain = plain_run(arguments)
        if plain is None:
            from runner.cli.commands import dispatch

            return dispatch(arguments)
        # Imports make hundreds of thousands of objects that stay: looking through them again and again is a tenth
        # of the start. The app turns the collector on when the start is over.
        gc.disable()
        from runner.app import run_daemon

        return run_daemon(find_config(plain.config, environ), environ)
    except* IllegalStep:
        raise
    except* BotrunnerError as errors:
        for error in leaves(errors):
            print(f"error: {error}", file=sys.stderr)
            if hint := getattr(error, "hint", ""):
                print(f"hint: {hint}", file=sys.stderr)
        if all(
            isinstance(error, StoreError) and not isinstance(error, StoreRefused) for error in leaves(errors)
        ):
            code = TRY_AGAIN
    return code


def plain_run(arguments: Sequence[str]) -> PlainRun | None:
    """The way in without typer and rich, or None where there is more to understand."""
    match list(arguments):
        case ["run"]:
            return PlainRun()
        case ["run", "--config" | "-c", file] | ["--config" | "-c", file, "run"] if file[:1] not in {"", "-"}:
            return PlainRun(Path(file))
        case ["run", word] | [word, "run"] if word.removeprefix("--config=") not in {"", word}:
            return PlainRun(Path(word.removeprefix("--config=")))
        case _:
            return None


def leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    """The exceptions themselves: what fails inside task groups comes wrapped, once for each of them."""
    return [
        leaf
        for error in group.exceptions
        for leaf in (leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    ]
