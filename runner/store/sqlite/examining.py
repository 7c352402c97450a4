"""Whether a store's file is whole and its books are right: the running store, a copy of it, or a backup.

Rules: it is only read, and seen at one moment; damage is a finding, not an error; what is not ours, or of a newer
botrunner, is refused. The books of an older schema are not looked at: a later one brings them up to date first.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from runner.errors import StoreRefused
from runner.money.ledger import Difference, verify
from runner.store.days import END_OF_TIME
from runner.store.rows import counters_from, entry_from
from runner.store.sqlite.connection import LOCK_WAIT_S, check_there, read_only_uri
from runner.store.sqlite.faults import damage_of, store_error
from runner.store.sqlite.migration import schema_version
from runner.store.sqlite.queries import Queries


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found.

    Attributes:
        schema: its version.
        size: bytes, without what the write-ahead log beside it holds.
        damage: what is wrong with its pages; empty: nothing.
        differences: scopes whose counter is not the sum of their ledger rows.
        books_read: False where the schema is older, or damage made it impossible.
    """

    schema: int
    size: int
    damage: str = ""
    differences: tuple[Difference, ...] = ()
    books_read: bool = True

    @property
    def is_good(self) -> bool:
        """Nothing is wrong with it."""
        return not self.damage and not self.differences

    @property
    def fault(self) -> str:
        """What is wrong, for a person; empty: nothing."""
        if self.damage:
            return f"it is damaged ({self.damage})"
        return "its books do not add up: " + "; ".join(map(str, self.differences)) if self.differences else ""


def examine(path: Path, sql: Queries, newest: int) -> Examined:
    """Read all of it and reckon its books anew. Takes seconds where the file is large.

    Raises:
        StoreRefused: there is none, it is not ours, or of a newer botrunner than this (`newest` is our schema).
        StoreError: it could not be read this time.
    """
    with reading(path, sql) as connection:
        version = _version(connection, path, sql, newest)
        size = path.stat().st_size
        damage = damage_of(connection, sql)
        if damage:
            return Examined(version, size, damage, books_read=False)
        if version < newest:
            return Examined(version, size, books_read=False)
        return Examined(version, size, differences=tuple(differences(connection, sql)))


@contextmanager
def reading(path: Path, sql: Queries) -> Iterator[sqlite3.Connection]:
    """A connection that only reads, and sees the store as it is at its first read, until it is left.

    Raises:
        StoreRefused: there is no file that may be read, or no database in it.
        StoreError: it could not be read this time.
    """
    check_there(path)
    try:
        with closing(
            sqlite3.connect(read_only_uri(path), uri=True, timeout=LOCK_WAIT_S, isolation_level=None)
        ) as connection:
            connection.execute(sql["begin_read"])
            connection.execute(sql["tables"]).fetchone()
            yield connection
    except sqlite3.Error as error:
        raise store_error(error) from error


def differences(connection: sqlite3.Connection, sql: Queries) -> list[Difference]:
    """Each scope whose counter is not the sum of its rows, in this connection's transaction."""
    everything = {
        "bot": None,
        "state": None,
        "after_ms": -1,
        "after_seq": -1,
        "to_ms": END_OF_TIME,
        "limit": -1,
    }
    counters = counters_from(connection.execute(sql["counters"]))
    return verify(counters, map(entry_from, connection.execute(sql["ledger_page"], everything)))


def _version(connection: sqlite3.Connection, path: Path, sql: Queries, newest: int) -> int:
    try:
        version = schema_version(connection, sql)
    except StoreRefused:
        raise StoreRefused(f"{path} is a database of another program") from None
    if version == 0:
        raise StoreRefused(f"{path} is empty: there is no store in it")
    if version > newest:
        raise StoreRefused(
            f"{path} has schema {version}, this botrunner knows {newest}: install the newer one"
        )
    return version
