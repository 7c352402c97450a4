"""Units on bots and their traffic by day.

Rules: a message counts on the UTC day on which it was accepted, in the transaction that ends its turn; a user of a
platform counts once a day and bot, so that the users of a day are a number and not a search; ids of two platforms
are two people.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping

from runner.clock import day_number
from runner.ports.mail import FinishedTurn
from runner.ports.reports import BotFacts, DayTraffic
from runner.store.days import day_of, text_of
from runner.store.sqlite.queries import Queries


class TrafficRows:
    """The tables `bots`, `traffic_days` and `active_users`."""

    def __init__(self, sql: Queries) -> None:
        self._sql = sql

    def define(self, connection: sqlite3.Connection, digests: Mapping[str, str], now_ms: int) -> None:
        """As `ReportStore.define_bots`."""
        for bot, digest in digests.items():
            connection.execute(self._sql["define_bot"], {"bot": bot, "digest": digest, "now_ms": now_ms})

    def count(
        self, connection: sqlite3.Connection, turn: FinishedTurn, accepted_ms: int, *, begins: bool
    ) -> None:
        """Count a turn; `begins`: it is the first of its conversation."""
        day, platform = day_of(accepted_ms), turn.platform or turn.channel
        fresh = 0
        if turn.asked:
            asked = (day, turn.bot, platform, turn.user)
            fresh = connection.execute(self._sql["add_active_user"], asked).rowcount
        counts = (int(turn.asked), len(turn.outbox), int(begins), fresh, accepted_ms)
        connection.execute(self._sql["count_traffic"], (turn.bot, day, platform, *counts))

    def facts(self, connection: sqlite3.Connection, bots: Collection[str]) -> dict[str, BotFacts]:
        """As `ReportStore.bot_facts`."""
        rows = connection.execute(self._sql["bots"], {"bots": json.dumps(sorted(set(bots)))})
        return {row[0]: BotFacts(*row) for row in rows}

    def by_day(
        self, connection: sqlite3.Connection, bot: str | None, first_day: str, last_day: str
    ) -> list[DayTraffic]:
        """As `ReportStore.traffic`."""
        query = self._sql["traffic" if bot is None else "traffic_of_bot"]
        rows = connection.execute(query, _days(bot, first_day, last_day))
        return [DayTraffic(text_of(day), *rest) for day, *rest in rows]

    def users(self, connection: sqlite3.Connection, bot: str | None, first_day: str, last_day: str) -> int:
        """As `ReportStore.unique_users`."""
        query = self._sql["unique_users" if bot is None else "unique_users_of_bot"]
        return int(connection.execute(query, _days(bot, first_day, last_day)).fetchone()[0])


def _days(bot: str | None, first_day: str, last_day: str) -> dict[str, object]:
    return {"bot": bot, "first_day": day_number(first_day), "last_day": day_number(last_day)}
