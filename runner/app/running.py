"""The daemon as a process: its file, its log, its signals, its loop."""

from __future__ import annotations

import os
import sys
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.app.parts import Site
from runner.app.patience import reach, with_patience
from runner.app.reloading import mark_of
from runner.app.serving import serving
from runner.app.signals import Signals
from runner.app.supervised import announced
from runner.app.tracing import tracing
from runner.app.working import working
from runner.clock import SystemClock
from runner.config.hidden import secrets_of
from runner.config.loader import load
from runner.config.problems import Problems
from runner.config.settings import Settings
from runner.errors import OperatorError, StoreError
from runner.ports.observer import Observer
from runner.ports.stores import Store
from runner.store.catalogue import due_migration
from runner.telemetry.everyone import Everyone
from runner.telemetry.logs import LEVEL_NAMES, Cut, configure
from runner.telemetry.systemd import supervised
from runner.telemetry.watching import Watching
from runner.web.auth import load_secret
from runner.web.welcome import first_link

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

SWITCH_S = 0.0005
"""How soon a busy loop lets the store's thread have a turn: at Python's 5 ms it starves (docs/benchmarks.md)."""


def settings_of(path: Path, environ: Mapping[str, str]) -> tuple[Settings, tuple[str, ...]]:
    """The file's settings and its warnings.

    Raises:
        OperatorError: every problem of the file, a line each.
        StoreError: it refers to secrets of a fleet, whose store cannot be reached.
    """
    loaded = load(path, environ)
    if isinstance(loaded, Problems):
        count = len(loaded.problems)
        raise OperatorError(
            f"{path} cannot be used, {count} problem{'s' if count > 1 else ''}:\n{loaded}",
            "Mend the file; `botrunner check` shows the same without starting anything.",
        )
    return loaded.settings, tuple(map(str, loaded.warnings))


def run_daemon(path: Path, environ: Mapping[str, str]) -> int:
    """The daemon, until a signal; returns the exit code."""
    level = environ.get("BOTRUNNER_LOG", "info").lower()
    if level not in LEVEL_NAMES:
        raise OperatorError(f"$BOTRUNNER_LOG is {level!r}", f"One of {', '.join(LEVEL_NAMES)}.")
    cut, clock = Cut(), SystemClock()
    logger = configure(level, sys.stderr, environ, cut)
    mark = mark_of(path)
    settings, warnings = with_patience(lambda: settings_of(path, environ), clock, logger)
    cut.add(secrets_of(settings))
    with_patience(lambda: reach(settings.store_url, clock), clock, logger)
    for warning in warnings:
        logger.warning("bots.yaml", problem=warning)
    _tell_of_migration(settings, logger)
    manager = supervised(environ, os.getpid(), clock)

    async def serve(observer: Observer) -> None:
        site = Site(path, environ, settings, clock, observer, cut, mark)
        signals = Signals()
        async with (
            working(site, connect=True) as daemon,
            serving(daemon, manager.notifier) as url,
            announced(daemon, manager),
        ):
            signals.on_hangup(daemon.reloader.ask)
            await _welcome(site, daemon.store, url, logger)
            logger.info(
                "ready",
                url=url,
                bots=len(daemon.roster.bot_ids()),
                took_up=sum((await daemon.store.figures()).waiting.values()),
                holds_unknown=daemon.recovery.holds_unknown,
                sends_again=daemon.recovery.sends_again,
                sends_unknown=daemon.recovery.sends_unknown,
            )
            await signals.stop.wait()
            logger.info("stopping")
        logger.info("stopped")

    with tracing(environ, clock, logger) as tracers:
        _run(serve(Everyone((Watching(logger), *tracers))))
    return 0


async def _welcome(site: Site, store: Store, url: str, logger: FilteringBoundLogger) -> None:
    """At the first start of all: how to get into the dashboard. It is good once and for some minutes only."""
    settings, server = site.settings, site.settings.server
    # Where daemons share a store this is the copy of the secret that all of them have.
    secret = load_secret(settings.state_dir, server.jwt_secret)
    address = server.public_url or url
    link = await first_link(store, settings.state_dir, secret, address, site.clock.now_ms())
    if link is not None and sys.stderr.isatty():
        sys.stderr.write(f"\nThe dashboard, once and within 15 minutes:\n  {link}\n\n")
    elif link is not None:
        logger.info("dashboard", link=link, good="once, within 15 minutes")


def _tell_of_migration(settings: Settings, logger: FilteringBoundLogger) -> None:
    """Said before it is done: with a large store the start takes longer than anybody expects."""
    with suppress(StoreError):  # opening it says why
        due = due_migration(settings.store_url, settings.state_dir)
        if due is not None:
            logger.warning(
                "the store is brought up to date, after a copy of it is kept",
                schema=due.schema,
                to=due.newest,
                mib=due.size >> 20,
                copy=str(due.copy),
            )


def _run(main: Coroutine[Any, Any, None]) -> None:
    sys.setswitchinterval(SWITCH_S)
    import uvloop  # noqa: PLC0415 - the daemon's loop: a TLS connection costs 66 KiB on it, 317 on asyncio's

    uvloop.run(main)
