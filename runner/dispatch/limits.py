"""How many messages a minute. Pure but for its own memory.

Rule: never more than the limit in any sixty seconds (a sliding log, exact); memory is bounded by the limit
itself and by `MAX_KEYS` keys, the longest idle forgotten first.
"""

from __future__ import annotations

from collections import OrderedDict, deque

MINUTE_S = 60.0
MAX_KEYS = 10_000


class RateLimiter:
    """Counts messages by key over the last minute."""

    def __init__(self) -> None:
        self._log: OrderedDict[str, deque[float]] = OrderedDict()

    def take(self, key: str, limit: int | None, now: float) -> float:
        """Count one message at `now` (monotonic seconds) and return 0.0, or count nothing and return the wait."""
        if limit is None:
            return 0.0
        times = self._log.setdefault(key, deque())
        self._log.move_to_end(key)
        while times and now - times[0] >= MINUTE_S:
            times.popleft()
        if len(times) >= limit:
            return times[0] + MINUTE_S - now if times else MINUTE_S
        times.append(now)
        while len(self._log) > MAX_KEYS:
            self._log.popitem(last=False)
        return 0.0

    def give_back(self, key: str) -> None:
        """The message counted last was no new one."""
        times = self._log.get(key)
        if times:
            times.pop()
