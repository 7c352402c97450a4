"""Facts for the doctor: read from files, the store, the running daemon, and, where asked for, from others' clocks.

Rules: nothing is changed anywhere; a thing that cannot be looked at is a fact, too, and hides none of the others; no
secret and nothing that was said is in a fact.
"""

from __future__ import annotations

import asyncio
import http.client
import os
import shutil
import stat
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from runner.agent.routing import models_of
from runner.cli.doctor_cache import cache_facts
from runner.cli.doctor_facts import (
    DaemonFacts,
    Facts,
    FolderFacts,
    HostTime,
    LinkFacts,
)
from runner.cli.doctor_store import database_facts, store_facts
from runner.clock import Clock, UnixMs
from runner.config.loader import state_dir
from runner.config.problems import Problems
from runner.errors import BotrunnerError, OperatorError, StoreError, StoreRefused
from runner.store.postgres.address import is_postgres

if TYPE_CHECKING:
    from runner.config.settings import Settings
    from runner.money.prices import PriceBook

_USUAL_STORE = "botrunner.db"
"""Looked at where bots.yaml does not tell another."""
HOST_WITHIN_S = 5.0
_PRIVATE_FILES = ("secrets.json", "secrets.key", "jwt.secret")
_USUAL_HOSTS = {"openai": "https://api.openai.com", "anthropic": "https://api.anthropic.com"}
_OTHERS_READ = stat.S_IRGRP | stat.S_IROTH


async def gather(config: Path, environ: Mapping[str, str], clock: Clock, *, online: bool) -> Facts:
    """All of them; with `online` platforms and providers are asked, too."""
    from runner.cli.check import ask_platforms
    from runner.cli.files import load_file

    now = clock.now_ms()
    folder = state_dir(environ)
    seen = folder_facts(folder)
    running = await asyncio.to_thread(daemon_facts, config, folder)
    unreadable = await asyncio.to_thread(secrets_fault, config, folder, environ)
    try:
        loaded = load_file(config)
    except OperatorError as error:
        loaded = None
        problems: tuple[str, ...] = (str(error),)
    if loaded is None or isinstance(loaded, Problems):
        if loaded is not None:
            problems = tuple(map(str, loaded.problems))
        store = await store_facts(folder / _USUAL_STORE, now)
        return Facts(str(config), now, seen, problems, (), unreadable, store=store, daemon=running)
    settings = loaded.settings
    if is_postgres(settings.store_url):
        store = await database_facts(settings.store_url, now, clock)
    else:
        path = _store_path(settings)
        store = None if path is None else await store_facts(path, now)
    usable = store is not None and not (store.fault or store.behind)
    return Facts(
        file=str(config),
        now_ms=now,
        folder=seen,
        warnings=tuple(map(str, loaded.warnings)),
        secrets_fault=unreadable,
        unpriced=_unpriced(settings),
        book_age_days=_book_age(settings.prices, now),
        store=store,
        daemon=running,
        caches=await cache_facts(settings, now) if usable else (),
        hosts=await _host_times(settings, clock) if online else (),
        platforms=tuple(
            (one.bot, one.channel, one.answer)
            for one in await ask_platforms(settings.bots, settings.server.public_url)
            if not one.ok
        )
        if online
        else (),
    )


def folder_facts(folder: Path) -> FolderFacts:
    """The state folder, and the files in it that are nobody else's business."""
    if not folder.is_dir():
        return FolderFacts(str(folder), False, False, 0, (), _free(folder))
    names = [*_PRIVATE_FILES, *(path.name for path in folder.glob("*.db*"))]
    readable = tuple(
        str(folder / name)
        for name in names
        if (folder / name).is_file() and (folder / name).stat().st_mode & _OTHERS_READ
    )
    mode = stat.S_IMODE(folder.stat().st_mode)
    return FolderFacts(str(folder), True, os.access(folder, os.W_OK | os.X_OK), mode, readable, _free(folder))


def _free(folder: Path) -> int:
    place = next((path for path in (folder, *folder.absolute().parents) if path.exists()), Path("/"))
    return shutil.disk_usage(place).free


