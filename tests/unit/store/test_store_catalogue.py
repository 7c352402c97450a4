"""Which store an address means."""

from pathlib import Path

import pytest

from runner.clock import SystemClock
from runner.errors import StoreRefused
from runner.store.catalogue import open_reader, open_store, sqlite_path
from runner.store.memory import MemoryStore
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
def test_postgresql_comes_later(url: str) -> None:
    with pytest.raises(StoreRefused, match="later") as caught:
        open_store(url, STATE, SystemClock())
    assert "hunter2" not in str(caught.value)


def test_each_kind_is_made(tmp_path: Path) -> None:
    assert isinstance(open_store("memory:", tmp_path, SystemClock()), MemoryStore)
    assert isinstance(open_store("sqlite:x.db", tmp_path, SystemClock()), SqliteStore)
    assert list(tmp_path.iterdir()) == []  # nothing is made before it is opened


def test_memory_is_not_read_from_outside() -> None:
    with pytest.raises(StoreRefused):
        open_reader("memory:", STATE)
