"""A talk with one bot, without a daemon."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from runner.app.parts import Site
from runner.app.running import settings_of
from runner.app.working import working
from runner.clock import SystemClock
from runner.config.hidden import secrets_of
from runner.errors import OperatorError
from runner.telemetry.logs import Cut, configure
from runner.telemetry.watching import Watching


@asynccontextmanager
async def chat_session(
    path: Path, environ: Mapping[str, str], bot_id: str
) -> AsyncIterator[Callable[[str], Awaitable[dict[str, Any]]]]:
    """The pipeline in this process, for one bot, without platforms and HTTP; yields `say(text)`.

    Raises:
        OperatorError: a faulty file, no such bot or a disabled one, or a store that is in use.
    """
    settings, _ = settings_of(path, environ)
    bot = settings.bot(bot_id)
    if bot is None:
        raise OperatorError(f"there is no bot {bot_id!r}", f"Bots: {', '.join(b.id for b in settings.bots)}.")
    if not bot.enabled:
        raise OperatorError(
            f"the bot {bot_id!r} is disabled", "Set `enabled: true` in its section of the file."
        )
    cut = Cut(secrets_of(settings))
    logger = configure("error", sys.stderr, environ, cut)
    site = Site(path, environ, settings, SystemClock(), Watching(logger), cut)
    async with working(site, connect=False) as daemon:

        async def say(text: str) -> dict[str, Any]:
            return await daemon.say(bot, "terminal", text)

        yield say
