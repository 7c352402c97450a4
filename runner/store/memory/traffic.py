"""Bots and their traffic by day, in plain Python."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import replace

from runner.clock import day_number
from runner.ports.mail import FinishedTurn
from runner.ports.reports import BotFacts, DayTraffic
from runner.store.days import day_of, text_of


class Traffic:
    """What went in and out, and of which bots. Rules as in the port; a day is its number."""

    def __init__(self) -> None:
        self._digests: dict[str, str] = {}
        self._facts: dict[str, BotFacts] = {}
        self._days: dict[tuple[int, str], DayTraffic] = {}
        self._active: dict[tuple[int, str], set[tuple[str, str]]] = defaultdict(set)

    def define(self, digests: Mapping[str, str], now_ms: int) -> None:
        """As `ReportStore.define_bots`."""
        for bot, digest in digests.items():
            if self._digests.get(bot) != digest:
                known = self._known(bot)
                created = known.created_ms if bot in self._digests else now_ms
                self._facts[bot] = replace(known, created_ms=created, updated_ms=now_ms)
                self._digests[bot] = digest

    def count(self, turn: FinishedTurn, accepted_ms: int, *, begins: bool) -> None:
        """Count a turn; `begins`: it is the first of its conversation."""
        sent, received = len(turn.outbox), int(turn.asked)
        known = self._known(turn.bot)
        self._facts[turn.bot] = replace(
            known,
            last_active_ms=max(known.last_active_ms or 0, accepted_ms),
            conversations=known.conversations + int(begins),
            messages=known.messages + received + sent,
        )
        at = day_of(accepted_ms), turn.bot
        user = turn.platform or turn.channel, turn.user
        day = self._days.get(at, DayTraffic(text_of(at[0]), turn.bot))
        fresh = turn.asked and user not in self._active[at]
        if fresh:
            self._active[at].add(user)
        self._days[at] = replace(
            day, received=day.received + received, sent=day.sent + sent, users=day.users + int(fresh)
        )

    def facts(self, bots: Collection[str]) -> dict[str, BotFacts]:
        """As `ReportStore.bot_facts`."""
        return {bot: self._known(bot) for bot in bots}

    def by_day(self, bot: str | None, first_day: str, last_day: str) -> list[DayTraffic]:
        """As `ReportStore.traffic`."""
        asked = range(day_number(first_day), day_number(last_day) + 1)
        return [
            self._days[day, name] for day, name in sorted(self._days) if day in asked and bot in (None, name)
        ]

    def users(self, bot: str | None, first_day: str, last_day: str) -> int:
        """As `ReportStore.unique_users`."""
        asked = range(day_number(first_day), day_number(last_day) + 1)
        found = (users for (day, name), users in self._active.items() if day in asked and bot in (None, name))
        return len(set().union(*found))

    def forget_users(self, before_day: int) -> int:
        """Forget who was active before this day; how many they were, each day for itself."""
        old = [at for at in self._active if at[0] < before_day]
        return sum(len(self._active.pop(at)) for at in old)

    def _known(self, bot: str) -> BotFacts:
        return self._facts.get(bot, BotFacts(bot))
