"""What both ways of hearing Telegram have in common: telling how it is, waiting after a failure, keeping oddities."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from adapters.contract import ConnectionState, DeliveryState, Report, Timer
from adapters.errors import Unreachable
from adapters.http import Backoff
from adapters.telegram.client import Refused, SlowDown

ACKNOWLEDGED = frozenset({DeliveryState.ACCEPTED, DeliveryState.DUPLICATE, DeliveryState.IGNORED})
SHORTEST_WAIT_S = 0.05


@dataclass(slots=True)
class Unreadable:
    """What could not be read: how many since the start, and the last few as they came."""

    count: int = 0
    last: deque[object] = field(default_factory=lambda: deque(maxlen=16))

    def note(self, raw: object) -> None:
        """One more."""
        self.count += 1
        self.last.append(raw)


class Telling:
    """Reports a connection's state, each change once."""

    __slots__ = ("_backoff", "_report", "_reported", "_timer")

    def __init__(self, report: Report, timer: Timer, backoff: Backoff) -> None:
        self._report = report
        self._timer = timer
        self._backoff = backoff
        self._reported: tuple[ConnectionState, str] | None = None

    def tell(self, state: ConnectionState, why: str = "") -> None:
        """It is like this now."""
        if self._reported != (state, why):
            self._reported = (state, why)
            self._report(state, why)

    def works(self) -> None:
        """The next failure is the first."""
        self._backoff.reset()

    async def wait_out(self, error: Unreachable | Refused) -> None:
        """Tell what failed and wait: as long as Telegram says, else longer each time."""
        if isinstance(error, SlowDown):
            self.tell(ConnectionState.DEGRADED, str(error))
            await self._timer.sleep(max(SHORTEST_WAIT_S, error.retry_after_s or 0.0))
        else:
            self.tell(ConnectionState.DOWN, str(error))
            await self.pause()

    async def pause(self) -> None:
        """Wait, longer each time."""
        await self._timer.sleep(self._backoff.next_s())
