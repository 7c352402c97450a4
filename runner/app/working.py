"""The pipeline, put together from the inside out, and its stop in stages."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace

from adapters.http import Shared
from runner.agent.kept import KeptAnswers
from runner.agent.loop import AgentLoop
from runner.agent.meter import Meter
from runner.agent.tool_sessions import ToolSessions
from runner.app.applying import Applying
from runner.app.batching import desk_of
from runner.app.digests import digests_of
from runner.app.fleet import BATCHES, UPKEEP, alerting, held, part_of, taking_part
from runner.app.flowing import LazyFlows
from runner.app.in_force import InForce
from runner.app.making import Workshop, catalogue_of, hook_of, new_id, poster_of
from runner.app.parts import SEND_STOP_S, Daemon, FleetPart, Pipeline, Site
from runner.app.reloading import Reading, Reloader
from runner.app.shared_caps import SharedCaps
from runner.clock import Clock
from runner.config.loader import load
from runner.config.problems import Problems
from runner.config.reload import Difference
from runner.config.settings import Loaded, Settings
from runner.dispatch.answering import Answerers, Answering
from runner.dispatch.commands import Commands
from runner.dispatch.console import Console
from runner.dispatch.errands import FLEET_LOOK_S, LOOK_AGAIN_S, ErrandBell, ErrandWatch
from runner.dispatch.handoffs import HandoffDesk
from runner.dispatch.inbox import Inbox
from runner.dispatch.lanes import Lanes
from runner.dispatch.outbox import Outbox
from runner.dispatch.summaries import Summaries
from runner.dispatch.turn import TurnHandler
from runner.dispatch.upkeep import Upkeep
from runner.errors import StoreError
from runner.money.prices import PriceBook
from runner.ports.observer import Observer
from runner.ports.stores import Recovery, Store
from runner.providers.catalogue import Catalogue
from runner.store.catalogue import open_store
from runner.store.knowledge.library import Library
from runner.supervisor import LiveRoster, Supervisor
from runner.telemetry.alerts import Alerts
from runner.telemetry.everyone import Everyone
from runner.telemetry.tally import Tally
from runner.tool_servers.link import Place
from runner.tool_servers.opening import SdkOpener
from runner.tool_servers.pool import ToolServers
from runner.web.last_errors import LastErrors
from runner.web.live import Changes


@asynccontextmanager
async def working(site: Site, *, connect: bool) -> AsyncIterator[Daemon]:
    """A daemon whose pipeline works; without `connect` no platform's adapter is made.

    Leaving it stops in stages. Raises StoreRefused and OperatorError before anything runs.
    """
    settings, clock = site.settings, site.clock
    tally, changes, last_errors = Tally(), Changes(), LastErrors(clock)
    observer = Everyone((site.observer, tally, last_errors, changes))
    async with AsyncExitStack() as stack:
        settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        store = open_store(settings.store_url, settings.state_dir, clock)
        stack.push_async_callback(store.close)
        await store.open()
        recovery = await store.recover()
        in_force, caps = await _in_force(settings, store, observer)
        catalogue = catalogue_of(in_force, clock)
        stack.push_async_callback(catalogue.close)
        shared = Shared(clock, new_id, public_url=settings.server.public_url)
        stack.push_async_callback(shared.close)
        sessions = ToolSessions()
        stack.push_async_callback(sessions.close)
        library = _library(stack, in_force, clock, observer)
        console = Console(new_id)
        servers = _servers(site, observer)
        workshop = Workshop(shared, sessions, connect, servers)
        live = [workshop.live(bot) for bot in in_force.settings.bots if bot.enabled]
        roster = LiveRoster(live, console, clock, observer, settings.wallet)
        stack.push_async_callback(roster.close)
        part = part_of(store, roster, clock, observer)
        alerts = Alerts(
            *(store, clock, observer, poster_of(shared), lambda: hook_of(in_force.settings), roster.wallet),
            shared=part is not None,
        )
        bell = ErrandBell()
        ears = (alerts, bell) if part is None else (alerts, bell, part.watch, part.collecting)
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        site = replace(site, observer=Everyone((observer, *ears)))
        parts = _Parts(
            site,
            store,
            roster,
            console,
            catalogue,
            recovery,
            in_force,
            workshop,
            _Seen(tally, changes, last_errors),
            library,
            caps,
            part,
        )
        daemon = _assemble(parts, tasks)
        watchers = await _begun(daemon, servers, alerts, bell, tasks, connect=connect)
        try:
            yield daemon
        finally:
            await stop(daemon)
            for watcher in watchers:
                watcher.cancel()


async def _in_force(
    settings: Settings, store: Store, observer: Observer
) -> tuple[InForce, SharedCaps | None]:
    """What is gone by from the start on, and on a fleet whoever lays its caps over bots.yaml."""
    if store.fleet is None:
        return InForce(settings), None
    caps = SharedCaps(store.values, store.fleet, observer)
    return InForce(await caps.laid_over(settings), settings), caps


def _errands(daemon: Daemon, bell: ErrandBell) -> ErrandWatch:
    """Who sees to what is owed; on a fleet each daemon does."""
    look_s = LOOK_AGAIN_S if daemon.fleet is None else FLEET_LOOK_S
    return ErrandWatch(daemon.store.runs, daemon.lanes, daemon.site.clock, daemon.site.observer, bell, look_s)


async def _begun(
    daemon: Daemon,
    servers: ToolServers,
    alerts: Alerts,
    bell: ErrandBell,
    tasks: asyncio.TaskGroup,
    *,
    connect: bool,
) -> list[asyncio.Task[None]]:
    """Begin the work that goes on by itself: first the tools, which what was left over may need."""
    await daemon.meter.open()
    bots = daemon.in_force.settings.bots
    await daemon.store.define_bots(digests_of(bots), daemon.site.clock.now_ms())
    errands = _errands(daemon, bell)
    taking = tasks.create_task(taking_part(daemon, errands), name="part in the fleet")
    servers.change([live.bot for live in daemon.roster.live()], daemon.lanes.ended)
    keeping = tasks.create_task(servers.run(), name="tool servers")
    await servers.tried()
    await daemon.handoffs.remind()
    begun = [taking, keeping]
    if connect or daemon.fleet is None:  # a fleet's work is not for somebody who only says something to it
        begun += _watched(daemon, alerts, errands, tasks)
    return begun


def _watched(
    daemon: Daemon, alerts: Alerts, errands: ErrandWatch, tasks: asyncio.TaskGroup
) -> list[asyncio.Task[None]]:
    """Begin to look for work."""
    site, part = daemon.site, daemon.fleet
    upkeep = Upkeep(daemon.store, lambda: daemon.in_force.settings.retention_days, site.clock, site.observer)
    return [
        tasks.create_task(daemon.outbox.watch(), name="outbox watch"),
        tasks.create_task(daemon.lanes.watch(), name="lanes watch"),
        tasks.create_task(held(part, UPKEEP, upkeep.run), name="upkeep"),
        tasks.create_task(alerting(part, alerts), name="alerts"),
        tasks.create_task(held(part, BATCHES, daemon.desk.run), name="batches"),
        tasks.create_task(errands.run(), name="errands"),
    ]


def _servers(site: Site, observer: Observer) -> ToolServers:
    """The tool servers of workspaces; programs are started beside bots.yaml."""
    folder = site.config.absolute().parent
    return ToolServers(SdkOpener(Place(folder, site.environ, site.clock)), site.clock, observer)


def _library(stack: AsyncExitStack, in_force: InForce, clock: Clock, observer: Observer) -> Library:
    """What workflows may look things up in, as bots.yaml has it now."""
    library = Library(lambda: in_force.settings.knowledge, clock, observer)
    stack.push_async_callback(library.close)
    return library


@dataclass(frozen=True, slots=True)
class _Seen:
    """Who watches, for the pages of HTTP."""

    tally: Tally
    changes: Changes
    last_errors: LastErrors


@dataclass(frozen=True, slots=True)
class _Parts:
    """What the flow is put around."""

    site: Site
    store: Store
    roster: LiveRoster
    console: Console
    catalogue: Catalogue
    recovery: Recovery
    in_force: InForce
    workshop: Workshop
    seen: _Seen
    library: Library
    caps: SharedCaps | None
    fleet: FleetPart | None


def _assemble(parts: _Parts, tasks: asyncio.TaskGroup) -> Daemon:
    """The flow, from the inside out, and who changes it while it runs."""
    site, store, roster, in_force = parts.site, parts.store, parts.roster, parts.in_force
    clock, observer = site.clock, site.observer

    def book() -> PriceBook:
        return in_force.settings.prices

    def read() -> Loaded | Problems:
        return load(site.config, site.environ)

    meter = Meter(parts.catalogue, book, store, clock, observer, tasks)
    outbox = Outbox(store, roster, clock, observer, tasks)
    agent = AgentLoop(meter, book, clock)
    kept = KeptAnswers(store, clock, observer)
    summaries = Summaries(meter, store, roster, clock, observer, tasks)
    flows = LazyFlows(agent, meter, book, store.runs, parts.library, outbox, clock, observer)
    answering = Answering(roster, Answerers(agent, kept, flows), summaries, clock, observer, tasks)
    handler = TurnHandler(roster, answering, Commands(store), outbox, clock, observer, tasks)
    lanes = Lanes(store, roster, handler.handle, clock, observer, tasks)
    inbox = Inbox(store, roster, lanes, clock, observer, outbox.hand_out_again)
    flow = Pipeline(inbox, lanes, outbox)
    desk = desk_of(parts.catalogue, book, store, roster, meter, clock, observer)
    leases = None if parts.fleet is None else parts.fleet.leases
    supervisor = Supervisor(roster, flow, store, clock, observer, f"{os.getpid()}", leases)
    applying = Applying(in_force, parts.workshop, supervisor, parts.catalogue, meter, lanes, site.cut)

    async def apply(read: Settings, found: Difference) -> None:
        await applying.apply(read, found)
        with suppress(StoreError):  # the next start remembers it
            await store.define_bots(digests_of(in_force.settings.bots), clock.now_ms())
            for bot in (*found.removed, *(change.bot for change in found.changed)):
                await store.forget_answers(bot)

    reading = (
        Reading(site.config, read) if parts.caps is None else Reading(site.config, read, parts.caps.laid_over)
    )
    return Daemon(
        site=site,
        store=store,
        roster=roster,
        console=parts.console,
        inbox=inbox,
        lanes=lanes,
        outbox=outbox,
        summaries=summaries,
        meter=meter,
        desk=desk,
        handoffs=HandoffDesk(store.runs, clock, observer),
        catalogue=parts.catalogue,
        recovery=parts.recovery,
        in_force=in_force,
        supervisor=supervisor,
        reloader=Reloader(reading, apply, in_force, clock, observer, site.mark),
        caps=parts.caps,
        tally=parts.seen.tally,
        changes=parts.seen.changes,
        last_errors=parts.seen.last_errors,
        fleet=parts.fleet,
    )


async def stop(daemon: Daemon) -> None:
    """Stages 1 to 4; stopped already, it is done at once."""
    clock, timeout_s = daemon.site.clock, daemon.in_force.settings.server.stop_timeout_s
    end = clock.monotonic() + timeout_s
    daemon.inbox.close()
    async with asyncio.TaskGroup() as group:
        group.create_task(_hand_over(daemon, timeout_s), name="scheduled work ends")
        await daemon.lanes.stop(timeout_s)
    await daemon.summaries.stop()
    calls = daemon.meter.running
    if calls:
        _, late = await asyncio.wait(calls, timeout=max(0.0, end - clock.monotonic()))
        for call in late:
            call.cancel()
    await daemon.outbox.stop(SEND_STOP_S)


async def _hand_over(daemon: Daemon, timeout_s: float) -> None:
    """End the scheduled work; on a fleet another daemon goes on with it at once."""
    part = daemon.fleet
    if part is not None:
        part.stopping = True
        await part.watch.report()
    await daemon.desk.stop(timeout_s)
    if part is not None:
        await part.leases.stop()
