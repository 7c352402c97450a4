"""What the HTTP side is given: the parts of the daemon that it shows or calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from runner.bots import Bot
from runner.clock import Clock, UnixMs
from runner.dispatch.console import Console, DeliverTo
from runner.ports.definitions import Definitions
from runner.ports.stores import Store
from runner.supervisor import LiveRoster
from runner.telemetry.lag import LoopLag

SetCap = Callable[[str, int | None], Awaitable[str | None]]
from runner.telemetry.standing import Probes
from runner.telemetry.tally import Tally
"""Write a bot's cap (whole cents, None: no cap) to bots.yaml and apply it; what is wrong, or None where it was done."""


@dataclass(frozen=True, slots=True)
class WebParts:
    """All of it.

    Attributes:
        definitions: bots.yaml, to be changed.
        defined: all bots that are in force, disabled ones included, in the file's order.
        public_url: where this server is reached from outside; None: not told.
    """
        probes: whether it can do its work, and how it stands.
        reloads: whoever reads bots.yaml again.
        tally: what happened since the start.

    roster: LiveRoster
    store: Store
    console: Console
    deliver: DeliverTo
    definitions: Definitions
    defined: Callable[[], Sequence[Bot]]
    lag: LoopLag
    clock: Clock
    jwt_secret: bytes
    started_ms: UnixMs
    probes: Probes
    reloads: Reloads
    tally: Tally
    pid: int
    public_url: str | None = None
