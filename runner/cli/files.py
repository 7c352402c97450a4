"""bots.yaml as the commands need it: loaded, or an error that says all that is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import OperatorError, StoreError

if TYPE_CHECKING:  # pydantic and ruamel.yaml: a fifth of a second that `--help` need not wait for
    from runner.bots import Bot
    from runner.config.problems import Problems
    from runner.config.settings import Loaded, Settings


def load_file(path: Path) -> Loaded | Problems:
    """Read and check a bots.yaml. Secrets of a fleet whose store cannot be reached are problems of the file.

    Raises:
        OperatorError: there is no such file.
    """
    from runner.config.loader import load
    from runner.config.stored_secrets import unreached

    if not path.exists():
        raise OperatorError(f"there is no {path}", "`botrunner init` writes one; --config FILE names another")
    try:
        return load(path, os.environ)
    except StoreError as error:
        return load(path, os.environ, fleet_secrets=unreached(error))


def load_settings(path: Path) -> Settings:
    """What a good bots.yaml says.

    Raises:
        OperatorError: there is none, or it has problems: all of them are in the message, one a line.
    """
    from runner.config.problems import Problems

    loaded = load_file(path)
    if isinstance(loaded, Problems):
        count = len(loaded.problems)
        raise OperatorError(f"{path} cannot be used, {count} problem{'s' if count > 1 else ''}:\n{loaded}")
    return loaded.settings


def no_such_bot(bot_id: str, known: Sequence[str]) -> OperatorError:
    """The error that names the bot that was probably meant."""
    from runner.config.problems import did_you_mean

    guess = did_you_mean(bot_id, known) or f"; there are: {', '.join(known) or 'none'}"
    return OperatorError(f"there is no bot {bot_id!r}{guess}")


def find_bot(settings: Settings, bot_id: str) -> Bot:
    """The bot of that id. Raises OperatorError where there is none."""
    bot = settings.bot(bot_id)
    if bot is None:
        raise no_such_bot(bot_id, [bot.id for bot in settings.bots])
    return bot
