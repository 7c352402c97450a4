"""The composition root: the only file that knows everybody.

    start   load ─▶ store, recover ─▶ bots and adapters ─▶ dispatch ─▶ HTTP ─▶ connections ─▶ daemon.json
    stop    1 take nothing more in   2 turns end or are parked   3 calls settle   4 sends end   5 let go

Rules: plain constructors, each part is given what it needs; what was accepted and not answered is answered
after the next start; a second signal stops at once, which loses nothing either.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters import registry
from adapters.contract import Adapter, Delivery
from adapters.http import Shared
from runner.agent.loop import AgentLoop
from runner.agent.meter import Meter
from runner.agent.tool_sessions import ToolSessions
from runner.agent.tools import EmptyToolbox, HttpToolbox
from runner.bots import Bot
from runner.clock import Clock, SystemClock, iso
from runner.config import edit
from runner.config.hidden import secrets_of
from runner.config.loader import load, state_dir
from runner.config.problems import Problems
from runner.config.secret_store import SecretStore
from runner.config.settings import Settings
from runner.dispatch.commands import Commands
from runner.dispatch.console import Console
from runner.dispatch.inbox import Inbox
from runner.dispatch.lanes import Lanes
from runner.dispatch.outbox import Outbox
from runner.dispatch.turn import TurnHandler
from runner.dispatch.upkeep import Upkeep
from runner.errors import OperatorError
from runner.money.amounts import from_cents
from runner.ports.observer import Observer
from runner.ports.stores import Recovery, Store
from runner.ports.tools import Toolbox
from runner.presence import Presence
from runner.providers.catalogue import Catalogue, define
from runner.store.catalogue import open_store
from runner.supervisor import LiveBot, LiveRoster, Supervisor
from runner.telemetry.lag import LoopLag
from runner.telemetry.logs import LEVEL_NAMES, configure
from runner.telemetry.watching import Watching
from runner.web.auth import load_secret
from runner.web.parts import WebParts

SEND_STOP_S = 5.0
ANSWER_MARGIN_S = 15.0
SWITCH_S = 0.0005
"""How soon a busy loop lets the store's thread have a turn: at Python's 5 ms it starves (docs/benchmarks.md)."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where a daemon runs: its file, its surroundings, its time."""

    config: Path
    environ: Mapping[str, str]
    settings: Settings
    clock: Clock
    observer: Observer


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
    meter: Meter
    catalogue: Catalogue
    recovery: Recovery

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

    async def set_cap(self, bot_id: str, cents: int | None) -> str | None:
        """Write a cap to the file and apply it; what is wrong, or None."""
        site = self.site
        secrets = SecretStore(site.settings.state_dir, site.environ)
        problem = await asyncio.to_thread(
            edit.set_cap, site.config, bot_id, cents, environ=site.environ, secrets=secrets
        )
        if problem is not None:
            return str(problem)
        self.roster.set_cap(bot_id, None if cents is None else from_cents(cents))
        self.meter.limit_changed(f"bot:{bot_id}")
        return None


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
        catalogue = _catalogue(settings, clock)
        stack.push_async_callback(catalogue.close)
        shared = Shared(clock, _new_id, public_url=settings.server.public_url)
        stack.push_async_callback(shared.close)
        sessions = ToolSessions()
        stack.push_async_callback(sessions.close)
        console = Console(_new_id)
        bots = [bot for bot in settings.bots if bot.enabled]
        live = [
            LiveBot(bot, _adapters(bot, shared, connect=connect), _toolbox(bot, sessions)) for bot in bots
        ]
        for bot in live:
            for adapter in bot.adapters.values():
                stack.push_async_callback(adapter.close)
        roster = LiveRoster(live, console, clock, observer)
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        daemon = _assemble(site, store, roster, console, catalogue, recovery, tasks)
        upkeep = Upkeep(store, settings.retention_days, clock, observer)
        watchers = [
            tasks.create_task(daemon.outbox.watch(), name="outbox watch"),
            tasks.create_task(daemon.lanes.watch(), name="lanes watch"),
            tasks.create_task(upkeep.run(), name="upkeep"),
        ]
        try:
            yield daemon
        finally:
            await _stop(daemon, settings.server.stop_timeout_s)
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
    meter = Meter(catalogue, book, store, clock, observer, tasks)
    outbox = Outbox(store, roster, clock, observer, tasks)
    agent = AgentLoop(meter, book, clock)
    handler = TurnHandler(roster, agent, Commands(store), outbox, clock, observer, tasks)
    lanes = Lanes(store, roster, handler.handle, clock, observer, tasks)
    inbox = Inbox(store, roster, lanes, clock, observer, outbox.hand_out_again)
    return Daemon(site, store, roster, console, inbox, lanes, outbox, meter, catalogue, recovery)


async def _stop(daemon: Daemon, timeout_s: float) -> None:
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


