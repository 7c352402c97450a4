"""Other settings are put in force on a daemon that works.

    make what is new ─▶ providers ─▶ settings ─▶ bots and connections ─▶ whoever waits looks again
    (may fail: then nothing has changed)      (one step: no turn sees half of it)

Rules: whatever can fail comes first; a turn that runs goes on under the definition it began with.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from adapters import registry
from runner.agent.meter import Meter
from runner.app.in_force import InForce
from runner.app.making import Workshop, provider_definitions, providers_used
from runner.config.hidden import secrets_of
from runner.config.reload import Difference
from runner.config.reload import in_force as merged
from runner.config.settings import Settings
from runner.dispatch.lanes import Lanes
from runner.errors import OperatorError
from runner.money.scopes import of_bot
from runner.providers.catalogue import Catalogue
from runner.supervisor import LiveBot, Supervisor
from runner.telemetry.logs import Cut


@dataclass(frozen=True, slots=True)
class Applying:
    """Puts settings in force, one after another; what it is made of is what a reload reaches."""

    in_force: InForce
    workshop: Workshop
    supervisor: Supervisor
    catalogue: Catalogue
    meter: Meter
    lanes: Lanes
    cut: Cut

    async def apply(self, read: Settings, found: Difference) -> None:
        """Put in force what is different, if anything is. Called by one at a time.

        Who was refused is tried again: a person may have mended it on the platform and said so by a reload.

        Raises:
            OperatorError: what it needs cannot be had; nothing has changed.
        """
        if not found.is_empty:
            await self._change(read, found)
        self.supervisor.try_refused_again()

    async def _change(self, read: Settings, found: Difference) -> None:
        old, new = self.in_force.settings, merged(self.in_force.settings, read)
        self.cut.add(secrets_of(new))
        bots = [bot for bot in new.bots if bot.enabled]
        for platform in sorted({channel.platform for bot in bots for channel in bot.channels}):
            await asyncio.to_thread(registry.load, platform)
        definitions = provider_definitions(new)
        live = [self._live(bot.id, new) for bot in bots]
        self.catalogue.redefine(definitions)
        for name in sorted(providers_used(new) - providers_used(old)):
            with suppress(OperatorError, ImportError):  # told by the first message that needs it
                await self.catalogue.warm(name)
        self.in_force.settings = new
        self.supervisor.change(live, new.wallet)
        self.workshop.servers.change(bots, self.lanes.ended)
        for change in found.changed:
            if change.moves_limits:
                self.meter.limit_changed(of_bot(change.bot))
        self.lanes.look()

    def _live(self, bot_id: str, new: Settings) -> LiveBot:
        bot = new.bot(bot_id)
        assert bot is not None  # noqa: S101 - asked for those that are there
        return self.workshop.live(bot, self.supervisor.living(bot_id))
