"""The event loop of the tests: its clock stands still while the machine does.

Rules: on a busy machine a process may be kept waiting for longer than the time limit that a test gives the code under
test; then the limit would run out although the answer is there. So each turn of this loop counts as long as it took,
but at most `TURN_S`, and a long wait is many turns. Where the machine keeps up, this clock is the machine's. It never
runs ahead of it, so nothing comes too early; and it always moves on, so whoever waits for a time-out gets it.

    machine    |--turn--|--turn--|---------- stalled ----------|--turn--|
    this loop  |--turn--|--turn--|--turn--|--turn--|
"""

import asyncio
import selectors
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selectors import SelectSelector as Selector  # what all of them can
else:
    Selector = selectors.DefaultSelector

TURN_S = 0.01
"""How much a turn of the loop counts at most, seconds."""


class SteadySelector(Selector):
    """Waits for files, and tells how long that was.

    Args:
        machine: the machine's clock, seconds that only grow.
    """

    def __init__(self, machine: Callable[[], float]) -> None:
        super().__init__()
        self._machine = machine
        self._looked = self.now = machine()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready within `timeout` seconds, None: however long it takes."""
        end = None if timeout is None else self.now + timeout
        while True:
            left = TURN_S if end is None else min(end - self.now, TURN_S)
            ready = super().select(max(left, 0.0))
            self._pass()
            if ready or (end is not None and self.now >= end):
                return ready

    def _pass(self) -> None:
        looked, self._looked = self._looked, self._machine()
        self.now += min(self._looked - looked, TURN_S)


class SteadyLoop(asyncio.SelectorEventLoop):
    """A loop whose clock counts no stall."""

    def __init__(self, machine: Callable[[], float] = time.monotonic) -> None:  # noqa: TID251 - what it is made of
        self._steady = SteadySelector(machine)
        super().__init__(self._steady)

    def time(self) -> float:
        """Seconds that only grow."""
        return self._steady.now
