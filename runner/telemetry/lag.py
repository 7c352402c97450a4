"""How late the event loop is: the first sign of something that blocks it."""

from __future__ import annotations

from collections import deque

from runner.clock import Clock

EVERY_S = 0.5
REMEMBERED = 20


class LoopLag:
    """Sleeps a little and measures how much too late it wakes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._late_ms: deque[float] = deque(maxlen=REMEMBERED)
        self._due: float | None = None

    @property
    def worst_ms(self) -> float:
        """The worst delay of the last ten seconds, milliseconds, that of a sleeper who has yet to wake included."""
        overdue = 0.0 if self._due is None else (self._clock.monotonic() - self._due) * 1000
        return max(0.0, overdue, *self._late_ms)

    async def run(self) -> None:
        """Measure for ever."""
        while True:
            self._due = self._clock.monotonic() + EVERY_S
            await self._clock.sleep(EVERY_S)
            self._late_ms.append(max(0.0, (self._clock.monotonic() - self._due) * 1000))
