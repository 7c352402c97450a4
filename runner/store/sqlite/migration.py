"""From an older schema to ours.

Rules: files `NNNN_name.sql`, applied in order, forward only, each in a transaction of its own that ends with
`PRAGMA user_version = NNNN`; a newer schema than the newest file is refused, and so is a database that is not
ours. Foreign keys are off while a migration runs and are checked before it is committed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runner.errors import StoreRefused
from runner.store.sqlite.queries import Queries

APPLICATION = int.from_bytes(b"botr", "big")
"""What our databases are marked with; the first migration does it."""
_SHIPPED = Path(__file__).parent / "migrations"


@dataclass(frozen=True, slots=True)
class Migration:
    """One step forward, to `version`."""

    version: int
    name: str
    script: str


def load_migrations(folder: Path = _SHIPPED) -> tuple[Migration, ...]:
    """All of them, in order.

    Raises:
        ValueError: a number is missing or there twice.
    """
    found = []
    for path in sorted(folder.glob("*.sql")):
        number, _, name = path.stem.partition("_")
        found.append(Migration(int(number), name, path.read_text(encoding="utf-8")))
    if [step.version for step in found] != list(range(1, len(found) + 1)):
        raise ValueError(f"{folder}: migrations must be numbered 1, 2, 3 …")
    return tuple(found)


def schema_version(connection: sqlite3.Connection, sql: Queries) -> int:
    """The version of an open database; 0: empty.

    Raises:
        StoreRefused: it is another program's.
    """
    version = int(connection.execute(sql["schema_version"]).fetchone()[0])
    tables = int(connection.execute(sql["tables"]).fetchone()[0])
    application = int(connection.execute(sql["application"]).fetchone()[0])
    if tables and (version == 0 or application != APPLICATION):
        raise StoreRefused("the store's file is a database of another program: use another file")
    return version


def migrate(
    connection: sqlite3.Connection, sql: Queries, steps: tuple[Migration, ...], now_ms: int
) -> tuple[int, int]:
    """Apply what is missing; returns the versions before and after.

    Raises:
        StoreRefused: the schema is newer than ours, or not ours.
        sqlite3.Error: a step failed; the steps before it stay.
    """
    before = schema_version(connection, sql)
    newest = steps[-1].version
    if before > newest:
        raise StoreRefused(
            f"the store has schema {before}, this botrunner knows {newest}: install the newer one again",
        )
    for step in steps[before:]:
        _apply(connection, sql, step, now_ms)
    return before, newest


def _apply(connection: sqlite3.Connection, sql: Queries, step: Migration, now_ms: int) -> None:
    connection.execute(sql["begin_write"])
    try:
        for statement in statements(step.script):
            connection.execute(statement)
        _check(connection, sql, step)
        connection.execute(sql["add_migration"], (step.version, step.name, now_ms))
        connection.execute(sql["commit"])
    except BaseException:
        if connection.in_transaction:
            connection.execute(sql["rollback"])
        raise


def _check(connection: sqlite3.Connection, sql: Queries, step: Migration) -> None:
    if connection.execute(sql["schema_version"]).fetchone()[0] != step.version:
        raise ValueError(f"migration {step.version} does not set its user_version")
    if connection.execute(sql["broken_references"]).fetchone() is not None:
        raise StoreRefused(f"migration {step.version} would break references between rows")


def statements(script: str) -> Iterator[str]:
    """A script's statements one by one, each ending with its line; a trigger with its semicolons is one.

    (`executescript` would commit on its own.)
    """
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if ";" in line and sqlite3.complete_statement(pending):
            yield pending
            pending = ""
    if pending.strip():
        yield pending
