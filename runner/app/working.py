"""The pipeline, put together from the inside out, and its stop in stages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from adapters.http import Shared
from runner.agent.loop import AgentLoop
from runner.agent.meter import Meter
from runner.agent.tool_sessions import ToolSessions
from runner.app.making import adapters_of, catalogue_of, hook_of, new_id, poster_of, toolbox_of
from runner.app.parts import Daemon, Site
from runner.dispatch.commands import Commands
from runner.dispatch.console import Console
from runner.dispatch.inbox import Inbox
from runner.dispatch.lanes import Lanes
from runner.dispatch.outbox import Outbox
from runner.dispatch.turn import TurnHandler
from runner.dispatch.upkeep import Upkeep
from runner.ports.stores import Recovery, Store
from runner.providers.catalogue import Catalogue
from runner.store.catalogue import open_store
from runner.supervisor import LiveBot, LiveRoster
from runner.telemetry.alerts import Alerts
from runner.telemetry.everyone import Everyone

SEND_STOP_S = 5.0


@asynccontextmanager
async def working(site: Site, *, connect: bool) -> AsyncIterator[Daemon]:
    """A daemon whose pipeline works; without `connect` no platform's adapter is made.

    Leaving it stops in stages. Raises StoreRefused and OperatorError before anything runs.
    """
    settings, clock, observer = site.settings, site.clock, site.observer
    async with AsyncExitStack() as stack:
        settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        store = open_store(settings.store_url, settings.state_dir, clock)
        stack.push_async_callback(store.close)
        await store.open()
        recovery = await store.recover()
        catalogue = catalogue_of(settings, clock)
        stack.push_async_callback(catalogue.close)
        shared = Shared(clock, new_id, public_url=settings.server.public_url)
        stack.push_async_callback(shared.close)
        sessions = ToolSessions()
        stack.push_async_callback(sessions.close)
        console = Console(new_id)
        bots = [bot for bot in settings.bots if bot.enabled]
        live = [
            LiveBot(bot, adapters_of(bot, shared, connect=connect), toolbox_of(bot, sessions)) for bot in bots
        ]
        for bot in live:
            for adapter in bot.adapters.values():
                stack.push_async_callback(adapter.close)
        roster = LiveRoster(live, console, clock, observer)
        roster.set_wallet(settings.wallet)
        alerts = Alerts(store, clock, observer, poster_of(shared), lambda: hook_of(settings), roster.wallet)
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        site = replace(site, observer=Everyone((observer, alerts)))
        daemon = _assemble(site, store, roster, console, catalogue, recovery, tasks)
        await daemon.meter.open()
        upkeep = Upkeep(store, settings.retention_days, clock, observer)
        watchers = [
            tasks.create_task(daemon.outbox.watch(), name="outbox watch"),
            tasks.create_task(daemon.lanes.watch(), name="lanes watch"),
            tasks.create_task(upkeep.run(), name="upkeep"),
            tasks.create_task(alerts.run(), name="alerts"),
        ]
        try:
            yield daemon
        finally:
            await stop(daemon, settings.server.stop_timeout_s)
            for watcher in watchers:
                watcher.cancel()


def _assemble(
    site: Site,
    store: Store,
    roster: LiveRoster,
    console: Console,
    catalogue: Catalogue,
    recovery: Recovery,
    tasks: asyncio.TaskGroup,
) -> Daemon:
    """The flow, from the inside out."""
    clock, observer, book = site.clock, site.observer, site.settings.prices
    meter = Meter(catalogue, lambda: book, store, clock, observer, tasks)
    outbox = Outbox(store, roster, clock, observer, tasks)
    agent = AgentLoop(meter, lambda: book, clock)
    handler = TurnHandler(roster, agent, Commands(store), outbox, clock, observer, tasks)
    lanes = Lanes(store, roster, handler.handle, clock, observer, tasks)
    inbox = Inbox(store, roster, lanes, clock, observer, outbox.hand_out_again)
    return Daemon(site, store, roster, console, inbox, lanes, outbox, meter, catalogue, recovery)


async def stop(daemon: Daemon, timeout_s: float) -> None:
    """Stages 1 to 4; stopped already, it is done at once."""
    clock = daemon.site.clock
    end = clock.monotonic() + timeout_s
    daemon.inbox.close()
    await daemon.lanes.stop(timeout_s)
    calls = daemon.meter.running
    if calls:
        _, late = await asyncio.wait(calls, timeout=max(0.0, end - clock.monotonic()))
        for call in late:
            call.cancel()
    await daemon.outbox.stop(SEND_STOP_S)
