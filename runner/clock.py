"""The only place that asks what time it is.

Rules: wall time is an int of Unix milliseconds and is only written down or compared with calendar days;
waiting and deadlines use `monotonic`, which a changed clock cannot move.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, date, datetime
from typing import NewType, Protocol

UnixMs = NewType("UnixMs", int)
"""Milliseconds since 1970-01-01T00:00Z."""

MS_PER_DAY = 86_400_000
EPOCH = date(1970, 1, 1)


class Clock(Protocol):
    """Time as the rest sees it; `runner.testing.clock.ManualClock` is the fake."""

    def now_ms(self) -> UnixMs:
        """Wall time."""

    def monotonic(self) -> float:
        """Seconds that only grow; for deadlines."""

    async def sleep(self, seconds: float) -> None:
        """Sleep that long; zero or less gives way once."""


class SystemClock:
    """The machine's own clock."""

    def now_ms(self) -> UnixMs:
        """Wall time."""
        return UnixMs(time.time_ns() // 1_000_000)

    def monotonic(self) -> float:
        """Seconds since some fixed moment."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Sleep on the event loop."""
        await asyncio.sleep(max(0.0, seconds))


def is_due(due_ms: int, now_ms: int, longest_ms: int) -> bool:
    """Whether a time that was written down has come.

    One that is further off than anything is ever put off (`longest_ms`) was written before the clock was set
    back, and has come, too: a jump of the calendar must not hold up what waits.
    """
    return due_ms <= now_ms or due_ms - now_ms > longest_ms


def iso(moment: UnixMs) -> str:
    """`2026-11-22T10:00:00.123Z`."""
    text = datetime.fromtimestamp(moment // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{moment % 1000:03d}Z"


def day_number(day: str) -> int:
    """Whole days from 1970-01-01 to `2026-11-22`. Raises ValueError for a text that is no day."""
    return (date.fromisoformat(day) - EPOCH).days


def utc_day(moment: UnixMs) -> str:
    """`2026-11-22`, the UTC day that this moment is in."""
    return datetime.fromtimestamp(moment // 1000, UTC).strftime("%Y-%m-%d")
