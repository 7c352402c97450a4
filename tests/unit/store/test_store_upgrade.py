"""Promise: a store of every released schema is brought up to date with all that is in it; a newer one is refused.

Each older store is made of the rows of a store that lived, in the tables and columns that its version had.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from runner.clock import SystemClock
from runner.conversations.models import AssistantMessage, UserMessage, message_to_json
from runner.errors import StoreRefused
from runner.money.amounts import Money
from runner.money.reservation import ReservationState
from runner.ports.books import Correction, Settlement
from runner.store.sqlite.migration import load_migrations, migrate
from runner.store.sqlite.queries import load_queries
from runner.store.sqlite.reader import reader_of
from runner.store.sqlite.store import SqliteStore
from runner.store.sqlite.upgrading import copy_before
from tests.contract.stores.examples import (
    NOON,
    RELEASED,
    UNKNOWN,
    answer,
    held,
    inbound,
    rows,
    scope,
    settled,
    work_on,
)

SQL, SHIPPED = load_queries(), load_migrations()
NEWEST = SHIPPED[-1].version
RELEASED_SCHEMAS = range(1, NEWEST)
HELD = ReservationState.HELD


async def live(path: Path) -> None:
    """A life: what is answered, what waits, calls that ended in each way, one that was under way at the end."""
    store = SqliteStore(path, SystemClock())
    await store.open()
    texts = message_to_json(UserMessage("1")), message_to_json(AssistantMessage("one"))
    await answer(store, inbound("e1"), *texts, parts=2)
    await answer(store, inbound("e2", lane="b"), *texts, user="ben", parts=1)
    await store.accept(inbound("e3"))
    for name in ("t1.1", "t1.2", "t2.1", "t3.1"):
        await held(store, name, scope(), scope("user:bot-1/telegram/anna@2026-01-01"), turn=name[:2])
    await store.settle(settled("t1.1", 700))
    await store.settle(Settlement("t1.2", RELEASED))
    await store.settle(Settlement("t2.1", UNKNOWN))
    await store.correct(Correction("t2.1", Money(3), "invoice", NOON))
    await store.close()


def as_version(version: int, lived: Path, older: Path) -> None:
    """The same rows in a store of that version."""
    with closing(sqlite3.connect(older, isolation_level=None)) as connection:
        migrate(connection, SQL, SHIPPED[:version], 1)
        connection.execute(f"ATTACH '{lived}' AS now")
        tables = connection.execute(
            "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        ).fetchall()
        for (table,) in tables:
            if table != "migrations":
                names = ", ".join(
                    f'"{row[1]}"' for row in connection.execute(f"PRAGMA main.table_info({table})")
                )
                connection.execute(f"DELETE FROM main.{table}")  # what a trigger has made of the others
                connection.execute(f"INSERT INTO main.{table} ({names}) SELECT {names} FROM now.{table}")


def everything(path: Path) -> dict[str, list[object]]:
    """The rows that each version has had."""
    tables = ("inbox", "outbox", "messages", "steps", "scopes", "leases")
    with closing(sqlite3.connect(path)) as connection:
        return {
            table: connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in tables
        }


@pytest.mark.parametrize("version", RELEASED_SCHEMAS)
async def test_it_arrives_with_all_that_is_in_it(tmp_path: Path, version: int) -> None:
    lived, path = tmp_path / "lived.db", tmp_path / "store.db"
    await live(lived)
    as_version(version, lived, path)
    before = everything(path)
    assert before == everything(lived)
    assert all(before[table] for table in ("inbox", "outbox", "messages", "scopes"))

    store = SqliteStore(path, SystemClock())
    await store.open()
    assert everything(path) == before
    states = {row.attempt.id: (row.state, row.cost) for row in await rows(store) if not row.corrects}
    assert states == {
        "t1.1": (ReservationState.SETTLED, 700),
        "t1.2": (RELEASED, 0),
        "t2.1": (UNKNOWN, 1100),
        "t3.1": (HELD, 1100),
    }
    assert await reader_of(path).verify_books() == [], "what `ledger verify` says"

    recovered = await store.recover()
    assert recovered.holds_unknown == 1
    assert (await work_on(store)).turn == "t3", "what waited is answered"
    await held(store, "t3.2", scope(), turn="t3")
    await store.settle(settled("t3.2"))
    await store.close()
    assert await reader_of(path).verify_books() == []
    with closing(sqlite3.connect(copy_before(path, version))) as kept:
        assert kept.execute("PRAGMA user_version").fetchone() == (version,), "kept as it was"


async def test_a_newer_one_is_refused_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    await live(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {NEWEST + 1}")
    before = path.read_bytes()
    with pytest.raises(
        StoreRefused, match=f"has schema {NEWEST + 1}.* knows {NEWEST}: install the newer one"
    ):
        await SqliteStore(path, SystemClock()).open()
    with pytest.raises(
        StoreRefused, match=f"has schema {NEWEST + 1}.* knows {NEWEST}: install the newer one"
    ):
        await reader_of(path).open()
    assert path.read_bytes() == before
