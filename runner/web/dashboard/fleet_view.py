"""What the overview shows of the daemons that share a store. Times are Unix ms, by the store's clock."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DaemonRow:
    """A daemon in a list.

    Attributes:
        here: it made this page.
        since_ms: when it began; of one that is gone: when it ended.
        up: how many of its `connections` carry messages.
        holds: what it alone does: connections as `bot/channel`, scheduled work as `work …`.
        turns: conversations that it works on.
    """

    name: str
    version: str
    since_ms: int
    gone: bool = False
    here: bool = False
    up: int = 0
    connections: int = 0
    turns: int = 0
    waiting: int = 0
    lag_ms: int = 0
    holds: tuple[str, ...] = ()

    def pill(self) -> tuple[str, str]:
        """A kind (its colour and its sign) and a word."""
        if self.gone:
            return "off", "gone"
        if self.lag_ms > LATE_MS:
            return "bad", "overloaded"
        return ("good", "running") if self.up == self.connections else ("warn", "not all connected")


LATE_MS = 1000
"""An event loop that is later than this does not do its work in time."""
