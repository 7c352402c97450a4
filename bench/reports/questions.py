"""What the dashboard asks a store, and the same questions put to the ledger's rows.

Rule: both are asked of the same file, and a question whose two answers differ is an error, not a figure.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.reports.making import BOTS, DAYS, FIRST_DAY, MS_PER_DAY, bot_name
from runner.ports.books import GROUPINGS, LedgerFilter
from runner.store.days import text_of
from runner.store.rules import dearest_first
from runner.store.sqlite.connection import read_only_uri
from runner.store.sqlite.money import usage_arguments, usage_sum_from
from runner.store.sqlite.queries import load_queries
from runner.store.sqlite.reader import SqliteReader

SHOWN = 500
"""Lines of a table on a page."""
BUSIEST = bot_name(0)
LAST_DAY = FIRST_DAY + DAYS - 1


@dataclass(frozen=True, slots=True)
class Usage:
    """A question about usage: the last `days`, of a bot or all, at most `limit` lines.

    Attributes:
        compared: put to the ledger, too; over a year that takes a minute each.
    """

    days: int
    by: tuple[str, ...]
    bot: str | None = None
    limit: int | None = SHOWN
    compared: bool = True

    @property
    def which(self) -> LedgerFilter:
        end = FIRST_DAY + DAYS
        return LedgerFilter(bot=self.bot, from_ms=(end - self.days) * MS_PER_DAY, to_ms=end * MS_PER_DAY)

    def __str__(self) -> str:
        return f"usage by {', '.join(self.by)}, {self.days} days, {_whose(self.bot)}"


@dataclass(frozen=True, slots=True)
class Figure:
    """A question's times in ms, medians and the worst. `ledger_ms` None: the ledger was not asked.

    Attributes:
        cpu_ms: of the processor; more is waiting: for the disk, and for others on this machine.
    """

    question: str
    ms: float
    worst_ms: float
    cpu_ms: float
    ledger_ms: float | None = None


USAGES = (
    *(Usage(30, (by,)) for by in GROUPINGS),
    Usage(30, ("day", "feature"), BUSIEST),
    Usage(30, ("day", "model")),
    Usage(30, ("bot", "user"), limit=20),
    Usage(30, ("bot", "user"), BUSIEST, limit=20),
    *(Usage(DAYS, (by,), compared=by in ("bot", "day")) for by in GROUPINGS if by != "user"),
    Usage(DAYS, ("day", "feature"), BUSIEST, compared=False),
    Usage(DAYS, ("day", "bot"), compared=False),
    Usage(DAYS, ("bot", "model", "feature"), compared=False),
    Usage(DAYS, ("user",), BUSIEST, limit=20, compared=False),
)


async def ask_usage(reader: SqliteReader, path: Path, question: Usage, times: int) -> Figure:
    """From the sums by day and, where it is to be compared, once from the ledger.

    Raises:
        ValueError: the two answers differ.
    """
    found = await _timed(lambda: reader.usage(question.which, question.by, question.limit), times)
    if not question.compared:
        return Figure(str(question), *found)
    begun = time.perf_counter()
    sql = load_queries()
    with closing(sqlite3.connect(read_only_uri(path), uri=True)) as connection:
        rows = connection.execute(sql["usage"], usage_arguments(question.which, question.by))
        expected = sorted((usage_sum_from(row, question.by) for row in rows), key=dearest_first)
    ledger_ms = (time.perf_counter() - begun) * 1000
    if await reader.usage(question.which, question.by) != expected:
        raise ValueError(f"{question}: the sums by day are not the sums of the rows")
    return Figure(str(question), *found, ledger_ms)


async def ask_others(reader: SqliteReader, times: int) -> list[Figure]:
    """What the ledger does not know."""
    page = await reader.conversations(None, SHOWN)
    middle = (page[-1].last_ms, page[-1].id)
    longest = max(page, key=lambda line: line.turns).id
    bots = [bot_name(rank) for rank in range(BOTS)]
    first, month = text_of(FIRST_DAY), text_of(LAST_DAY - 29)
    last = text_of(LAST_DAY)
    asked: dict[str, Callable[[], Awaitable[object]]] = {
        f"traffic, {DAYS} days, {_whose(BUSIEST)}": lambda: reader.traffic(BUSIEST, first, last),
        "traffic, 30 days, all bots": lambda: reader.traffic(None, month, last),
        f"different users, {DAYS} days, {_whose(BUSIEST)}": lambda: reader.unique_users(BUSIEST, first, last),
        "different users, 30 days, all bots": lambda: reader.unique_users(None, month, last),
        f"facts about {BOTS} bots": lambda: reader.bot_facts(bots),
        "conversations, first 50, all bots": lambda: reader.conversations(None, 50),
        "conversations, 50 after the 500th": lambda: reader.conversations(None, 50, middle),
        f"conversations, first 50, {_whose(BUSIEST)}": lambda: reader.conversations(BUSIEST, 50),
        "the longest transcript of a page": lambda: reader.transcript(longest),
    }
    return [Figure(name, *await _timed(ask, times)) for name, ask in asked.items()]


async def _timed(ask: Callable[[], Awaitable[object]], times: int) -> tuple[float, float, float]:
    """The median, the worst, and the processor's median, in ms."""
    found, processor = [], []
    for _ in range(times):
        begun, busy = time.perf_counter(), time.process_time()
        await ask()
        found.append((time.perf_counter() - begun) * 1000)
        processor.append((time.process_time() - busy) * 1000)
    return median(found), max(found), median(processor)


def _whose(bot: str | None) -> str:
    return "all bots" if bot is None else "the busiest bot"
