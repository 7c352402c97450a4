"""Backups: made beside the daemon that writes, good before they have their name, put back whole or not at all."""

import asyncio
import os
import sqlite3
import stat
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from runner.clock import SystemClock, UnixMs
from runner.errors import OperatorError, StoreRefused
from runner.ports.mail import OutboxState
from runner.store.sqlite.backup import back_up, restore
from runner.store.sqlite.connection import CHECKED_AT_MOST, CHECKED_UP_TO, needs_check
from runner.store.sqlite.copying import PAGES_AT_ONCE
from runner.store.sqlite.examining import examine
from runner.store.sqlite.migration import load_migrations, migrate
from runner.store.sqlite.queries import load_queries
from runner.store.sqlite.store import SqliteStore
from runner.store.sqlite.tending import due, info, migrate_now, vacuum
from runner.store.sqlite.upgrading import kept_copies
from tests.contract.stores.examples import answer, held, inbound, rows, spent

SQL, STEPS = load_queries(), load_migrations()
NEWEST = STEPS[-1].version
NOW = UnixMs(1_795_305_600_000)
"""2026-11-22T00:00Z."""


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    return tmp_path / "elsewhere" / "backup.db"


@pytest.fixture(autouse=True)
def elsewhere(backup: Path) -> None:
    backup.parent.mkdir()


def fill(path: Path, count: int = 3) -> None:
    asyncio.run(_fill(path, count))


async def _fill(path: Path, count: int) -> None:
    store = SqliteStore(path, SystemClock())
    await store.open()
    for n in range(count):
        await answer(store, inbound(f"e{n}", lane=f"lane {n}"), "x" * 900)
    await store.close()


def conversations(path: Path) -> int:
    """How many there are, as a daemon would find them."""
    return asyncio.run(_conversations(path))


async def _conversations(path: Path) -> int:
    store = SqliteStore(path, SystemClock())
    await store.open()
    try:
        return len(await store.conversations(None, 1000))
    finally:
        await store.close()


def damage_a_page(path: Path) -> None:
    """A page that is in use, in its middle: the schema can still be read."""
    raw = bytearray(path.read_bytes())
    place = raw.rindex(b"x" * 900) // 4096 * 4096
    raw[place : place + 64] = b"\xee" * 64
    path.write_bytes(raw)


