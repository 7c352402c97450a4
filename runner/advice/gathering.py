"""Facts out of the store, rules over them, advice out. The only module of this room that reads.

    daily sums ─▶ models, caps, users, jumps       at once, also for pages           `advice_from_sums`
    rows       ─▶ caches, windows, limits, loops   as many as there are, one by one  `advice_from_rows`

Rules: days are UTC, today is the last; nothing is written; rows are counted as they are read, so memory does not
grow with them. Disabled bots are advised too, as long as they have spent something in these days.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Protocol

from runner.advice.caps import UserDay, cap_advice, user_cap_advice
from runner.advice.counsel import Advice
from runner.advice.jumps import LOOKED_AT, BotDay, jumps
from runner.advice.limits import row_advice
from runner.advice.models import Used, model_advice
from runner.advice.rows import CHAT, Rows
from runner.bots import Bot, ModelChoice
from runner.clock import MS_PER_DAY, UnixMs, day_number, utc_day
from runner.money.amounts import ZERO, Money
from runner.money.ledger import LedgerEntry
from runner.money.prices import PriceBook
from runner.ports.books import LedgerFilter, UsageSum
from runner.ports.reports import DayTraffic

USER_DAYS = 1_000
"""The dearest days of users that are looked at."""
ROWS_A_STEP = 1_000
"""Rows between two calls of `told`."""


class SumReads(Protocol):
    """What sums are read by: a part of the store, or of its reader."""

    async def usage(self, which: LedgerFilter, by: Sequence[str], limit: int | None = None) -> list[UsageSum]:
        """As `BookStore.usage`."""

    async def traffic(self, bot: str | None, first_day: str, last_day: str) -> list[DayTraffic]:
        """As `ReportStore.traffic`."""


class RowReads(Protocol):
    """What rows are read by."""

    def ledger(self, which: LedgerFilter) -> AsyncIterator[LedgerEntry]:
        """As `BookStore.ledger`."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is looked at: these bots, so many days, the last one being today."""

    bots: tuple[Bot, ...]
    days: tuple[str, ...]
    book: PriceBook

    @classmethod
    def until(cls, now: UnixMs, days: int, bots: Iterable[Bot], book: PriceBook) -> Asked:
        """The last so many days."""
        return cls(tuple(bots), _days(utc_day(now), days), book)

    @property
    def only(self) -> str | None:
        """The bot, where it is one; None: they are more."""
        return self.bots[0].id if len(self.bots) == 1 else None

    def which(self, bot: str | None = None) -> LedgerFilter:
        """Rows of these days."""
        return _filter(self.days[0], self.days[-1], bot or self.only)


@dataclass(frozen=True, slots=True)
class Spent:
    """What a bot spent in these days. `charged` holds what may have been charged too; `calls`: of models."""

    cost: Money = ZERO
    charged: Money = ZERO
    calls: int = 0


@dataclass(frozen=True, slots=True)
class Advised:
    """What the sums say. `spent`: by bot."""

    advice: tuple[Advice, ...]
    warnings: tuple[Advice, ...]
    spent: dict[str, Spent]


async def advice_from_sums(reads: SumReads, asked: Asked, *, users: bool = True) -> Advised:
    """Advice and warnings that daily sums can give. `users`: look at single users too, which takes longer."""
    known = {bot.id for bot in asked.bots}
    by = ("bot", "provider", "model", "feature", "task", "route")
    sums = [one for one in await reads.usage(asked.which(), by) if one.key[0] in known]
    spent = {bot.id: _spent(one for one in sums if one.key[0] == bot.id) for bot in asked.bots}
    days = _days(asked.days[-1], max(len(asked.days), LOOKED_AT))
    daily = await reads.usage(_filter(days[0], days[-1], asked.only), ("bot", "day", "feature"))
    traffic = await reads.traffic(asked.only, days[0], days[-1])
    advice: list[Advice] = []
    warnings: list[Advice] = []
    for bot in asked.bots:
        mine = [_used(one) for one in sums if one.key[0] == bot.id]
        advice += model_advice(bot, mine, asked.book, spent[bot.id].cost)
        advice += cap_advice(bot, _costs(bot.id, daily, asked.days))
        if users and spent[bot.id].cost > 0:
            advice += await _user_advice(reads, asked, bot, spent[bot.id].cost)
        warnings += jumps(bot.id, days[-LOOKED_AT:], _chats(bot.id, daily, traffic))
    return Advised(tuple(advice), tuple(warnings), spent)


async def advice_from_rows(
    reads: RowReads, asked: Asked, spent: dict[str, Spent], told: Callable[[int], None] = lambda _: None
) -> list[Advice]:
    """Advice that only single rows can give; `told`: how many were read, now and then."""
    rows = Rows(asked.bots, asked.book)
    number = 0
    async for row in reads.ledger(asked.which()):
        rows.add(row)
        number += 1
        if number % ROWS_A_STEP == 0:
            told(number)
    told(number)
    return [one for bot in asked.bots for one in row_advice(bot, rows.of(bot.id), spent[bot.id].charged)]


async def _user_advice(reads: SumReads, asked: Asked, bot: Bot, spent: Money) -> list[Advice]:
    which = asked.which(bot.id)
    users = [(one.key[0], one.cost) for one in await reads.usage(which, ("user",), 2)]
    dearest = [
        UserDay(one.key[0], one.key[1], one.cost)
        for one in await reads.usage(which, ("user", "day"), USER_DAYS)
    ]
    return user_cap_advice(bot, spent, dearest, users)


def _spent(sums: Iterable[UsageSum]) -> Spent:
    those = list(sums)
    cost = sum(one.cost for one in those)
    return Spent(
        Money(cost), Money(cost + sum(one.unknown for one in those)), sum(one.calls for one in those)
    )


def _used(one: UsageSum) -> Used:
    _, provider, model, feature, task, route = one.key
    return Used(ModelChoice(provider, model), feature, task, route, one.calls, one.cost, one.usage)


def _costs(bot: str, daily: Iterable[UsageSum], days: Collection[str]) -> dict[str, Money]:
    """What each of these days cost."""
    found: dict[str, Money] = {}
    for one in daily:
        name, day, _ = one.key
        if name == bot and day in days:
            found[day] = Money(found.get(day, 0) + one.cost)
    return found


def _chats(bot: str, daily: Iterable[UsageSum], traffic: Iterable[DayTraffic]) -> dict[str, BotDay]:
    """The bot's chats by day."""
    found: dict[str, BotDay] = {}
    for one in daily:
        name, day, feature = one.key
        if name == bot and feature == CHAT:
            more = BotDay(0, one.calls, one.usage.input_tokens, one.cost)
            found[day] = found.get(day, BotDay()) + more
    for seen in traffic:
        if seen.bot == bot:
            found[seen.day] = found.get(seen.day, BotDay()) + BotDay(seen.received)
    return found


def _filter(first: str, last: str, bot: str | None) -> LedgerFilter:
    return LedgerFilter(
        bot=bot, from_ms=day_number(first) * MS_PER_DAY, to_ms=(day_number(last) + 1) * MS_PER_DAY
    )


def _days(last: str, number: int) -> tuple[str, ...]:
    end = date.fromisoformat(last)
    return tuple((end - timedelta(days=back)).isoformat() for back in range(number - 1, -1, -1))
