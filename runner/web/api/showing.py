"""A bot as the API shows it. No secret is in here: nothing here has one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Any

from adapters.contract import ConnectionState
from runner.bots import Bot
from runner.clock import UnixMs, iso
from runner.money.amounts import PICO_PER_CENT, Money, to_usd
from runner.money.budget import Counter
from runner.ports.reports import BotFacts
from runner.web.fleet import FleetNow, joined
from runner.web.parts import WebParts

_WORST_FIRST = (
    ConnectionState.REFUSED,
    ConnectionState.DOWN,
    ConnectionState.DEGRADED,
    ConnectionState.CONNECTING,
)


class Showing:
    """Shows bots."""

    def __init__(self, parts: WebParts) -> None:
        self._parts = parts

    async def lines(self, bots: Collection[Bot], fleet: FleetNow | None = None) -> list[dict[str, Any]]:
        """Each of these bots as `models.BotLine`; with a fleet as all daemons have it."""
        counters = await self._parts.store.counters([f"bot:{bot.id}" for bot in bots])
        facts = await self._facts([bot.id for bot in bots])
        return [
            self._line(
                bot, counters.get(f"bot:{bot.id}", Counter()), facts.get(bot.id, BotFacts(bot.id)), fleet
            )
            for bot in bots
        ]

    async def line(self, bot: Bot) -> dict[str, Any]:
        """One bot."""
        return (await self.lines([bot]))[0]

    def connections(self, bot_id: str, fleet: FleetNow | None = None) -> list[dict[str, Any]]:
        """Each of the bot's channels as `models.ConnectionLine`; with a fleet as all daemons have it."""
        return [
            {**asdict(one), "since": iso(UnixMs(one.since_ms)), "held_by": holder or None}
            for one, holder in joined(self._parts.roster.connections(bot_id), fleet)
        ]

    def tool_servers(self, bot_id: str) -> list[dict[str, Any]]:
        """Each of the bot's servers of tools as `models.ToolServerLine`."""
        return [
            {"name": source.name, "tools": [tool.name for tool in source.tools], "why": source.trouble}
            for source in self._parts.roster.tool_sources(bot_id)
        ]

    def worst(self, bot: Bot, fleet: FleetNow | None = None) -> ConnectionState | None:
        """The state of the channel that is worst off; None where the bot is off."""
        if self._parts.roster.bot(bot.id) is None:
            return None
        states = {one.state for one, _ in joined(self._parts.roster.connections(bot.id), fleet)}
        return next((state for state in _WORST_FIRST if state in states), ConnectionState.UP)

    async def _facts(self, bot_ids: Collection[str]) -> Mapping[str, BotFacts]:
        """What the store knows of these bots."""
        return await self._parts.store.bot_facts(bot_ids)

    def _line(
        self, bot: Bot, counter: Counter, facts: BotFacts, fleet: FleetNow | None = None
    ) -> dict[str, Any]:
        connection = self.worst(bot, fleet)
        cap = bot.cap if connection is None else self._parts.roster.cap(bot.id)
        return {
            "id": bot.id,
            "name": bot.name,
            "slug": bot.id,
            "platform": bot.channels[0].platform if bot.channels else None,
            "status": status_of(connection),
            "enabled": bot.enabled,
            "connection": connection,
            "llm_provider": bot.choice.provider,
            "llm_model": bot.choice.model,
            "billing_mode": bot.billing_mode,
            "created_at": _time(facts.created_ms),
            "updated_at": _time(facts.updated_ms),
            "last_active_at": _time(facts.last_active_ms),
            "conversation_count": facts.conversations,
            "spent_usd": to_usd(Money(counter.settled)),
            "held_usd": to_usd(Money(counter.held)),
            "unknown_usd": to_usd(Money(counter.unknown)),
            "spending_cap_cents": None if cap is None else cap // PICO_PER_CENT,
        }


def status_of(connection: ConnectionState | None) -> str:
    """`active`, `inactive` or `error`."""
    if connection is None:
        return "inactive"
    return "error" if connection is ConnectionState.REFUSED else "active"


def _time(moment_ms: int | None) -> str | None:
    return iso(UnixMs(moment_ms)) if moment_ms else None
