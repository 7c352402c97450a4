"""The store as commands have it: read beside a running daemon or without one, written while no daemon runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from runner.errors import OperatorError, StoreRefused

if TYPE_CHECKING:
    from pathlib import Path

    from runner.config.settings import Settings
    from runner.ports.stores import Store
    from runner.store.sqlite.reader import SqliteReader


@asynccontextmanager
async def open_books(settings: Settings) -> AsyncIterator[SqliteReader]:
    """The store's reader, open.

    Raises:
        OperatorError: the store is one that keeps nothing.
        StoreError: there is none yet, or it cannot be read.
    """
    from runner.store.sqlite.migration import load_migrations
    from runner.store.sqlite.queries import load_queries
    from runner.store.sqlite.reader import SqliteReader

    path = store_file(settings)
    if not path.exists():
        raise StoreRefused(f"there is no store at {path}: has the daemon run yet?")
    reader = SqliteReader(path, load_queries(), load_migrations()[-1].version)
    await reader.open()
    try:
        yield reader
    finally:
        await reader.close()


@asynccontextmanager
async def open_store_here(settings: Settings) -> AsyncIterator[Store]:
    """The store itself, open, while no daemon has it.

    Raises:
        OperatorError: the store is one that keeps nothing.
        StoreError: a daemon has it, or it cannot be used.
    """
    from runner.clock import SystemClock
    from runner.store.catalogue import open_store

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
        StoreRefused: the address means no file.
    """
    from runner.store.catalogue import sqlite_path

    if settings.store_url == "memory:":
        raise OperatorError("the store is memory: and keeps nothing", "Set store.url in bots.yaml.")
    return sqlite_path(settings.store_url, settings.state_dir)
