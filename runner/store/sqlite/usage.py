"""Reads of usage: whole UTC days from the sums by day, all else from the ledger.

    usage_keys  bot, platform, feature, task, provider, model, route ─▶ a number    a few hundred rows
    usage_days  (number, day) ─▶ sums            usage_user_days  (number, day, user) ─▶ sums

Rules: only who asks for users reads the sums by user, which are many; what SQL sorts by is a number made of all
that is asked for but the day and the user, so that a year is added up without a name in it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runner.money.amounts import Money
from runner.money.usage import Usage
from runner.ports.books import LedgerFilter, UsageSum
from runner.store.days import text_of, whole_days
from runner.store.rules import add_usage, check_groupings, dearest_first
from runner.store.sqlite.money import usage_arguments, usage_sum_from
from runner.store.sqlite.queries import Queries

_KEY_NAMES = ("bot", "feature", "task", "model", "provider", "route", "platform")
"""Columns of `usage_keys`, as the query brings them."""
_ALL = -1
"""What SQL takes for no limit."""


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked of the sums by day. `days`: the first, and the one after the last."""

    bot: str | None
    days: range
    by: tuple[str, ...]
    limit: int | None

    def arguments(self) -> dict[str, object]:
        return {"bot": self.bot, "first_day": self.days.start, "end_day": self.days.stop}


class UsageReads:
    """Usage, each read a function of a connection."""

    def __init__(self, sql: Queries) -> None:
        self._sql = sql

    def usage(
        self, connection: sqlite3.Connection, which: LedgerFilter, by: Sequence[str], limit: int | None
    ) -> list[UsageSum]:
        """As `BookStore.usage`."""
        check_groupings(by)
        days = whole_days(which)
        if days is None:
            rows = connection.execute(self._sql["usage"], usage_arguments(which, by))
            found = [usage_sum_from(row, by) for row in rows]
        else:
            asked = _Question(which.bot, days, tuple(by), limit)
            few = not {"day", "user"} & set(by)
            found = self._by_key(connection, asked) if few else self._by_number(connection, asked)
        return sorted(found, key=dearest_first)[:limit]

    def _by_key(self, connection: sqlite3.Connection, asked: _Question) -> list[UsageSum]:
        groups = self._groups(connection, asked)
        found: dict[tuple[str, ...], UsageSum] = {}
        for key, *sums in connection.execute(self._sql["usage_by_key"], asked.arguments()):
            more = _sum(groups[key], sums)
            found[more.key] = add_usage(found[more.key], more) if more.key in found else more
        return list(found.values())

    def _by_number(self, connection: sqlite3.Connection, asked: _Question) -> list[UsageSum]:
        groups = self._groups(connection, asked)
        names = sorted(set(groups.values()))
        places = {name: place for place, name in enumerate(names)}
        arguments: dict[str, object] = {
            **asked.arguments(),
            "numbers": json.dumps({key: places[name] for key, name in groups.items()}),
            "by_day": int("day" in asked.by),
            "limit": _ALL if asked.limit is None else asked.limit,
        }
        query = self._sql["usage_by_day"]
        if "user" in asked.by:
            query = self._sql["usage_by_user" if asked.limit is None else "usage_by_dearest_users"]
        rows = connection.execute(query, arguments)
        return [
            _sum(_filled(names[number], asked.by, {"day": text_of(day), "user": user}), sums)
            for number, day, user, *sums in rows
        ]

    def _groups(self, connection: sqlite3.Connection, asked: _Question) -> dict[int, tuple[str, ...]]:
        """Which group each key is in; the day's and the user's place in it is empty."""
        empty = ("",) * len(asked.by)
        return {
            key: _filled(empty, asked.by, dict(zip(_KEY_NAMES, names, strict=True)))
            for key, *names in connection.execute(self._sql["usage_keys"], {"bot": asked.bot})
        }


def _filled(names: tuple[str, ...], by: Sequence[str], more: dict[str, str]) -> tuple[str, ...]:
    """The group's names with these in their places."""
    return tuple(more.get(grouping, name) for grouping, name in zip(by, names, strict=True))


def _sum(key: tuple[str, ...], sums: Sequence[Any]) -> UsageSum:
    cost, unknown, calls, retries, *tokens = sums
    return UsageSum(key, Money(cost), calls, retries, Usage(*tokens), Money(unknown))
