"""What a daemon is made of, once it is put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.contract import Delivery
from adapters.messages import InboundMessage
from runner.agent.meter import Meter
from runner.app.in_force import InForce
from runner.app.reloading import Mark, Reloader
from runner.app.shared_caps import SharedCaps
from runner.bots import Bot
from runner.clock import Clock
from runner.config.settings import Settings
from runner.dispatch.batches import BatchDesk
from runner.dispatch.collecting import Collecting
from runner.dispatch.console import Console
from runner.dispatch.handoffs import HandoffDesk
from runner.dispatch.inbox import Inbox
from runner.dispatch.lanes import Lanes
from runner.dispatch.outbox import Outbox
from runner.dispatch.summaries import Summaries
from runner.errors import OperatorError
from runner.ports.observer import Observer
from runner.ports.stores import Recovery, Store
from runner.providers.catalogue import Catalogue
from runner.supervisor import LiveRoster, Supervisor
from runner.supervisor.fleet_watch import FleetWatch
from runner.supervisor.leases import Leases
from runner.telemetry.lag import LoopLag
from runner.telemetry.logs import Cut
from runner.telemetry.tally import Tally
from runner.web.last_errors import LastErrors
from runner.web.live import Changes

ANSWER_MARGIN_S = 15.0
SEND_STOP_S = 5.0


@dataclass(frozen=True, slots=True)
class Site:
    """Where a daemon runs: its file, its surroundings, its time.

    Attributes:
        settings: as they were at the start; `Daemon.in_force` has those of now.
        cut: keeps secrets out of the log.
        mark: the file's state before `settings` were read.
    """

    config: Path
    environ: Mapping[str, str]
    settings: Settings
    clock: Clock
    observer: Observer
    cut: Cut
    mark: Mark = None


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What stands behind the connections. A `runner.supervisor.Flow`."""

    inbox: Inbox
    lanes: Lanes
    outbox: Outbox

    async def deliver(self, bot_id: str, channel: str, message: InboundMessage) -> Delivery:
        """Take a message in."""
        return await self.inbox.deliver(bot_id, channel, message)

    async def ended(self, bot_id: str) -> None:
        """Wait until the bot's running turns have ended and have sent what can be sent now."""
        await self.lanes.ended(bot_id)
        await self.outbox.ended(bot_id, SEND_STOP_S)


@dataclass(slots=True)
class FleetPart:
    """What a daemon has besides where others share its store; made by `fleet.part_of`.

    Attributes:
        url, lag: where it serves HTTP and how late its loop is, once it does.
        stopping: whether it has begun to stop.
    """

    watch: FleetWatch
    leases: Leases
    collecting: Collecting
    url: str = ""
    lag: LoopLag | None = None
    stopping: bool = False


@dataclass(frozen=True, slots=True)
class Daemon:
    """All parts, put together and working; made by `working`."""

    site: Site
    store: Store
    roster: LiveRoster
    console: Console
    inbox: Inbox
    lanes: Lanes
    outbox: Outbox
    summaries: Summaries
    meter: Meter
    desk: BatchDesk
    handoffs: HandoffDesk
    catalogue: Catalogue
    recovery: Recovery
    in_force: InForce
    supervisor: Supervisor
    reloader: Reloader
    caps: SharedCaps | None
    tally: Tally
    changes: Changes
    last_errors: LastErrors
    fleet: FleetPart | None

    async def say(self, bot: Bot, user: str, text: str) -> dict[str, Any]:
        """Say something to a bot at the console; the answer's JSON."""
        wait = bot.limits.timeout_s + ANSWER_MARGIN_S
        try:
            said = await self.console.ask(self.inbox.deliver, bot.id, user, text, wait)
        except TimeoutError:
            raise OperatorError(
                "the answer did not come in time",
                "It will be in the conversation; say something again later.",
            ) from None
        if isinstance(said, Delivery):
            raise OperatorError(f"the message was not taken: {said.state}", "Wait a moment and try again.")
        return {"response": said.text, **said.report}
