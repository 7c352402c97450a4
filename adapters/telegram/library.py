"""python-telegram-bot, loaded without what it drags in and nobody here calls.

Rule: httpx, which the library imports, loads a command line of its own (rich, click, pygments) wherever those
happen to be installed, and does without where they are not. While the library is loaded they look as if they were
not; afterwards everything is as before. The same for cryptography, which the library wants for Telegram Passport
only. What it saves: docs/decisions/telegram-client.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import cast


@contextmanager
def _without(module: str) -> Iterator[None]:
    """Let imports of a module that is not loaded yet fail for a while."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = cast("ModuleType", None)  # the import system's own sign for "not to be had"
    try:
        yield
    finally:
        sys.modules.pop(module, None)


with _without("httpx._main"), _without("cryptography"):
    from telegram import Bot
    from telegram.error import (
        BadRequest,
        ChatMigrated,
        Conflict,
        Forbidden,
        InvalidToken,
        NetworkError,
        TelegramError,
        TimedOut,
    )
    from telegram.request import BaseRequest, RequestData

    # The parameters of a RequestData have no public name. Bot's own methods would build and parse objects that
    # nobody reads, at twice the time a message.
    from telegram.request._requestparameter import RequestParameter

__all__ = [
    "BadRequest",
    "BaseRequest",
    "Bot",
    "ChatMigrated",
    "Conflict",
    "Forbidden",
    "InvalidToken",
    "NetworkError",
    "RequestData",
    "RequestParameter",
    "TelegramError",
    "TimedOut",
]
