"""bots.yaml in memory, for tests of those who change bots. A `ports.definitions`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from runner.ports.definitions import Conflict, Deployed, Outcome, Written


class MemoryDefinitions:
    """Keeps what it is told.

    Attributes:
        bots: the fields of each bot.
        deployed: why only caps may be changed; None: everything may.
        problem: what every write comes to, in place of being done.
        writes: what was asked for: the bot and its fields, None where it was removed.
    """

    def __init__(self, *bot_ids: str, applied: Callable[[str], None] = lambda _: None) -> None:
        self.bots: dict[str, dict[str, Any]] = {bot_id: {} for bot_id in bot_ids}
        self.problem: Outcome | None = None
        self.deployed: Deployed | None = None
        self.writes: list[tuple[str, Mapping[str, Any] | None]] = []
        self._applied = applied

    async def bot_ids(self) -> list[str]:
        """All of them."""
        return list(self.bots)

    async def fields(self, bot_id: str) -> Mapping[str, Any] | None:
        """What was told."""
        return self.bots.get(bot_id)

    async def create(self, bot_id: str, fields: Mapping[str, Any]) -> Outcome:
        """One more."""
        if bot_id in self.bots:
            return Conflict(f"there is a bot {bot_id!r} already")
        return self._write(bot_id, fields)

    async def change(self, bot_id: str, patch: Mapping[str, Any]) -> Outcome:
        """Put these fields in the place of those."""
        return self._write(bot_id, patch)

    async def remove(self, bot_id: str) -> Outcome:
        """One less."""
        outcome = self._write(bot_id, None)
        if isinstance(outcome, Written):
            del self.bots[bot_id]
        return outcome

    def schema(self) -> Mapping[str, Any]:
        """Anything may be said of a bot."""
        return {"BotSection": {"type": "object", "properties": {}}}

    def _write(self, bot_id: str, fields: Mapping[str, Any] | None) -> Outcome:
        self.writes.append((bot_id, fields))
        problem = self.problem or (None if set(fields or {}) == {"spending_cap_cents"} else self.deployed)
        if problem is not None:
            return problem
        self.bots.setdefault(bot_id, {}).update(fields or {})
        self._applied(bot_id)
        return Written()
