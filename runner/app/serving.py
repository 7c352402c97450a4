"""HTTP and the platforms' connections, around a working pipeline."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from functools import partial

from runner.app.batching import schedules_of
from runner.app.defining import definitions_of
from runner.app.file_watch import FileWatch
from runner.app.fleet import SCHEDULES, clear, held, held_by
from runner.app.making import providers_used
from runner.app.parts import Daemon
from runner.app.shared_watch import SharedWatch
from runner.app.working import stop
from runner.clock import iso
from runner.config.templates import templates
from runner.dispatch.treasury import Treasury
from runner.errors import OperatorError
from runner.ports.notifier import Notifier
from runner.presence import Presence
from runner.providers.catalogue import Catalogue
from runner.telemetry.lag import LoopLag
from runner.telemetry.standing import Probes
from runner.web.auth import load_secret, load_shared_secret
from runner.web.parts import WebParts


@asynccontextmanager
async def serving(daemon: Daemon, notifier: Notifier) -> AsyncIterator[str]:
    """HTTP and the platforms' connections, around a working daemon; yields the address."""
    from runner.web.server import Server  # noqa: PLC0415 - aiohttp.web is for the daemon, not for `chat`

    site = daemon.site
    settings, clock = site.settings, site.clock
    lag = LoopLag(clock)
    parts = WebParts(
        roster=daemon.roster,
        store=daemon.store,
        console=daemon.console,
        deliver=daemon.inbox.deliver,
        definitions=definitions_of(daemon),
        defined=lambda: daemon.in_force.settings.bots,
        prices=lambda: daemon.in_force.settings.prices,
        treasury=Treasury(
            daemon.store, clock, daemon.roster.wallet, daemon.meter.limit_changed, partial(clear, daemon)
        ),
        desk=daemon.desk,
        handoffs=daemon.handoffs,
        lag=lag,
        probes=Probes(
            daemon.store,
            daemon.roster,
            lag,
            lambda: daemon.reloader.state,
            clock,
            f"{os.getpid()}",
            partial(held_by, daemon),
        ),
        reloads=daemon.reloader,
        tally=daemon.tally,
        changes=daemon.changes,
        last_errors=daemon.last_errors,
        clock=clock,
        jwt_secret=await _secret_of(daemon),
        started_ms=clock.now_ms(),
        pid=os.getpid(),
        public_url=settings.server.public_url,
        templates=templates,
    )
    server = Server(parts, site.observer)
    url = await server.start(settings.server.host, settings.server.port)
    if daemon.fleet is not None:
        daemon.fleet.url, daemon.fleet.lag = url, lag
    watch = FileWatch(site.config, daemon.reloader, daemon.in_force, clock, site.observer)
    presence = Presence(settings.state_dir, os.getpid(), url, iso(parts.started_ms))
    try:
        async with asyncio.TaskGroup() as group:
            running = [
                group.create_task(daemon.supervisor.run(), name="supervisor"),
                group.create_task(lag.run(), name="loop lag"),
                group.create_task(_warm(daemon.catalogue, providers_used(settings)), name="warm"),
                group.create_task(daemon.reloader.run(notifier), name="reload"),
                group.create_task(watch.run(), name="file watch"),
                group.create_task(held(daemon.fleet, SCHEDULES, schedules_of(daemon).run), name="schedules"),
                *_of_a_fleet(daemon, group),
            ]
            _announce(presence)
            try:
                yield url
            finally:
                daemon.inbox.close()
                await server.stop_listening()
                for task in running:
                    task.cancel()
    finally:
        presence.withdraw()
        await stop(daemon)
        await daemon.console.close()
        await daemon.roster.close()  # who still waits for an answer is told to ask again
        await server.close()


def _of_a_fleet(daemon: Daemon, group: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
    """What is done only where other daemons share the store."""
    store = daemon.store
    if store.fleet is None:
        return []
    watch = SharedWatch(store.values, store.fleet, daemon.reloader, daemon.in_force, daemon.site.observer)
    return [group.create_task(watch.run(), name="shared values")]


async def _secret_of(daemon: Daemon) -> bytes:
    """What signs tokens and sessions."""
    settings, store = daemon.site.settings, daemon.store
    folder, configured = settings.state_dir, settings.server.jwt_secret
    if store.fleet is None:
        return load_secret(folder, configured)
    return await load_shared_secret(store.values, folder, configured, daemon.site.clock.now_ms())


def _announce(presence: Presence) -> None:
    try:
        presence.announce()
    except OSError as error:
        raise OperatorError(f"{presence.state_dir} cannot be written to: {error.strerror}") from error


async def _warm(catalogue: Catalogue, names: Collection[str]) -> None:
    """Import the providers' SDKs before the first message needs them; what is wrong is told by that message.

    Then the start is over: what it made stays for good, so the collector need not look at it ever again.
    """
    for name in names:
        with suppress(OperatorError, ImportError):
            await catalogue.warm(name)
    gc.enable()
    gc.freeze()
