"""Which store an address means. The only place that knows them all; each is imported when it is chosen.

postgresql://user@host/database              many daemons around one database
sqlite:///var/lib/botrunner/botrunner.db     that file
sqlite:botrunner.db, sqlite://botrunner.db   a file in the state folder; so is a plain path
memory:                                      nothing is kept; for trials and tests
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from runner.clock import Clock, SystemClock
from runner.errors import StoreRefused
from runner.ports.reading import StoreReader
from runner.ports.stores import Store
from runner.store.postgres.address import address_of, is_postgres

if TYPE_CHECKING:
    from runner.store.postgres.outside import Looked, Shared
    from runner.store.sqlite.tending import Due


def open_store(url: str, state_dir: Path, clock: Clock) -> Store:
    """The store at this address, not yet opened.

    Raises:
        StoreRefused: an address that means no store.
    """
    if url == "memory:":
        from runner.store.memory import MemoryStore  # noqa: PLC0415 - only what is chosen is loaded

        return MemoryStore()
    if is_postgres(url):
        from runner.store.postgres.store import PostgresStore  # noqa: PLC0415 - only what is chosen is loaded

        return PostgresStore(address_of(url), clock)
    from runner.store.sqlite.store import SqliteStore  # noqa: PLC0415 - only what is chosen is loaded

    return SqliteStore(sqlite_path(url, state_dir), clock)


def open_reader(url: str, state_dir: Path) -> StoreReader:
    """The store at this address for reading only, beside a running daemon or without one; not yet opened.

    Raises:
        StoreRefused: an address that means no store that could be read.
    """
    if url == "memory:":
        raise StoreRefused("a store in memory cannot be read from outside its daemon")
    if is_postgres(url):
        from runner.store.postgres.reader import reader_at  # noqa: PLC0415 - only what is chosen is loaded

        return reader_at(url, SystemClock())
    from runner.store.sqlite.reader import reader_of  # noqa: PLC0415 - only what is chosen is loaded

    return reader_of(sqlite_path(url, state_dir))


def open_values(url: str, clock: Clock, *, begin: bool = False) -> AbstractAsyncContextManager[Shared]:
    """What the daemons of a fleet share, for somebody who is none of them; opening it raises StoreError.

    `begin`: make the tables where there are none.

    Raises:
        StoreRefused: an address of a store that only one daemon has.
    """
    if not is_postgres(url):
        raise StoreRefused("only a store in PostgreSQL is shared: write postgresql://user@host/database")
    from runner.store.postgres.outside import values_at  # noqa: PLC0415 - only what is chosen is loaded

    return values_at(url, clock, begin=begin)


async def look_at(url: str, clock: Clock) -> Looked:
    """What the database at an address of PostgreSQL is. Raises StoreError."""
    from runner.store.postgres import outside  # noqa: PLC0415 - only what is chosen is loaded

    return await outside.look_at(url, clock)


def due_migration(url: str, state_dir: Path) -> Due | None:
    """What opening the store at this address will do to its schema; None: nothing.

    Raises:
        StoreError: it cannot be told; opening it says why.
    """
    if url == "memory:":
        return None
    from runner.store.sqlite.tending import due  # noqa: PLC0415 - only what is chosen is loaded

    return due(sqlite_path(url, state_dir))


def sqlite_path(url: str, state_dir: Path) -> Path:
    """The file that an address means.

    Raises:
        StoreRefused: it means none. The text does not repeat the address: it may hold a password.
    """
    scheme, colon, rest = url.partition(":")
    if scheme in ("postgres", "postgresql"):
        raise StoreRefused("the store is a PostgreSQL database, and a file is needed here")
    if colon and scheme != "sqlite":
        raise StoreRefused(
            f"{scheme}: is no kind of store: write sqlite:///path/to/file.db, postgresql://user@host/db or memory:"
        )
    name = rest.removeprefix("//") if colon else url
    if not name.strip("/"):
        raise StoreRefused("the store's address names no file: write sqlite:///path/to/file.db")
    return state_dir / name
