"""Virtual time: what happens next, and nothing in between.

Rule: events of the same moment happen in the order in which they were put down, so that a seed is a run.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from math import inf
from typing import Any

Act = Callable[..., None]


class Agenda:
    """Events by time. `now`: seconds since the run began."""

    __slots__ = ("_events", "_order", "now")

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Act, tuple[Any, ...]]] = []
        self._order = 0

    def after(self, delay_s: float, act: Act, *arguments: Any) -> None:
        """Call `act` so long from now."""
        self._order += 1
        heapq.heappush(self._events, (self.now + delay_s, self._order, act, arguments))

    def run(self, until_s: float = inf) -> None:
        """Let time go on until then, or until nothing is left to happen."""
        events = self._events
        while events and events[0][0] <= until_s:
            self.now, _, act, arguments = heapq.heappop(events)
            act(*arguments)
