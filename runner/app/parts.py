"""What a daemon is made of, once it is put together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.contract import Delivery
from runner.agent.meter import Meter
from runner.bots import Bot
from runner.clock import Clock
from runner.config import edit
from runner.config.secret_store import SecretStore
from runner.config.settings import Settings
from runner.dispatch.console import Console
from runner.dispatch.inbox import Inbox
from runner.dispatch.lanes import Lanes
from runner.dispatch.outbox import Outbox
from runner.errors import OperatorError
from runner.money.amounts import from_cents
from runner.ports.observer import Observer
from runner.ports.stores import Recovery, Store
from runner.providers.catalogue import Catalogue
from runner.supervisor import LiveRoster

ANSWER_MARGIN_S = 15.0


@dataclass(frozen=True, slots=True)
class Site:
    """Where a daemon runs: its file, its surroundings, its time."""

    config: Path
    environ: Mapping[str, str]
    settings: Settings
    clock: Clock
    observer: Observer


@dataclass(frozen=True, slots=True)
class Daemon:
    """All parts, put together and working; made by `working`."""

    site: Site
    store: Store
    roster: LiveRoster
    console: Console
    inbox: Inbox
    lanes: Lanes
    outbox: Outbox
    meter: Meter
    catalogue: Catalogue
    recovery: Recovery

    async def say(self, bot: Bot, user: str, text: str) -> dict[str, Any]:
        """Say something to a bot at the console; the answer's JSON."""
        wait = bot.limits.timeout_s + ANSWER_MARGIN_S
        try:
            said = await self.console.ask(self.inbox.deliver, bot.id, user, text, wait)
        except TimeoutError:
            raise OperatorError(
                "the answer did not come in time",
                "It will be in the conversation; say something again later.",
            ) from None
        if isinstance(said, Delivery):
            raise OperatorError(f"the message was not taken: {said.state}", "Wait a moment and try again.")
        return {"response": said.text, **said.report}

    async def set_cap(self, bot_id: str, cents: int | None) -> str | None:
        """Write a cap to the file and apply it; what is wrong, or None."""
        site = self.site
        secrets = SecretStore(site.settings.state_dir, site.environ)
        problem = await asyncio.to_thread(
            edit.set_cap, site.config, bot_id, cents, environ=site.environ, secrets=secrets
        )
        if problem is not None:
            return str(problem)
        self.roster.set_cap(bot_id, None if cents is None else from_cents(cents))
        self.meter.limit_changed(f"bot:{bot_id}")
        return None
