"""A clock that stands still until a test moves it.

Rules: nothing is ever waited for in real time; `advance` wakes whoever's time has come, the earliest first, and
all of them see the new time; `asleep` waits by event until somebody sleeps, so a test never guesses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from heapq import heappop, heappush
from itertools import count

from runner.clock import UnixMs

START_MS = 1_800_000_000_000


class _GiveWay:
    """Lets the loop go round once."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class ManualClock:
    """A `runner.clock.Clock` (and an adapter's `Timer`) in a test's hand.

    Args:
        now_ms: wall time at the start; monotonic time starts at 1000 seconds.
        instant_s: who sleeps no longer than that only gives way (pauses that are there for politeness).
    """

    def __init__(self, now_ms: int = START_MS, instant_s: float = 0.0) -> None:
        self._instant_s = instant_s
        self._start_ms = now_ms
        self._passed = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = count()
        self._changed = asyncio.Event()
        self.sleeps: list[float] = []
        """Every sleep that was more than giving way, in seconds."""

    def now_ms(self) -> UnixMs:
        """Wall time."""
        return UnixMs(self._start_ms + round(self._passed * 1000))

    def monotonic(self) -> float:
        """Seconds that only grow."""
        return 1000.0 + self._passed

    async def sleep(self, seconds: float) -> None:
        """Until the time has been moved on that far; zero or less gives way once."""
        if seconds <= self._instant_s:
            await _GiveWay()
            return
        self.sleeps.append(seconds)
        alarm: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heappush(self._sleepers, (self._passed + seconds, next(self._numbers), alarm))
        self._ring()
        await alarm

    @property
    def sleeping(self) -> int:
        """How many sleep now."""
        return sum(not alarm.done() for _, _, alarm in self._sleepers)

    async def asleep(self, sleepers: int = 1) -> None:
        """Wait until at least that many sleep."""
        while self.sleeping < sleepers:
            await self._changed.wait()

    def advance(self, seconds: float) -> None:
        """Move the time on and wake whose time has come; they run once the caller waits for something."""
        if seconds < 0:
            raise ValueError("time only grows; `set_wall` moves a calendar back")
        self._passed += seconds
        while self._sleepers and self._sleepers[0][0] <= self._passed + 1e-9:
            _, _, alarm = heappop(self._sleepers)
            if not alarm.done():
                alarm.set_result(None)

    def set_wall(self, now_ms: int) -> None:
        """Let the wall clock jump, as an operator or a time server may; nobody wakes."""
        self._start_ms = now_ms - round(self._passed * 1000)

    def _ring(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