def of_schema(path: Path, version: int) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection, SQL, STEPS[:version], 1)
        connection.execute("INSERT INTO leases VALUES ('mine', 'me', 7, 8)")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def left_in(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


async def test_the_store_of_one_moment(store: SqliteStore, path: Path, backup: Path) -> None:
    await asyncio.gather(*(store.accept(inbound(f"before {n}", payload="x" * 30_000)) for n in range(300)))
    await spent(store, "t1.1", 5)
    loop, written = asyncio.get_running_loop(), []

    def meanwhile(done: int, whole: int) -> None:
        """Between two steps of the copy, a message is accepted by the store that is copied."""
        asyncio.run_coroutine_threadsafe(store.accept(inbound(f"after {done}")), loop).result(60)
        written.append((done, whole))

    found = await asyncio.to_thread(back_up, path, backup, progress=meanwhile)
    assert found.is_good
    assert len(written) == -(-written[-1][1] // PAGES_AT_ONCE) > 1
    assert written[-1][0] == written[-1][1]
    assert left_in(backup.parent) == {"backup.db"}
    assert mode(backup) == 0o600
    copy = SqliteStore(backup, SystemClock())
    await copy.open()
    assert (await copy.figures()).waiting == {"bot-1": 300}
    assert len(await rows(copy)) == 1
    await copy.close()
    assert (await store.figures()).waiting == {"bot-1": 300 + len(written)}


def test_a_backup_that_is_there_is_kept(path: Path, backup: Path) -> None:
    fill(path)
    backup.write_text("dear diary")
    with pytest.raises(OperatorError, match="there already"):
        back_up(path, backup)
    assert backup.read_text() == "dear diary"
    back_up(path, backup, force=True)
    assert examine(backup, SQL, NEWEST).is_good


def test_a_backup_is_never_the_store_itself(path: Path, backup: Path) -> None:
    fill(path)
    backup.symlink_to(path)
    for name in (path, path.with_name("store.db-wal"), path.with_name("store.db.lock"), backup):
        with pytest.raises(OperatorError, match="the store itself"):
            back_up(path, name, force=True)
    assert conversations(path) == 3


def test_where_it_cannot_be_written(path: Path, backup: Path, tmp_path: Path) -> None:
    fill(path)
    with pytest.raises(OperatorError, match="No such file"):
        back_up(path, tmp_path / "nowhere" / "backup.db")
    with pytest.raises(OperatorError, match="is no file"):
        back_up(path, backup.parent)
    with pytest.raises(StoreRefused, match="no store at"):
        back_up(tmp_path / "none.db", backup)
    assert left_in(backup.parent) == set()


def test_what_a_killed_backup_left_is_removed(path: Path, backup: Path) -> None:
    fill(path)
    ended = subprocess.Popen(["true"])
    ended.wait()
    for name in (
        f".backup.db.{ended.pid}.part",
        f".backup.db.{ended.pid}.part-journal",
        f".backup.db.{os.getpid()}.part",
        f".backup.db.{os.getppid()}.part",  # that one is still at it
        f".other.db.{ended.pid}.part",
    ):
        backup.with_name(name).touch()
    back_up(path, backup)
    assert left_in(backup.parent) == {
        "backup.db",
        f".backup.db.{os.getppid()}.part",
        f".other.db.{ended.pid}.part",
    }


@pytest.mark.parametrize(
    ("size", "log", "is_read"),
    [
        (CHECKED_UP_TO, None, True),
        (CHECKED_UP_TO + 1, None, False),
        (CHECKED_UP_TO + 1, 0, False),
        (CHECKED_UP_TO + 1, 1, True),
        (CHECKED_AT_MOST + 1, 1, False),
    ],
)
def test_large_files_are_read_through_after_an_unclean_end(
    path: Path, size: int, log: int | None, *, is_read: bool
) -> None:
    with path.open("wb") as file:
        file.truncate(size)  # takes no room
    if log is not None:
        path.with_name("store.db-wal").write_bytes(b"x" * log)
    assert needs_check(path) is is_read


def test_a_damaged_store_has_no_backup(path: Path, backup: Path) -> None:
    fill(path)
    back_up(path, backup)
    good = backup.read_bytes()
    damage_a_page(path)
    with pytest.raises(StoreRefused, match="damaged"):
        back_up(path, backup, force=True)
    assert backup.read_bytes() == good
    assert left_in(backup.parent) == {"backup.db"}


async def test_wrong_books_have_no_backup(path: Path, backup: Path) -> None:
    store = SqliteStore(path, SystemClock())
    await store.open()
    await held(store, "t1.1")
    await store.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE scopes SET held = held + 1")
    with pytest.raises(StoreRefused, match="bot:bot-1"):
        back_up(path, backup)
    assert left_in(backup.parent) == set()


def test_a_damaged_page_is_refused_and_the_backup_restores(path: Path, backup: Path) -> None:
    fill(path, 40)
    back_up(path, backup)
    damage_a_page(path)
    with pytest.raises(StoreRefused, match=r"damaged.*store restore") as caught:
        conversations(path)
    assert str(path) in str(caught.value)
    done = restore(backup, path, NOW)
    assert done.found.is_good
    assert done.kept is not None
    assert done.kept.name == "store.db.replaced-20261122T000000000Z"
    assert examine(done.kept, SQL, NEWEST).damage
    assert conversations(path) == 40


async def test_what_was_written_since_is_kept_beside_it(path: Path, backup: Path) -> None:
    await _fill(path, 2)
    back_up(path, backup)
    store = SqliteStore(path, SystemClock())
    await store.open()
    [part] = await answer(
        store, inbound("later", lane="later"), "new", parts=1, first_state=OutboxState.PENDING
    )
    await store.begin_sending([part])
    await held(store, "t9.1")
    await store.close()
    late = backup.with_name("late.db")
    back_up(path, late)
    first = restore(backup, path, NOW)
    assert (first.left_open.holds, first.left_open.sends, first.left_open.messages) == (0, 0, 0)
    assert await _conversations(path) == 2
    assert first.kept is not None
    assert await _conversations(first.kept) == 3
    again = restore(late, path, UnixMs(NOW + 1000))
    assert (again.left_open.holds, again.left_open.sends) == (1, 1)
    await store.open()
    recovery = await store.recover()
    assert (recovery.holds_unknown, recovery.sends_again) == (1, 1)
    await store.close()


def test_a_log_that_a_crash_left_is_not_taken_for_the_backups(path: Path, backup: Path) -> None:
    """The log of the replaced store must not be read into the restored one."""
    fill(path, 1)
    back_up(path, backup)
    with closing(sqlite3.connect(path, isolation_level=None)) as crashed:
        crashed.execute("PRAGMA journal_mode = WAL")
        crashed.execute("INSERT INTO leases VALUES ('since', 'me', 7, 8)")
        assert path.with_name("store.db-wal").stat().st_size
        kept = restore(backup, path, NOW).kept
    assert kept is not None
    for file, leases in ((path, 0), (kept, 1)):
        with closing(sqlite3.connect(file)) as connection:
            assert connection.execute("SELECT count(*) FROM leases").fetchone() == (leases,)


async def test_a_running_daemons_store_is_left_alone(store: SqliteStore, path: Path, backup: Path) -> None:
    await store.accept(inbound())
    await asyncio.to_thread(back_up, path, backup)
    for refused in (lambda: restore(backup, path, NOW), lambda: vacuum(path), lambda: migrate_now(path, NOW)):
        with pytest.raises(StoreRefused, match=f"in use by another daemon \\(pid {os.getpid()}\\)"):
            refused()
    assert (await store.accept(inbound("e2"))).fresh


@pytest.mark.parametrize("wrong", ["text", "empty", "another program's", "newer", "cut"])
def test_what_is_no_good_backup(path: Path, backup: Path, wrong: str) -> None:
    fill(path)
    if wrong == "text":
        backup.write_text("dear diary\n" * 500)
    elif wrong == "empty":
        backup.touch()
    elif wrong == "cut":
        fill(backup, 40)
        os.truncate(backup, backup.stat().st_size // 2 // 4096 * 4096)
    else:
        with closing(sqlite3.connect(backup)) as connection, connection:
            connection.execute("CREATE TABLE diary (text)")
            if wrong == "newer":
                connection.execute(f"PRAGMA application_id = {int.from_bytes(b'botr', 'big')}")
                connection.execute(f"PRAGMA user_version = {NEWEST + 1}")
    before = path.read_bytes()
    with pytest.raises(StoreRefused):
        restore(backup, path, NOW)
    assert path.read_bytes() == before
    assert left_in(path.parent) == {"store.db", "store.db.lock", "elsewhere"}


@pytest.mark.parametrize("version", range(1, NEWEST))
def test_a_backup_of_each_released_schema_is_put_back(path: Path, backup: Path, version: int) -> None:
    of_schema(backup, version)
    done = restore(backup, path, NOW)
    assert (done.schema_before, done.found.schema, done.kept) == (version, NEWEST, None)
    assert done.found.books_read
    assert examine(backup, SQL, NEWEST).schema == version  # it stays as it was


@pytest.mark.parametrize("version", range(1, NEWEST))
def test_a_start_keeps_the_store_as_it_was(path: Path, version: int) -> None:
    of_schema(path, version)
    plan = due(path)
    assert plan is not None
    assert (plan.schema, plan.newest, len(plan.steps)) == (version, NEWEST, NEWEST - version)
    fill(path, 1)
    assert kept_copies(path) == [plan.copy]
    assert plan.copy.name == f"store.db.before-v{version + 1}"
    assert mode(plan.copy) == 0o600
    assert examine(plan.copy, SQL, NEWEST).schema == version
    with closing(sqlite3.connect(plan.copy)) as connection:
        assert connection.execute("SELECT * FROM leases").fetchall() == [("mine", "me", 7, 8)]
    assert due(path) is None
    assert info(path).copies == (plan.copy,)


def test_two_copies_stay(path: Path) -> None:
    for version in range(1, NEWEST):
        path.unlink(missing_ok=True)
        of_schema(path, version)
        migrate_now(path, NOW)
    assert [copy.name for copy in kept_copies(path)] == [
        f"store.db.before-v{version}" for version in (NEWEST, NEWEST - 1)
    ]


def test_no_copy_no_migration(path: Path) -> None:
    of_schema(path, 2)
    path.with_name("store.db.before-v3").mkdir()
    with pytest.raises(Exception, match="that failed"):
        migrate_now(path, NOW)
    plan = due(path)
    assert plan is not None
    assert plan.schema == 2


async def test_unused_room_is_given_back(path: Path) -> None:
    await _fill(path, 100)
    store = SqliteStore(path, SystemClock())
    await store.open()
    await spent(store, "t1.1", 5)
    await store.forget_user(None, "anna")
    await store.close()
    assert info(path).unused > 20_000
    before, after = vacuum(path)
    assert after < before - 20_000
    assert info(path).unused == 0
    await store.open()
    assert len(await rows(store)) == 1
    await store.close()


async def test_figures(store: SqliteStore, path: Path) -> None:
    await answer(store, inbound(), "q", "a")
    found = info(path)
    assert (found.schema, found.newest) == (NEWEST, NEWEST)
    assert {name: count for name, count in found.rows.items() if count} == {
        "inbox": 1,
        "conversations": 1,
        "messages": 2,
        "turns": 1,
        "traffic_days": 1,
        "active_users": 1,
    }
    assert found.log > 0
    assert found.oldest_message_ms == inbound().at_ms
