"""`/usage` and `/usage.csv`: what was spent, by anything.

Rules: names to group by may stand in several fields or in one with commas; what cannot be answered is told on the
page, with what was asked still in the form; a page shows the dearest rows, the CSV has all; a chart by day has one
more name at most, and never users: those are too many.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

from aiohttp import web

from runner.advice.saved import all_of, usage_with_savings
from runner.ports.books import GROUPINGS, LedgerFilter, UsageSum, add_up
from runner.web.answers import SAFE_HEADERS, refusal
from runner.web.api.report_models import names_of
from runner.web.api.reports import MOST_DAYS, USUAL_DAYS, usage_csv, whole_days
from runner.web.dashboard.filling import spend_days, usage_row
from runner.web.dashboard.views import UsagePage, UsageRow
from runner.web.dashboard.wording import days_until
from runner.web.dashboard_pages.desk import Desk, Visit

SHOWN = 200
USUAL = ("day", "bot")
_LONGEST_DAY = 10


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for. `fault`: why it cannot be answered."""

    by: tuple[str, ...]
    first: str
    last: str
    fault: str = ""

    @property
    def which(self) -> LedgerFilter:
        """Its rows."""
        return whole_days(self.first, self.last, None)


class UsagePages:
    """The handlers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def show(self, visit: Visit) -> web.Response:
        """The table and its chart."""
        asked = self._asked(visit)
        if asked.fault:
            nothing = usage_row(add_up(()))
            view = UsagePage(asked.by, asked.first, asked.last, (), nothing, fault=asked.fault)
            return await self._desk.show(visit, view, status=400)
        store = self._desk.parts.store
        sums = await store.usage(asked.which, asked.by, SHOWN + 1)
        rows = tuple(usage_row(one) for one in sums[:SHOWN])
        more, whole, chart = len(sums) > SHOWN, sums, None
        if "day" in asked.by:
            whole, by = await self._by_day(asked, sums)
            number = (date.fromisoformat(asked.last) - date.fromisoformat(asked.first)).days + 1
            chart = spend_days(_series(whole, by), days_until(asked.last, number))
            rows = rows if more else _latest_first(rows, asked.by.index("day"))
        elif more:
            whole = await store.usage(asked.which, ("day",))
        total = usage_row(add_up(whole))
        saved = all_of(await usage_with_savings(store, asked.which, (), self._desk.parts.prices())).saved
        view = UsagePage(asked.by, asked.first, asked.last, rows, total, chart, more, saved=saved)
        return await self._desk.show(visit, view)

    async def csv(self, visit: Visit) -> web.Response:
        """All rows."""
        asked = self._asked(visit)
        if asked.fault:
            return refusal(400, "invalid", asked.fault)
        parts = self._desk.parts
        sums = await usage_with_savings(parts.store, asked.which, asked.by, parts.prices())
        headers = {**SAFE_HEADERS, "Content-Disposition": 'attachment; filename="usage.csv"'}
        response = web.Response(
            text=usage_csv(sums, asked.by), content_type="text/csv", charset="utf-8", headers=headers
        )
        response.enable_compression()
        return response

    async def _by_day(self, asked: Question, sums: list[UsageSum]) -> tuple[list[UsageSum], tuple[str, ...]]:
        """All of it by day and one more name, and those names; not read again where `sums` are that."""
        other = next((name for name in asked.by if name not in {"day", "user"}), None)
        by = ("day",) if other is None else ("day", other)
        if by == asked.by and len(sums) <= SHOWN:
            return sums, by
        return await self._desk.parts.store.usage(asked.which, by), by

    def _asked(self, visit: Visit) -> Question:
        query, today = visit.request.query, self._desk.today
        names = names_of(",".join(query.getall("group_by", [])))
        by = tuple(name for name in names if name in GROUPINGS) or USUAL
        first, last = query.get("from", ""), query.get("to", "")
        unknown = [name for name in names if name not in GROUPINGS]
        if unknown:
            return Question(
                by, _kept(first), _kept(last), f"Usage cannot be grouped by {', '.join(unknown)[:80]}."
            )
        try:
            last = date.fromisoformat(last).isoformat() if last else today
            first = date.fromisoformat(first).isoformat() if first else _days_before(last, USUAL_DAYS - 1)
        except (ValueError, OverflowError):
            return Question(by, _kept(first), _kept(last), "A day is written as 2026-11-22.")
        number = (date.fromisoformat(last) - date.fromisoformat(first)).days + 1
        fault = "The last day is before the first." if number < 1 else ""
        if number > MOST_DAYS:
            fault = f"At most {MOST_DAYS} days at once; these are {number:,}."
        return Question(by, first, last, fault)


def _series(sums: list[UsageSum], by: tuple[str, ...]) -> list[UsageSum]:
    """Sums by (day, name); where they have no name, all are one."""
    return sums if len(by) > 1 else [replace(one, key=(*one.key, "all")) for one in sums]


def _kept(text: str) -> str:
    return text[:_LONGEST_DAY]


def _days_before(day: str, number: int) -> str:
    return (date.fromisoformat(day) - timedelta(number)).isoformat()


def _latest_first(rows: tuple[UsageRow, ...], place: int) -> tuple[UsageRow, ...]:
    """The latest day first; of one day, the dearest."""
    return tuple(sorted(rows, key=lambda row: row.key[place], reverse=True))