def secrets_fault(config: Path, folder: Path, environ: Mapping[str, str]) -> str:
    """Why not every secret of the encrypted store, or of the fleet's, can be opened; empty: each of them can."""
    from runner.cli.fleet import FleetSecrets, fleet_of
    from runner.config.secret_store import SecretStore
    from runner.config.secrets import SecretsUnreadable

    try:
        url = fleet_of(config)
        secrets = SecretStore(folder, environ) if url is None else FleetSecrets(url).at_hand()
        for name in secrets.names():
            secrets.lookup(name)
    except (SecretsUnreadable, OperatorError, StoreError) as error:
        return str(error)
    return ""


def daemon_facts(config: Path, folder: Path) -> DaemonFacts:
    """The running daemon, as it tells of itself."""
    from runner.cli.daemon import find_daemon

    try:
        daemon = find_daemon(config, folder)
        if daemon is None:
            return DaemonFacts()
        status = daemon.status()
    except BotrunnerError as error:
        return DaemonFacts(fault=str(error))
    health, fleet = status["health"], status.get("fleet") or {}
    return DaemonFacts(
        url=daemon.note.url,
        files=int(fleet.get("files", 1)),
        lag_ms=float(health["loop"]["lag_ms"]),
        store_fault="" if health["store"]["ok"] else str(health["store"]["why"] or "it does not answer"),
        config_fault=tuple(map(str, health["config"]["fault"])),
        needs_restart=tuple(map(str, health["config"]["needs_restart"])),
        links=tuple(
            LinkFacts(link["bot"], link["channel"], link["state"], link["why"], float(link["age_s"]))
            for link in health["connections"]["all"]
        ),
    )


def _store_path(settings: Settings) -> Path | None:
    from runner.cli.books import store_file

    try:
        return store_file(settings)
    except (OperatorError, StoreRefused):
        return None  # `memory:` keeps nothing; an address that means nothing is a problem of the file


def _unpriced(settings: Settings) -> tuple[tuple[str, str, bool], ...]:
    found = []
    for bot in settings.bots:
        choices = [*models_of(bot), *([bot.transcription] if bot.transcription else [])]
        for choice in choices if bot.enabled else ():
            provider = settings.providers.get(choice.provider)
            free = provider is not None and provider.kind == "echo"
            if not free and settings.prices.find(choice.provider, choice.model) is None:
                limited = bool(bot.cap is not None or bot.caps or bot.plan or settings.wallet)
                found.append((bot.id, f"{choice.provider}/{choice.model}", limited))
    return tuple(dict.fromkeys(found))


def _book_age(book: PriceBook, now: UnixMs) -> int | None:
    """Of its latest dated row. A version ends with the day on which somebody checked it."""
    today = datetime.fromtimestamp(now // 1000, UTC).date()
    days = [day for price in book.models() if (day := _day(price.version)) is not None]
    return (today - max(days)).days if days else None


def _day(version: str) -> date | None:
    try:
        return date.fromisoformat(version.rpartition(" ")[2])
    except ValueError:
        return None


async def _host_times(settings: Settings, clock: Clock) -> tuple[HostTime, ...]:
    """Each provider's host once. It is asked for nothing, and without a key: only its Date counts."""
    addresses = dict.fromkeys(
        address
        for provider in settings.providers.values()
        if (address := provider.base_url or _USUAL_HOSTS.get(provider.kind))
    )
    return tuple(
        await asyncio.gather(*(asyncio.to_thread(host_time, url, clock) for url in _hosts(addresses)))
    )


def _hosts(addresses: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(f"{urlsplit(url).scheme}://{urlsplit(url).netloc}" for url in addresses))


def host_time(url: str, clock: Clock) -> HostTime:
    """How far our clock is ahead of that host's."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = make(host, parts.port, timeout=HOST_WITHIN_S)
    try:
        connection.request("HEAD", "/", headers={"User-Agent": "botrunner"})
        said = connection.getresponse().getheader("Date") or ""
        theirs = int(parsedate_to_datetime(said).timestamp() * 1000)
    except (OSError, http.client.HTTPException) as error:
        return HostTime(host, None, type(error).__name__)
    except ValueError:
        return HostTime(host, None, "it does not tell the time")
    finally:
        connection.close()
    return HostTime(host, clock.now_ms() - theirs)
