"""Opening a database file, for writing and for reading only.

Rules: WAL and synchronous=FULL, so that what was committed survives a power cut; the file is its owner's alone
(0600); it is checked before it is used: whose it is, which schema, whether it is whole. That check reads all of it,
some 300 MB a second: larger files than `CHECKED_UP_TO` are read through after an unclean end only (a log was left
beside them), those larger than `CHECKED_AT_MOST` never: `store check` and each backup do it.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from runner.errors import StoreRefused
from runner.store.sqlite.copying import Progress, beside, quiet
from runner.store.sqlite.faults import store_error
from runner.store.sqlite.migration import Migration, schema_version
from runner.store.sqlite.queries import Queries
from runner.store.sqlite.upgrading import bring_up_to_date

OLDEST_SQLITE = (3, 38, 0)
CHECKED_UP_TO = 128 * 1024 * 1024
CHECKED_AT_MOST = 1024 * 1024 * 1024
_WHOLE = "ok"
LOCK_WAIT_S = 5.0
STATEMENTS = 192
"""Prepared statements that a connection keeps; more than there are queries."""


def open_for_writing(
    path: Path, sql: Queries, steps: tuple[Migration, ...], now_ms: int, progress: Progress = quiet
) -> sqlite3.Connection:
    """Make or open the file, check it, bring its schema up to date, after a copy of it was kept.

    Raises:
        StoreRefused: it must not be used.
        StoreError: it could not be opened this time.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise StoreRefused(f"SQLite {sqlite3.sqlite_version} is too old: 3.38 is needed")
    make_private_file(path)
    thoroughly = needs_check(path)
    try:
        connection = sqlite3.connect(
            path, timeout=LOCK_WAIT_S, isolation_level=None, cached_statements=STATEMENTS
        )
    except sqlite3.Error as error:
        raise store_error(error) from error
    try:
        _check(connection, path, sql, thoroughly=thoroughly)
        for setting in ("journal", "durable", "checkpoint_seldom", "keep_wal_small"):
            connection.execute(sql[setting])
        bring_up_to_date(connection, path, sql, steps, now_ms, progress)
        connection.execute(sql["foreign_keys"])
    except sqlite3.Error as error:
        connection.close()
        raise store_error(error) from error
    except BaseException:
        connection.close()
        raise
    return connection


def make_private_file(path: Path) -> None:
    """An empty file, for its owner only, and its folder, where they are not there yet.

    Raises:
        StoreRefused: they cannot be made.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StoreRefused(f"{path} cannot be opened for writing: {error.strerror}") from None


def needs_check(path: Path) -> bool:
    """Whether all of a file is read before it is used; asked before it is opened, for that takes the log in."""
    size = path.stat().st_size
    log = beside(path, "-wal")
    unclean = log.exists() and log.stat().st_size > 0
    return size <= (CHECKED_AT_MOST if unclean else CHECKED_UP_TO)


def _check(connection: sqlite3.Connection, path: Path, sql: Queries, *, thoroughly: bool) -> None:
    try:
        schema_version(connection, sql)
        verdict = connection.execute(sql["quick_check"]).fetchone()[0] if thoroughly else _WHOLE
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) != sqlite3.SQLITE_CORRUPT:
            raise
        verdict = str(error)
    if verdict != _WHOLE:
        raise StoreRefused(
            f"{path} is damaged ({' '.join(str(verdict).split())}): restore a backup"
            " (`botrunner store restore FILE`), the damaged file is kept beside it"
        )


def read_only_uri(path: Path) -> str:
    """The address of a file as SQLite wants it for reading only."""
    return f"{path.absolute().as_uri()}?mode=ro"


def check_there(path: Path) -> None:
    """Raise StoreRefused where there is no file to read; asked first, as a failed connect leaves a thread behind."""
    if not path.is_file():
        raise StoreRefused(f"there is no store at {path}: has the daemon run yet?")
    try:
        path.open("rb").close()
    except OSError as error:
        raise StoreRefused(f"{path} cannot be read: {error.strerror}") from None


def check_readable(path: Path, version: int, newest: int) -> None:
    """Raise StoreRefused where a reader would not understand the schema."""
    if version < newest:
        raise StoreRefused(
            f"{path} has the older schema {version}: start the daemon once to bring it up to date"
        )
    if version > newest:
        raise StoreRefused(
            f"{path} has schema {version}, this botrunner knows {newest}: install the newer one"
        )
