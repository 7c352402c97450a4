"""How a bot's connection is, out of how its shards are and what went wrong last. Pure but for the report.

Rules: the worst shard counts; a trouble that is no shard's (an unreadable update, a gap that could not be filled)
shows as degraded while all shards are up, until something went well; nothing is reported twice.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from adapters.contract import ConnectionState, Report

_WORST_FIRST = (
    ConnectionState.REFUSED,
    ConnectionState.DOWN,
    ConnectionState.CONNECTING,
    ConnectionState.DEGRADED,
    ConnectionState.UP,
)


@dataclass(slots=True)
class Unreadable:
    """What could not be read: how many since the start, and the last few as they came."""

    count: int = 0
    last: deque[object] = field(default_factory=lambda: deque(maxlen=16))

    def keep(self, raw: object) -> None:
        """One more."""
        self.count += 1
        self.last.append(raw)


class Health:
    """The state that is reported. `whole` is the part of the bot itself, beside its shards by number."""

    __slots__ = ("_parts", "_report", "_reported", "_trouble")

    def __init__(self, report: Report) -> None:
        self._report = report
        self._parts: dict[int | None, tuple[ConnectionState, str]] = {}
        self._trouble: str | None = None
        self._reported: tuple[ConnectionState, str] | None = None

    def tell(self, state: ConnectionState, why: str = "", shard: int | None = None) -> None:
        """How a shard is, or the bot as a whole (None)."""
        if shard is not None:
            self._parts.pop(None, None)  # from here on the shards say how it is
        self._parts[shard] = (state, why)
        self._show()

    def trouble(self, why: str | None) -> None:
        """What went wrong beside the connection; None: all is well again."""
        if why != self._trouble:
            self._trouble = why
            self._show()

    def _show(self) -> None:
        state, why = min(self._parts.values(), key=lambda part: _WORST_FIRST.index(part[0]))
        if state is ConnectionState.UP and self._trouble is not None:
            state, why = ConnectionState.DEGRADED, self._trouble
        if self._reported != (state, why):
            self._reported = (state, why)
            self._report(state, why)
