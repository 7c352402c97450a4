"""The ledger is append-only for everybody, whatever code asks."""

import sqlite3

import pytest

from runner.errors import StoreError
from runner.store.sqlite.store import SqliteStore
from tests.contract.stores.examples import held, rows, settled

WRITTEN = [
    "id = 'other'",
    "hold = 1",
    "scopes = '[]'",
    "bot = 'other'",
    "time_ms = 1",
    "turn = 'other'",
    "corrects = 'x'",
]


async def run(store: SqliteStore, sql: str) -> None:
    def unit(connection: sqlite3.Connection) -> None:
        connection.execute(sql)

    await store._writer.write(unit)


@pytest.mark.parametrize("change", ["cost = 0", "state = 'held'", "why = 'x'", *WRITTEN])
async def test_a_row_that_has_ended_stays(store: SqliteStore, change: str) -> None:
    await held(store, "a1")
    await store.settle(settled("a1"))
    before = await rows(store)
    with pytest.raises(StoreError, match="never changed"):
        await run(store, f"UPDATE ledger SET {change}")
    assert await rows(store) == before


@pytest.mark.parametrize("change", WRITTEN)
async def test_a_held_row_keeps_what_it_was_written_with(store: SqliteStore, change: str) -> None:
    await held(store, "a1")
    with pytest.raises(StoreError, match="never changed"):
        await run(store, f"UPDATE ledger SET {change}")


async def test_no_row_is_deleted(store: SqliteStore) -> None:
    await held(store, "a1")
    with pytest.raises(StoreError, match="never deleted"):
        await run(store, "DELETE FROM ledger")
    assert len(await rows(store)) == 1


@pytest.mark.parametrize("sql", ["UPDATE ledger SET cost = 1.5", "UPDATE scopes SET held = 'much'"])
async def test_money_is_whole_in_the_file_too(store: SqliteStore, sql: str) -> None:
    await held(store, "a1")
    with pytest.raises(StoreError):
        await run(store, sql)
