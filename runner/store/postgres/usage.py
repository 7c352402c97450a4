"""Reads of usage: whole UTC days from the sums by day, all else from the ledger.

    usage_keys  bot, platform, feature, task, provider, model, route ─▶ a number    a few hundred rows
    usage_days  (number, day) ─▶ sums            usage_user_days  (number, day, user) ─▶ sums

Rules: only who asks for users reads the sums by user, which are many; what SQL sorts by is a number made of all
that is asked for but the day and the user, so that a year is added up without a name in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from runner.money.amounts import Money
from runner.money.usage import Usage
from runner.ports.books import GROUPINGS, LedgerFilter, UsageSum
from runner.store.days import end_ms, text_of, whole_days
from runner.store.postgres.connection import Connection
from runner.store.queries import Queries
from runner.store.rules import add_usage, check_groupings, dearest_first

_KEY_NAMES = ("bot", "feature", "task", "model", "provider", "route", "platform")
"""Columns of `usage_keys`, as the query brings them."""


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked of the sums by day. `days`: the first, and the one after the last."""

    bot: str | None
    days: range
    by: tuple[str, ...]
    limit: int | None


class UsageReads:
    """Usage, each read a function of a connection."""

    def __init__(self, sql: Queries) -> None:
        self._sql = sql

    async def usage(
        self, connection: Connection, which: LedgerFilter, by: Sequence[str], limit: int | None
    ) -> list[UsageSum]:
        """As `BookStore.usage`."""
        check_groupings(by)
        days = whole_days(which)
        if days is None:
            found = await self._of_ledger(connection, which, by)
        else:
            asked = _Question(which.bot, days, tuple(by), limit)
            few = not {"day", "user"} & set(by)
            found = await (self._by_key if few else self._by_number)(connection, asked)
        return sorted(found, key=dearest_first)[:limit]

    async def _of_ledger(
        self, connection: Connection, which: LedgerFilter, by: Sequence[str]
    ) -> list[UsageSum]:
        rows = await connection.fetch(
            self._sql["usage"],
            which.from_ms or 0,
            end_ms(which),
            which.state,
            which.bot,
            which.turn,
            *(name in by for name in GROUPINGS),
        )
        return [_sum_of_ledger(row, by) for row in rows]

    async def _by_key(self, connection: Connection, asked: _Question) -> list[UsageSum]:
        groups = await self._groups(connection, asked)
        found: dict[tuple[str, ...], UsageSum] = {}
        for key, *sums in await connection.fetch(
            self._sql["usage_by_key"], list(groups), asked.days.start, asked.days.stop
        ):
            more = _sum(groups[key], sums)
            found[more.key] = add_usage(found[more.key], more) if more.key in found else more
        return list(found.values())

    async def _by_number(self, connection: Connection, asked: _Question) -> list[UsageSum]:
        groups = await self._groups(connection, asked)
        names = sorted(set(groups.values()))
        places = {name: place for place, name in enumerate(names)}
        numbers = [places[name] for name in groups.values()]
        query, more = "usage_by_day", [asked.limit]
        if "user" in asked.by:
            by_day = "day" in asked.by
            few = asked.limit is not None
            query = "usage_by_dearest_users" if few else "usage_by_user"
            more = [by_day, asked.limit] if few else [by_day]
        rows = await connection.fetch(
            self._sql[query], list(groups), numbers, asked.days.start, asked.days.stop, *more
        )
        return [
            _sum(_filled(names[number], asked.by, {"day": text_of(day), "user": user}), sums)
            for number, day, user, *sums in rows
        ]

    async def _groups(self, connection: Connection, asked: _Question) -> dict[int, tuple[str, ...]]:
        """Which group each key is in; the day's and the user's place in it is empty."""
        empty = ("",) * len(asked.by)
        return {
            key: _filled(empty, asked.by, dict(zip(_KEY_NAMES, names, strict=True)))
            for key, *names in await connection.fetch(self._sql["usage_keys"], asked.bot)
        }


def _filled(names: tuple[str, ...], by: Sequence[str], more: dict[str, str]) -> tuple[str, ...]:
    """The group's names with these in their places."""
    return tuple(more.get(grouping, name) for grouping, name in zip(by, names, strict=True))


def _sum(key: tuple[str, ...], sums: Sequence[Any]) -> UsageSum:
    cost, unknown, calls, retries, *tokens = sums
    return UsageSum(key, Money(cost), calls, retries, Usage(*tokens), Money(unknown))


def _sum_of_ledger(row: Iterable[Any], by: Sequence[str]) -> UsageSum:
    """A row of `usage` as a value, with its key in the order asked for."""
    *names, day = tuple(row)[: len(GROUPINGS)]
    groups = dict(zip(GROUPINGS, [*names, text_of(day)], strict=True))
    return _sum(tuple(groups[name] for name in by), tuple(row)[len(GROUPINGS) :])
