"""The store as commands read it: beside a running daemon or without one, never written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from runner.errors import OperatorError, StoreRefused

if TYPE_CHECKING:
    from runner.config.settings import Settings
    from runner.store.sqlite.reader import SqliteReader


@asynccontextmanager
async def open_books(settings: Settings) -> AsyncIterator[SqliteReader]:
    """The store's reader, open.

    Raises:
        OperatorError: the store is one that keeps nothing.
        StoreError: there is none yet, or it cannot be read.
    """
    from runner.store.catalogue import sqlite_path
    from runner.store.sqlite.migration import load_migrations
    from runner.store.sqlite.queries import load_queries
    from runner.store.sqlite.reader import SqliteReader

    if settings.store_url == "memory:":
        raise OperatorError("the store is memory: and keeps nothing to read")
    path = sqlite_path(settings.store_url, settings.state_dir)
    if not path.exists():
        raise StoreRefused(f"there is no store at {path}: has the daemon run yet?")
    reader = SqliteReader(path, load_queries(), load_migrations()[-1].version)
    await reader.open()
    try:
        yield reader
    finally:
        await reader.close()
