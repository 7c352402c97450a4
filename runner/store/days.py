"""UTC days as stores count them: whole days since 1970-01-01. Pure.

Rule: sums by day answer for a range only where it begins and ends at midnight, and for nothing that they do not
know: one turn, one state.
"""

from __future__ import annotations

from datetime import date, timedelta

from runner.ports.books import LedgerFilter

MS_PER_DAY = 86_400_000
_EPOCH = date(1970, 1, 1)
ACTIVE_USERS_DAYS = 400
"""For so long it is known who was active on a day; how many they were is known for ever."""
END_OF_DAYS = 2**32
"""A day after all others."""


def day_of(moment_ms: int) -> int:
    """The number of the day that this moment (Unix ms) is in."""
    return moment_ms // MS_PER_DAY


def number_of(day: str) -> int:
    """The number of `2026-11-22`. Raises ValueError for a text that is no day."""
    return (date.fromisoformat(day) - _EPOCH).days


def text_of(number: int) -> str:
    """The day of that number, as `2026-11-22`."""
    return (_EPOCH + timedelta(days=number)).isoformat()


def whole_days(which: LedgerFilter) -> range | None:
    """The days that the filter asks for, where sums by day can answer it."""
    first, end = which.from_ms or 0, which.to_ms
    if which.turn is not None or which.state is not None or first % MS_PER_DAY or (end or 0) % MS_PER_DAY:
        return None
    return range(day_of(first), END_OF_DAYS if end is None else day_of(end))
