"""Every store there is, opened empty; the suites beside this file hold for each of them."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from runner.clock import SystemClock
from runner.ports.stores import Store
from runner.store.catalogue import open_store

Again = Callable[[], Store]
"""The same store, as a later process finds it; not opened."""


@pytest.fixture(params=["memory:", "sqlite:store.db", "postgresql:"])
def again(request: pytest.FixtureRequest, tmp_path: Path) -> Again:
    address = request.param
    if address == "postgresql:":
        address = request.getfixturevalue("postgres_url")
    if address == "memory:":
        only = open_store(address, tmp_path, SystemClock())
        return lambda: only
    return lambda: open_store(address, tmp_path, SystemClock())


@pytest.fixture
async def store(again: Again) -> AsyncIterator[Store]:
    store = again()
    await store.open()
    yield store
    await store.close()
