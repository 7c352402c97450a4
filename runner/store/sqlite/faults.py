"""What SQLite's errors mean to us.

not a database, damaged             StoreRefused: trying again is useless
full, locked, I/O, read-only, …     StoreError: nothing was done; worth another try
"""

from __future__ import annotations

import sqlite3

from runner.errors import StoreError, StoreRefused
from runner.store.sqlite.queries import Queries

_WHOLE = "ok"
_PRIMARY = 0xFF
"""The low byte of an extended result code is its primary one."""


def store_error(error: sqlite3.Error | OverflowError) -> StoreError:
    """The same in our words. SQLite's texts name tables and columns, never values."""
    code = getattr(error, "sqlite_errorcode", None)
    primary = None if code is None else code & _PRIMARY
    if primary == sqlite3.SQLITE_NOTADB:
        return StoreRefused("the store's file is not a database of botrunner")
    if primary == sqlite3.SQLITE_CORRUPT:
        return StoreRefused(f"the store's file is damaged ({error}): restore a backup")
    return StoreError(f"the store could not do it: {error}")


def damage_of(connection: sqlite3.Connection, sql: Queries) -> str:
    """What is wrong with the pages; empty: nothing. Reads all of them."""
    try:
        said = [str(row[0]) for row in connection.execute(sql["integrity_check"])]
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        said = [str(error)]
    return "" if said == [_WHOLE] else " ".join("; ".join(said).split())
