"""Reads of bots and their traffic by day; what turns count is written where they end.

Rule: ids of two platforms are two people.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from runner.clock import day_number
from runner.ports.reports import BotFacts, DayTraffic
from runner.store.days import text_of
from runner.store.postgres.connection import Connection
from runner.store.queries import Queries


class TrafficReads:
    """The tables `bots`, `traffic_days` and `active_users`."""

    def __init__(self, sql: Queries) -> None:
        self._sql = sql

    async def define(self, connection: Connection, digests: Mapping[str, str], now_ms: int) -> None:
        """As `ReportStore.define_bots`."""
        await connection.execute(self._sql["define_bots"], list(digests), list(digests.values()), now_ms)

    async def facts(self, connection: Connection, bots: Collection[str]) -> dict[str, BotFacts]:
        """As `ReportStore.bot_facts`."""
        rows = await connection.fetch(self._sql["bots"], sorted(set(bots)))
        return {row[0]: BotFacts(*row) for row in rows}

    async def by_day(
        self, connection: Connection, bot: str | None, first_day: str, last_day: str
    ) -> list[DayTraffic]:
        """As `ReportStore.traffic`."""
        query = self._sql["traffic" if bot is None else "traffic_of_bot"]
        rows = await connection.fetch(query, *_asked(bot, first_day, last_day))
        return [DayTraffic(text_of(day), *rest) for day, *rest in sorted(map(tuple, rows))]

    async def users(self, connection: Connection, bot: str | None, first_day: str, last_day: str) -> int:
        """As `ReportStore.unique_users`."""
        query = self._sql["unique_users" if bot is None else "unique_users_of_bot"]
        return int(await connection.fetchval(query, *_asked(bot, first_day, last_day)))


def _asked(bot: str | None, first_day: str, last_day: str) -> tuple[object, ...]:
    days = day_number(first_day), day_number(last_day)
    return days if bot is None else (*days, bot)
