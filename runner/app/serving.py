"""HTTP and the platforms' connections, around a working pipeline."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress

from runner.app.defining import NotYet, definitions_of
from runner.app.parts import Daemon
from runner.app.working import stop
from runner.clock import iso
from runner.errors import OperatorError
from runner.presence import Presence
from runner.providers.catalogue import Catalogue
from runner.supervisor import Supervisor
from runner.telemetry.lag import LoopLag
from runner.web.auth import load_secret
from runner.web.parts import WebParts


@asynccontextmanager
async def serving(daemon: Daemon) -> AsyncIterator[str]:
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
        definitions=definitions_of(site, NotYet(clock)),
        defined=lambda: settings.bots,
        lag=lag,
        clock=clock,
        jwt_secret=load_secret(settings.state_dir, settings.server.jwt_secret),
        started_ms=clock.now_ms(),
        pid=os.getpid(),
        public_url=settings.server.public_url,
    )
    server = Server(parts, site.observer)
    url = await server.start(settings.server.host, settings.server.port)
    supervisor = Supervisor(
        daemon.roster, daemon.inbox.deliver, daemon.store, clock, site.observer, holder=f"{os.getpid()}"
    )
    used = {live.bot.choice.provider for live in daemon.roster.live()}
    used |= {speech.provider for live in daemon.roster.live() if (speech := live.bot.transcription)}
    presence = Presence(settings.state_dir, os.getpid(), url, iso(parts.started_ms))
    try:
        async with asyncio.TaskGroup() as group:
            running = [
                group.create_task(supervisor.run(), name="supervisor"),
                group.create_task(lag.run(), name="loop lag"),
                group.create_task(_warm(daemon.catalogue, used), name="warm"),
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
        await stop(daemon, settings.server.stop_timeout_s)
        await daemon.console.close()
        for live in daemon.roster.live():  # who still waits for an answer is told to ask again
            for adapter in live.adapters.values():
                await adapter.close()
        await server.close()


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
