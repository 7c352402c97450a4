"""bots.yaml as the daemons of a fleet have it: deployed to all of them, so that none writes it. A `ports.definitions`.

Rule: everything is refused but a change of one bot's `spending_cap_cents` alone, which is kept in the store for all
daemons and is in force here when it is answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.app.in_force import InForce
from runner.app.reloading import Reloader
from runner.app.shared_caps import SharedCaps
from runner.config.edit_bots import BotsFile
from runner.config.hand_caps import wrong_with
from runner.errors import StoreError
from runner.money.amounts import PICO_PER_CENT
from runner.ports.definitions import Conflict, Deployed, Faulty, FieldFault, Outcome, Written
from runner.ports.reloads import Unusable

CAP = "spending_cap_cents"


class FleetFile:
    """The file, to be read, and the caps of all daemons."""

    def __init__(self, file: BotsFile, caps: SharedCaps, in_force: InForce, reloader: Reloader) -> None:
        self._file = file
        self._caps = caps
        self._in_force = in_force
        self._reloader = reloader

    @property
    def deployed(self) -> Deployed:
        """Why it is not written here."""
        return Deployed()

    async def bot_ids(self) -> list[str]:
        """As the file says."""
        return await self._file.bot_ids()

    async def fields(self, bot_id: str) -> Mapping[str, Any] | None:
        """As the file says, with the cap that is in force."""
        fields, bot = await self._file.fields(bot_id), self._in_force.settings.bot(bot_id)
        if fields is None or bot is None:
            return fields
        return {**fields, CAP: None if bot.cap is None else bot.cap // PICO_PER_CENT}

    async def create(self, bot_id: str, fields: Mapping[str, Any]) -> Outcome:
        """Refused."""
        return self.deployed

    async def change(self, bot_id: str, patch: Mapping[str, Any]) -> Outcome:
        """Refused, but for a cap."""
        if set(patch) != {CAP}:
            return self.deployed
        file, cents = self._in_force.file, patch[CAP]
        bot = file.bot(bot_id)
        if bot is None:
            return Conflict(f"the bot {bot_id!r} is not in force: reload bots.yaml first")
        if wrong := wrong_with(file, bot, cents):
            return Faulty((FieldFault(CAP, wrong),))
        try:
            await self._caps.put(bot_id, cents, bot.cap)
        except StoreError as error:
            return Conflict(f"the cap could not be kept: {error}")
        done = await self._reloader.renew("a cap was set here")
        if isinstance(done, Unusable):
            return Conflict(
                f"the cap is kept for all daemons, but not in force here: {'; '.join(done.problems)}"
            )
        return Written()

    async def remove(self, bot_id: str) -> Outcome:
        """Refused."""
        return self.deployed

    def schema(self) -> Mapping[str, Any]:
        """As the file's."""
        return self._file.schema()
