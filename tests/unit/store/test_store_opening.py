"""What is opened, what is refused, and who may."""

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from runner.clock import SystemClock
from runner.errors import StoreRefused
from runner.store.sqlite.store import SqliteStore
from tests.contract.stores.examples import answer, inbound


async def refusal(path: Path) -> str:
    """Why the store at this path is refused; it must not be left locked or open."""
    store = SqliteStore(path, SystemClock())
    with pytest.raises(StoreRefused) as caught:
        await store.open()
    return str(caught.value)


def write_diary(path: Path) -> None:
    path.write_text("dear diary\n" * 500)


def is_still_the_diary(path: Path) -> bool:
    return path.read_text() == "dear diary\n" * 500


def remove(path: Path) -> None:
    path.unlink()


def damage(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    for page in range(3, len(raw) // 4096):  # the first pages hold the schema
        raw[page * 4096 : page * 4096 + 64] = b"\xee" * 64
    path.write_bytes(raw)


async def filled(path: Path) -> None:
    store = SqliteStore(path, SystemClock())
    await store.open()
    for n in range(50):
        await answer(store, inbound(f"e{n}", lane=f"lane {n}"), "x" * 500)
    await store.close()


async def test_what_was_committed_survives_a_power_cut(store: SqliteStore) -> None:
    def pragmas(connection: sqlite3.Connection) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys")
        return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

    assert await store._writer.read(pragmas) == ["wal", 2, 1]


async def test_the_file_is_its_owners_alone(store: SqliteStore, path: Path) -> None:
    await store.accept(inbound())
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == dict.fromkeys(["store.db", "store.db-wal", "store.db-shm", "store.db.lock"], 0o600)


async def test_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "state" / "deep" / "store.db"
    store = SqliteStore(path, SystemClock())
    await store.open()
    await store.close()
    assert stat.S_IMODE((tmp_path / "state" / "deep").stat().st_mode) == 0o700


async def test_a_store_in_use_is_refused_and_names_its_holder(store: SqliteStore, path: Path) -> None:
    for _ in range(2):
        said = await refusal(path)
        assert f"in use by another daemon (pid {os.getpid()})" in said
    assert (await store.accept(inbound())).fresh  # nothing was taken from its holder


async def test_a_closed_store_is_free(store: SqliteStore, path: Path) -> None:
    await store.close()
    other = SqliteStore(path, SystemClock())
    await other.open()
    await other.close()
    await store.open()
    assert (await store.accept(inbound())).fresh


async def test_a_text_file_is_refused(path: Path) -> None:
    write_diary(path)
    assert "not a database" in await refusal(path)
    assert is_still_the_diary(path)


async def test_another_programs_database_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
    assert "another program" in await refusal(path)


async def test_another_programs_versions_are_not_ours(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
        connection.execute("PRAGMA user_version = 1")
    assert "another program" in await refusal(path)


async def test_a_newer_schema_is_refused(path: Path) -> None:
    await filled(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    said = await refusal(path)
    assert "99" in said
    assert "newer" in said


async def test_a_damaged_file_is_refused(path: Path) -> None:
    await filled(path)
    damage(path)
    assert "damaged" in await refusal(path)


async def test_a_place_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be opened" in await refusal(tmp_path / "file" / "store.db")
    (tmp_path / "folder").mkdir()
    assert "cannot be opened" in await refusal(tmp_path / "folder")


async def test_a_refused_store_is_not_left_locked(path: Path) -> None:
    write_diary(path)
    store = SqliteStore(path, SystemClock())
    with pytest.raises(StoreRefused):
        await store.open()
    remove(path)
    await store.open()
    assert (await store.accept(inbound())).fresh
    await store.close()
