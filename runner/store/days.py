"""UTC days as stores count them: whole days since 1970-01-01. Pure.

Rule: sums by day answer for a range only where it begins and ends at midnight, and for nothing that they do not
know: one turn, one state.
"""

from __future__ import annotations

from datetime import timedelta

from runner.clock import EPOCH, MS_PER_DAY
from runner.ports.books import LedgerFilter

ACTIVE_USERS_DAYS = 400
"""For so long it is known who was active on a day; how many they were is known for ever."""
END_OF_DAYS = 2**32
"""A day after all others."""
END_OF_TIME = 2**62
"""Unix ms after all others; a database takes it as a number."""


def day_of(moment_ms: int) -> int:
    """The number of the day that this moment (Unix ms) is in."""
    return moment_ms // MS_PER_DAY


def text_of(number: int) -> str:
    """The day of that number, as `2026-11-22`."""
    return (EPOCH + timedelta(days=number)).isoformat()


def end_ms(which: LedgerFilter) -> int:
    """The moment before which the rows that are asked for are, Unix ms."""
    return END_OF_TIME if which.to_ms is None else which.to_ms


def whole_days(which: LedgerFilter) -> range | None:
    """The days that the filter asks for, where sums by day can answer it."""
    first, end = which.from_ms or 0, which.to_ms
    if which.turn is not None or which.state is not None or first % MS_PER_DAY or (end or 0) % MS_PER_DAY:
        return None
    return range(day_of(first), END_OF_DAYS if end is None else day_of(end))
