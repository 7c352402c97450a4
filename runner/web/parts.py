"""What the HTTP side is given: the parts of the daemon that it shows or calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from runner.bots import Bot
from runner.clock import Clock, UnixMs
from runner.dispatch.batches import BatchDesk
from runner.dispatch.console import Console, DeliverTo
from runner.dispatch.handoffs import HandoffDesk
from runner.dispatch.treasury import Treasury
from runner.money.prices import PriceBook
from runner.ports.definitions import Definitions
from runner.ports.reloads import Reloads
from runner.ports.stores import Store
from runner.ports.templates import Templates
from runner.supervisor import LiveRoster
from runner.telemetry.lag import LoopLag
from runner.telemetry.standing import Probes
from runner.telemetry.tally import Tally
from runner.web.last_errors import LastErrors
from runner.web.live import Changes

SetCap = Callable[[str, int | None], Awaitable[str | None]]
"""Write a bot's cap (whole cents, None: no cap) to bots.yaml and apply it; what is wrong, or None where it was done."""


@dataclass(frozen=True, slots=True)
class WebParts:
    """All of it.

    Attributes:
        definitions: bots.yaml, to be changed.
        defined: all bots that are in force, disabled ones included, in the file's order.
        prices: the price book that is in force.
        desk: who takes batches in.
        handoffs: where reviewers decide.
        probes: whether it can do its work, and how it stands.
        reloads: whoever reads bots.yaml again.
        tally: what happened since the start.
        changes: that something happened, for pages that are open; `last_errors`: of each bot.
        templates: what bots can be made of.
        public_url: where this server is reached from outside; None: not told.
    """

    roster: LiveRoster
    store: Store
    console: Console
    deliver: DeliverTo
    definitions: Definitions
    defined: Callable[[], Sequence[Bot]]
    prices: Callable[[], PriceBook]
    treasury: Treasury
    desk: BatchDesk
    handoffs: HandoffDesk
    lag: LoopLag
    probes: Probes
    reloads: Reloads
    tally: Tally
    changes: Changes
    last_errors: LastErrors
    clock: Clock
    jwt_secret: bytes
    started_ms: UnixMs
    pid: int
    public_url: str | None = None
    templates: Templates = tuple
