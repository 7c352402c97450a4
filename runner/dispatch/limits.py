"""How many messages a minute, as one daemon counts for itself.

Rule: never more than the limit in any sixty seconds (a sliding log, exact); memory is bounded by the limit
itself and by `MAX_KEYS` keys, the longest idle forgotten first.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence

from runner.clock import Clock
from runner.ports.rates import MINUTE_S, Rate

MAX_KEYS = 10_000
_SAME_S = 1e-6
"""How far apart two readings of one moment may be."""


class OwnRates:
    """A `runner.ports.rates.Rates` of this process alone."""

    def __init__(self, clock: Clock) -> None:
        self._limiter = RateLimiter()
        self._clock = clock

    async def take_all(self, rates: Sequence[Rate]) -> float:
        """As the port says."""
        return self._limiter.take_all(rates, self._clock.monotonic())

    async def give_back(self, rates: Sequence[Rate], ago_s: float = 0.0) -> None:
        """As the port says."""
        self._limiter.give_back(rates, self._clock.monotonic() - ago_s)


class RateLimiter:
    """Counts messages by key over the last minute. Pure but for its own memory."""

    def __init__(self) -> None:
        self._log: OrderedDict[str, deque[float]] = OrderedDict()

    def take(self, key: str, limit: int | None, now: float) -> float:
        """Count one message at `now` (monotonic seconds) and return 0.0, or count nothing and return the wait."""
        return self.take_all([(key, limit)], now)

    def take_all(self, rates: Sequence[Rate], now: float) -> float:
        """Count one message against each of these and return 0.0, or against none and return the longest wait."""
        limited = [(key, limit) for key, limit in rates if limit is not None]
        wait = max((self._wait(key, limit, now) for key, limit in limited), default=0.0)
        if wait > 0:
            return wait
        for key, _ in limited:
            self._log.setdefault(key, deque()).append(now)
            self._log.move_to_end(key)
        while len(self._log) > MAX_KEYS:
            self._log.popitem(last=False)
        return 0.0

    def give_back(self, rates: Sequence[Rate], at: float) -> None:
        """A message came to nothing: the latest one that `take_all` had counted at that time."""
        for key, _ in rates:
            times = self._log.get(key, ())
            own = next((time for time in reversed(times) if time <= at + _SAME_S), None)
            if own is not None:
                self._log[key].remove(own)

    def _wait(self, key: str, limit: int, now: float) -> float:
        times = self._log.get(key) or deque[float]()
        while times and times[0] + MINUTE_S <= now:
            times.popleft()
        if len(times) < limit:
            return 0.0
        return times[0] + MINUTE_S - now if times else MINUTE_S
