"""What the HTTP side is given: the parts of the daemon that it shows or calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from runner.clock import Clock, UnixMs
from runner.dispatch.console import Console, DeliverTo
from runner.ports.stores import Store
from runner.supervisor import LiveRoster
from runner.telemetry.lag import LoopLag

SetCap = Callable[[str, int | None], Awaitable[str | None]]
"""Write a bot's cap (whole cents, None: no cap) to bots.yaml and apply it; what is wrong, or None where it was done."""


@dataclass(frozen=True, slots=True)
class WebParts:
    """All of it."""

    roster: LiveRoster
    store: Store
    console: Console
    deliver: DeliverTo
    set_cap: SetCap
    lag: LoopLag
    clock: Clock
    jwt_secret: bytes
    started_ms: UnixMs
    pid: int
