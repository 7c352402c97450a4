"""Stores to be moved: one as it comes from work, and one with rows of every table that no work would make."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from runner.clock import SystemClock
from runner.ports.books import Settlement
from runner.ports.mail import OutboxState, StoredStep
from runner.store.moving.tables import TABLES
from runner.store.sqlite.store import SqliteStore
from tests.contract.stores.examples import (
    NOON,
    UNKNOWN,
    answer,
    held,
    inbound,
    scope,
    settled,
    spent,
    work_on,
)

SUMMED = {"usage_keys", "usage_days", "usage_users", "usage_user_days", "conversation_sums"}
"""Filled by the ledger's triggers."""
CHOICES = {
    ("ledger", "state"): "released",
    ("ledger", "scopes"): "[]",
    ("outbox", "state"): "unknown",
    ("batches", "state"): "done",
    ("runs", "status"): "waiting",
    ("handoffs", "decision"): "pending",
}
REFERS = {
    ("messages", "conversation"): "conversations",
    ("turns", "conversation"): "conversations",
    ("outbox", "inbox_id"): "inbox",
    ("batch_lines", "batch"): "batches",
}
LARGE = {"cost", "hold", "amount", "settled", "gone", "limit", "accepted_ms"}
"""Columns that hold any 64-bit number, here: of those that no counter is made of."""


async def worked_on(path: Path) -> None:
    """A store in which messages were answered, wait, or are being answered, and money was spent or is held."""
    store = SqliteStore(path, SystemClock())
    await store.open()
    try:
        for number in range(3):
            parts = await answer(store, inbound(f"e{number}"), "hello", "you\0there", parts=2)
            await store.end_sending(parts[0], OutboxState.SENT)
        await store.accept(inbound("waits", lane="lane-2"))
        work = await work_on(store, "lane-2")
        async with store.lane("lane-2") as session:
            assert session is not None
            await session.save_step(work.turn, StoredStep(0, "reply"))
        await held(store, "t4-1", scope(limit=10**12), scope("team:a", None), turn="t4")
        for number in range(5):
            await held(store, f"s{number}", scope(limit=10**12), user=f"user {number}")
            await store.settle(settled(f"s{number}", 300 + number))
        await held(store, "lost", scope(limit=10**12))
        await store.settle(Settlement("lost", UNKNOWN))
        await spent(store, "plain")
        await store.define_bots({"bot-1": "digest"}, NOON)
        await store.lease("polling", "somebody", 1000, NOON)
    finally:
        await store.close()


async def forgotten(path: Path) -> None:
    """All messages of the store were answered, sent and pruned: the highest numbers are nobody's any more."""
    store = SqliteStore(path, SystemClock())
    await store.open()
    try:
        for number in range(3):
            for part in await answer(store, inbound(f"e{number}"), "hello", parts=1):
                await store.end_sending(part, OutboxState.SENT)
        await store.prune(2**50, 2**50)
    finally:
        await store.close()


def add_rows(path: Path, texts: Sequence[str], numbers: Sequence[int], rows: int = 2) -> None:
    """Rows in every table, of these texts and numbers, as odd as they may be."""
    with closing(sqlite3.connect(path)) as connection:
        for table in TABLES:
            if table.name not in SUMMED and table.name != "scopes":
                _add(connection, table.name, texts, numbers, rows)
        connection.commit()


def _add(
    connection: sqlite3.Connection, table: str, texts: Sequence[str], numbers: Sequence[int], rows: int
) -> None:
    columns = connection.execute("SELECT name, type FROM pragma_table_info(?)", (table,)).fetchall()
    for row in range(rows):
        values = [_value(connection, table, name, kind, texts, numbers, row) for name, kind in columns]
        names = ", ".join(f'"{name}"' for name, _ in columns)
        marks = ", ".join("?" * len(columns))
        connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", values)


def _value(
    connection: sqlite3.Connection,
    table: str,
    name: str,
    kind: str,
    texts: Sequence[str],
    numbers: Sequence[int],
    row: int,
) -> object:
    if (table, name) in CHOICES:
        return CHOICES[table, name]
    if (table, name) in REFERS:
        return connection.execute(f"SELECT id FROM {REFERS[table, name]} ORDER BY 1 DESC LIMIT 1").fetchone()[
            0
        ]
    if kind == "TEXT":
        return f"{table} {name} {row} {texts[row % len(texts)]}"
    if name.endswith("_tokens"):  # which have to fit together
        return 5 * (name in {"input_tokens", "output_tokens"})
    if name in LARGE:
        return max(numbers[row % len(numbers)], 1)
    return 1000 + row


def all_rows(connection: sqlite3.Connection, table: str, columns: Sequence[str]) -> list[tuple[object, ...]]:
    """Every row of a table of the file, sorted, as PostgreSQL has to hold it."""
    there = {name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))}
    names = ", ".join(f'"{name}"' if name in there else "rowid" for name in columns)
    return sorted(
        (
            tuple(value.replace("\0", "\ufffd") if isinstance(value, str) else value for value in row)
            for row in connection.execute(f"SELECT {names} FROM {table}")
        ),
        key=repr,
    )
