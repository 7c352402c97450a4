"""This daemon's part in its fleet: what it hears and watches, what it holds for all, what it says of itself.

    watch        news, burials, facts              begun first, ended last
    leases       connections and scheduled work    given back as soon as the stop begins and their work has ended
    collecting   answers that were made elsewhere

Rule: where the store has one daemon there is no part, and all that is asked for here is done as ever.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Coroutine
from typing import Any

from runner.app.digests import digests_of
from runner.app.parts import Daemon, FleetPart
from runner.bots import ModelChoice
from runner.clock import Clock
from runner.config.settings import Settings
from runner.dispatch.collecting import Collecting
from runner.dispatch.errands import ErrandWatch
from runner.dispatch.lanes import Lanes
from runner.dispatch.outbox import Outbox
from runner.ports.fleet import NewsKind
from runner.ports.observer import Observer
from runner.ports.stores import Store
from runner.supervisor import LiveRoster
from runner.supervisor.connections import lease_name
from runner.supervisor.facts import ConnectionFacts, DaemonFacts
from runner.supervisor.fleet_watch import FleetWatch, Hear, Routes
from runner.supervisor.leases import Leases
from runner.telemetry.alerts import Alerts
from runner.telemetry.standing import NOTHING_HELD, Held
from runner.web.live import Changes

BATCHES, SCHEDULES, ALERTS, UPKEEP = "work batches", "work schedules", "work alerts", "work upkeep"
SHOWN_AFTER_S = 5.0
"""After this time at the latest an open page shows what happened at another daemon."""
DUTIES = (BATCHES, SCHEDULES, ALERTS, UPKEEP)

Work = Callable[[], Coroutine[Any, Any, None]]


def part_of(store: Store, roster: LiveRoster, clock: Clock, observer: Observer) -> FleetPart | None:
    """The part of a daemon with this store, which is open."""
    fleet = store.fleet
    if fleet is None:
        return None
    return FleetPart(
        FleetWatch(fleet, clock, observer),
        Leases(store, fleet, clock, observer),
        Collecting(fleet, roster, clock, observer),
    )


async def held(part: FleetPart | None, name: str, work: Work) -> None:
    """Do what one daemon does for all, while that is us."""
    if part is None:
        await work()
    else:
        await part.leases.run_under(name, work)


def held_by(daemon: Daemon) -> Held:
    """What this daemon holds now of what only one of its fleet may have."""
    part = daemon.fleet
    if part is None:
        return NOTHING_HELD
    holds = part.leases.holds
    leases = {name: holds(name) for name in DUTIES}
    elsewhere = []
    for bot in daemon.roster.bot_ids():
        for one in daemon.roster.connections(bot):
            adapter = daemon.roster.adapter(bot, one.channel)
            if adapter is not None and adapter.capabilities.exclusive:
                name = lease_name(bot, one.channel)
                leases[name] = holds(name)
                elsewhere += [] if leases[name] else [(bot, one.channel)]
    return Held(leases, frozenset(elsewhere))


async def alerting(part: FleetPart | None, alerts: Alerts) -> None:
    """Tell what is seen here, and deliver what anybody told."""
    if part is None:
        await alerts.run()
        return
    async with asyncio.TaskGroup() as group:
        group.create_task(alerts.tell_all(), name="alerts told")
        group.create_task(held(part, ALERTS, alerts.deliver_all), name="alerts delivered")


async def taking_part(daemon: Daemon, errands: ErrandWatch) -> None:
    """Watch, renew and hand out until cancelled; nothing to do where there is no fleet."""
    part = daemon.fleet
    if part is None:
        return
    facts = _Facts(daemon, part)
    async with asyncio.TaskGroup() as group:
        group.create_task(part.watch.run(_routes(daemon, part, errands), facts.now), name="fleet")
        group.create_task(part.leases.run(), name="leases")
        group.create_task(part.collecting.run(daemon.outbox.hand_out), name="collected answers")
        group.create_task(showing(daemon.changes, daemon.site.clock), name="others' doings shown")


async def showing(changes: Changes, clock: Clock) -> None:
    """Let pages that are open look again now and then: what other daemons did was noted by nobody here."""
    while True:
        await clock.sleep(SHOWN_AFTER_S)
        changes.mark()


async def clear(daemon: Daemon, choice: ModelChoice) -> bool:
    """As `Meter.clear`; the other daemons hear of it. Raises StoreError."""
    known = await daemon.meter.clear(choice)
    if daemon.fleet is not None:
        daemon.fleet.watch.models_changed()
    return known


def routes_of(
    lanes: Lanes, outbox: Outbox, errands: ErrandWatch, collecting: Collecting
) -> dict[NewsKind, tuple[Hear, ...]]:
    """Which news makes which part of the flow look."""
    return {
        NewsKind.LANE: (lanes.heard,),
        NewsKind.WORK: (lanes.heard,),
        NewsKind.ANSWERED: (collecting.heard,),
        NewsKind.SENDS: (_whatever(outbox.look),),
        NewsKind.ERRANDS: (_whatever(errands.look),),
        NewsKind.DAEMONS: tuple(map(_whatever, (lanes.daemon_gone, outbox.daemon_gone, errands.look))),
    }


def _whatever(look: Callable[[], None]) -> Hear:
    """Look, whatever the text is."""
    return lambda _: look()


def _routes(daemon: Daemon, part: FleetPart, errands: ErrandWatch) -> Routes:
    flow = routes_of(daemon.lanes, daemon.outbox, errands, part.collecting)
    by_us = {
        NewsKind.BATCHES: (daemon.desk.heard,),
        NewsKind.DAEMONS: (
            *map(_whatever, (part.leases.look, daemon.changes.mark)),
            *flow[NewsKind.DAEMONS],
        ),
    }
    return Routes({**flow, **by_us}, daemon.meter.open)


class _Facts:
    """How this daemon is, at any time."""

    def __init__(self, daemon: Daemon, part: FleetPart) -> None:
        self._daemon = daemon
        self._part = part
        self._settings: Settings | None = None
        self._digest = ""

    def now(self) -> DaemonFacts:
        daemon, part = self._daemon, self._part
        bots = tuple(daemon.roster.bot_ids())
        return DaemonFacts(
            connections=tuple(one for bot in bots for one in self._connections(bot)),
            duties=tuple(name for name in DUTIES if part.leases.holds(name)),
            lanes=daemon.lanes.running,
            waiting=sum(map(daemon.lanes.waiting, bots)),
            lag_ms=0 if part.lag is None else round(part.lag.worst_ms),
            url=part.url,
            config=self._config(),
            stopping=part.stopping,
        )

    def _connections(self, bot: str) -> list[ConnectionFacts]:
        found = []
        for one in self._daemon.roster.connections(bot):
            adapter = self._daemon.roster.adapter(bot, one.channel)
            exclusive = adapter is not None and adapter.capabilities.exclusive
            ours = self._part.leases.holds(lease_name(bot, one.channel)) if exclusive else None
            found.append(
                ConnectionFacts(bot, one.channel, one.platform, one.state, one.why, one.since_ms, ours)
            )
        return found

    def _config(self) -> str:
        """A digest of the bots in force; reckoned when they are other ones."""
        settings = self._daemon.in_force.settings
        if settings is not self._settings:
            digests = sorted(digests_of(settings.bots).items())
            self._digest = hashlib.sha256(repr(digests).encode()).hexdigest()[:16]
            self._settings = settings
        return self._digest
