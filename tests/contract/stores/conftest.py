"""Every store there is, opened empty; the suites beside this file hold for each of them."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from runner.clock import SystemClock
from runner.ports.stores import Store
from runner.store.catalogue import open_store
from runner.store.postgres.address import address_of
from runner.store.postgres.store import PostgresStore

Again = Callable[[], Store]
"""The same store, as a later process finds it; not opened."""


@pytest.fixture(params=["memory:", "sqlite:store.db", "postgresql:"])
def again(request: pytest.FixtureRequest, tmp_path: Path) -> Again:
    if request.param == "postgresql:":
        address = address_of(request.getfixturevalue("postgres_url"))
        return lambda: PostgresStore(address, SystemClock(), writers=2)
    if request.param == "memory:":
        only = open_store(request.param, tmp_path, SystemClock())
        return lambda: only
    return lambda: open_store(request.param, tmp_path, SystemClock())


@pytest.fixture
async def store(again: Again) -> AsyncIterator[Store]:
    store = again()
    await store.open()
    yield store
    await store.close()
