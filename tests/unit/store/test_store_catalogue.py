"""Which store an address means."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from runner.clock import SystemClock
from runner.errors import StoreRefused
from runner.store.catalogue import due_migration, open_reader, open_store, sqlite_path
from runner.store.memory import MemoryStore
from runner.store.postgres.reader import PostgresReader
from runner.store.postgres.store import PostgresStore
from runner.store.sqlite.migration import load_migrations, migrate
from runner.store.sqlite.queries import load_queries
from runner.store.sqlite.store import SqliteStore

STATE = Path("/state")


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///var/lib/botrunner/botrunner.db", "/var/lib/botrunner/botrunner.db"),
        ("sqlite:/abs/x.db", "/abs/x.db"),
        ("sqlite:x.db", "/state/x.db"),
        ("sqlite://x.db", "/state/x.db"),
        ("sqlite://deep/x.db", "/state/deep/x.db"),
        ("x.db", "/state/x.db"),
        ("/abs/x.db", "/abs/x.db"),
    ],
)
def test_an_address_means_a_file(url: str, path: str) -> None:
    assert sqlite_path(url, STATE) == Path(path)


@pytest.mark.parametrize("url", ["", "sqlite:", "sqlite:///", "sqlite://", "mysql://root:hunter2@db/x", "/"])
def test_an_address_that_means_nothing_is_refused(url: str) -> None:
    with pytest.raises(StoreRefused) as caught:
        open_store(url, STATE, SystemClock())
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("url", ["postgresql://bot:hunter2@db/x", "postgres://db/x"])
def test_a_database_is_for_many_daemons(url: str) -> None:
    assert isinstance(open_store(url, STATE, SystemClock()), PostgresStore)
    assert isinstance(open_reader(url, STATE), PostgresReader)
    with pytest.raises(StoreRefused, match="a file is needed") as caught:
        sqlite_path(url, STATE)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["postgresql://bot:hunter2@db", "postgresql:", "postgres://bot:hunter2@[db/x"]
)
def test_a_database_that_is_not_named_is_refused(url: str) -> None:
    for open_it in (lambda: open_store(url, STATE, SystemClock()), lambda: open_reader(url, STATE)):
        with pytest.raises(StoreRefused, match="postgresql://") as caught:
            open_it()
        assert "hunter2" not in f"{caught.value}{caught.value.__cause__}{caught.value.__context__}"


def test_each_kind_is_made(tmp_path: Path) -> None:
    assert isinstance(open_store("memory:", tmp_path, SystemClock()), MemoryStore)
    assert isinstance(open_store("sqlite:x.db", tmp_path, SystemClock()), SqliteStore)
    assert list(tmp_path.iterdir()) == []  # nothing is made before it is opened


def test_memory_is_not_read_from_outside() -> None:
    with pytest.raises(StoreRefused):
        open_reader("memory:", STATE)


def test_an_older_schema_is_told_before_it_is_opened(tmp_path: Path) -> None:
    assert due_migration("memory:", tmp_path) is None
    assert due_migration("x.db", tmp_path) is None
    steps = load_migrations()
    with closing(sqlite3.connect(tmp_path / "x.db", isolation_level=None)) as connection:
        migrate(connection, load_queries(), steps[:-1], 1)
    found = due_migration("x.db", tmp_path)
    assert found is not None
    assert (found.schema, found.newest) == (len(steps) - 1, len(steps))
    assert found.copy == tmp_path / f"x.db.before-v{len(steps)}"
