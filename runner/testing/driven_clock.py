"""A clock whose calendar is driven and whose seconds are real.

Rules: `now_ms` stands still until it is moved, and only ever moves on; whoever waits or has a deadline lives in real
time. So a day's traffic of a real daemon, over real sockets, takes as long as the daemon takes for it, and what
depends on the time of day (how long a cache or a conversation lives) sees the whole day.
"""

from __future__ import annotations

from runner.clock import SystemClock, UnixMs
from runner.testing.clock import START_MS


class DrivenClock:
    """A `runner.clock.Clock` with somebody's hand on the calendar.

    Args:
        now_ms: wall time at the start.
    """

    def __init__(self, now_ms: int = START_MS) -> None:
        self._now_ms = now_ms
        self._real = SystemClock()

    def now_ms(self) -> UnixMs:
        """Wall time, as it was last driven to."""
        return UnixMs(self._now_ms)

    def monotonic(self) -> float:
        """Real seconds."""
        return self._real.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Sleep for real."""
        await self._real.sleep(seconds)

    def advance(self, seconds: float) -> None:
        """Move the calendar on. Raises ValueError for less than nothing."""
        if seconds < 0:
            raise ValueError("time only grows")
        self._now_ms += round(seconds * 1000)

    def until(self, now_ms: int) -> None:
        """Move the calendar on to that time, if it is not there yet."""
        self._now_ms = max(self._now_ms, now_ms)
