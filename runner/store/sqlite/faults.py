"""What SQLite's errors mean to us.

not a database, damaged             StoreRefused: trying again is useless
full, locked, I/O, read-only, …     StoreError: nothing was done; worth another try
"""

from __future__ import annotations

import sqlite3

from runner.errors import StoreError, StoreRefused

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