def _catalogue(settings: Settings, clock: Clock) -> Catalogue:
    definitions = {
        name: define(
            name,
            kind=provider.kind,
            base_url=provider.base_url,
            api_key=provider.api_key,
            account_id=provider.account_id,
        )
        for name, provider in settings.providers.items()
        if provider.kind != "echo"
    }
    return Catalogue(definitions, clock=clock, find_price=settings.prices.find)


def _adapters(bot: Bot, shared: Shared, *, connect: bool) -> Mapping[str, Adapter]:
    if not connect:
        return {}
    return {
        channel.name: registry.build(channel.platform, channel.config, shared, bot.id)
        for channel in bot.channels
    }


def _toolbox(bot: Bot, sessions: ToolSessions) -> Toolbox:
    if not bot.tools:
        return EmptyToolbox()
    return HttpToolbox(bot.tools, sessions, bot.limits.max_tool_result_chars)


def _new_id() -> str:
    return os.urandom(12).hex()


def settings_of(path: Path, environ: Mapping[str, str]) -> tuple[Settings, tuple[str, ...]]:
    """The file's settings and its warnings.

    Raises:
        OperatorError: every problem of the file, a line each.
    """
    loaded = load(path, environ, SecretStore(state_dir(environ), environ))
    if isinstance(loaded, Problems):
        count = len(loaded.problems)
        raise OperatorError(
            f"{path} cannot be used, {count} problem{'s' if count > 1 else ''}:\n{loaded}",
            "Mend the file; `botrunner check` shows the same without starting anything.",
        )
    return loaded.settings, tuple(map(str, loaded.warnings))


def run_daemon(path: Path, environ: Mapping[str, str]) -> int:
    """The daemon, until a signal; returns the exit code."""
    settings, warnings = settings_of(path, environ)
    level = environ.get("BOTRUNNER_LOG", "info").lower()
    if level not in LEVEL_NAMES:
        raise OperatorError(f"$BOTRUNNER_LOG is {level!r}", f"One of {', '.join(LEVEL_NAMES)}.")
    logger = configure(level, sys.stderr, environ, secrets_of(settings))
    for warning in warnings:
        logger.warning("bots.yaml", problem=warning)
    site = Site(path, environ, settings, SystemClock(), Watching(logger))

    async def serve() -> None:
        stop = _stop_on_signals()
        async with working(site, connect=True) as daemon, _serving(daemon) as url:
            logger.info(
                "ready",
                url=url,
                bots=len(daemon.roster.bot_ids()),
                took_up=sum((await daemon.store.figures()).waiting.values()),
                holds_unknown=daemon.recovery.holds_unknown,
                sends_again=daemon.recovery.sends_again,
                sends_unknown=daemon.recovery.sends_unknown,
            )
            await stop.wait()
            logger.info("stopping")
        logger.info("stopped")

    _run(serve())
    return 0


@asynccontextmanager
async def _serving(daemon: Daemon) -> AsyncIterator[str]:
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
        set_cap=daemon.set_cap,
        lag=lag,
        clock=clock,
        jwt_secret=load_secret(settings.state_dir, settings.server.jwt_secret),
        started_ms=clock.now_ms(),
        pid=os.getpid(),
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
        await _stop(daemon, settings.server.stop_timeout_s)
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


@asynccontextmanager
async def chat_session(
    path: Path, environ: Mapping[str, str], bot_id: str
) -> AsyncIterator[Callable[[str], Awaitable[dict[str, Any]]]]:
    """The pipeline in this process, for one bot, without platforms and HTTP; yields `say(text)`.

    Raises:
        OperatorError: a faulty file, no such bot or a disabled one, or a store that is in use.
    """
    settings, _ = settings_of(path, environ)
    bot = settings.bot(bot_id)
    if bot is None:
        raise OperatorError(f"there is no bot {bot_id!r}", f"Bots: {', '.join(b.id for b in settings.bots)}.")
    if not bot.enabled:
        raise OperatorError(
            f"the bot {bot_id!r} is disabled", "Set `enabled: true` in its section of the file."
        )
    logger = configure("error", sys.stderr, environ, secrets_of(settings))
    site = Site(path, environ, settings, SystemClock(), Watching(logger))
    async with working(site, connect=False) as daemon:

        async def say(text: str) -> dict[str, Any]:
            return await daemon.say(bot, "terminal", text)

        yield say


def _stop_on_signals() -> asyncio.Event:
    """Set at the first SIGTERM or SIGINT; the second ends the process on the spot."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def asked(number: signal.Signals) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked, number)
    return stop


def _run(main: Coroutine[Any, Any, None]) -> None:
    sys.setswitchinterval(SWITCH_S)
    import uvloop  # noqa: PLC0415 - the daemon's loop: a TLS connection costs 66 KiB on it, 317 on asyncio's

    uvloop.run(main)
