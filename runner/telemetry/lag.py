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

    @property
    def worst_ms(self) -> float:
        """The worst delay of the last ten seconds, milliseconds."""
        return max(self._late_ms, default=0.0)

    async def run(self) -> None:
        """Measure for ever."""
        while True:
            before = self._clock.monotonic()
            await self._clock.sleep(EVERY_S)
            self._late_ms.append(max(0.0, (self._clock.monotonic() - before - EVERY_S) * 1000))
