"""The store as commands have it: read beside running daemons or without one, a file written while no daemon runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from runner.errors import OperatorError, StoreRefused

if TYPE_CHECKING:
    from pathlib import Path

    from runner.config.settings import Settings
    from runner.ports.reading import StoreReader
    from runner.ports.stores import Store


@asynccontextmanager
async def open_books(settings: Settings) -> AsyncIterator[StoreReader]:
    """The store's reader, open.

    Raises:
        OperatorError: the store is one that keeps nothing.
        StoreError: there is none yet, or it cannot be read.
    """
    from runner.store.catalogue import open_reader
    from runner.store.postgres.address import is_postgres

    if not is_postgres(settings.store_url):
        path = store_file(settings)
        if not path.exists():
            raise StoreRefused(f"there is no store at {path}: has the daemon run yet?")
    reader = open_reader(settings.store_url, settings.state_dir)
    await reader.open()
    try:
        yield reader
    finally:
        await reader.close()


@asynccontextmanager
async def open_store_here(settings: Settings) -> AsyncIterator[Store]:
    """The store itself, open, while no daemon has it; one in PostgreSQL beside its daemons, as one of them.

    Raises:
        OperatorError: the store is one that keeps nothing.
        StoreError: a daemon has it, or it cannot be used.
    """
    from runner.clock import SystemClock
    from runner.store.catalogue import open_store
    from runner.store.postgres.address import is_postgres

    if not is_postgres(settings.store_url):
        store_file(settings)
    settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    store = open_store(settings.store_url, settings.state_dir, SystemClock())
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def store_file(settings: Settings) -> Path:
    """Where the store is.

    Raises:
        OperatorError: it is one that keeps nothing.
        StoreRefused: the address means no file, but a database.
    """
    from runner.store.catalogue import sqlite_path

    if settings.store_url == "memory:":
        raise OperatorError("the store is memory: and keeps nothing", "Set store.url in bots.yaml.")
    return sqlite_path(settings.store_url, settings.state_dir)
