"""Daemons on a real PostgreSQL, each at the end of a wire of its own that can be cut."""

import asyncio
from dataclasses import replace

from runner.clock import SystemClock
from runner.ports.fleet import Fleet
from runner.ports.stores import Store
from runner.store.postgres.address import address_of
from runner.store.postgres.migration import Migration
from runner.store.postgres.store import PostgresStore
from tests.contract.fleets.relay import Relay
from tests.contract.fleets.worlds import PATIENCE_S

GRACE_S = 0.05
"""Nobody here comes back at the same time as all others."""


class PostgresWorld:
    """One database, at `url` on `port` of this machine."""

    def __init__(self, url: str, port: int) -> None:
        self._url = url
        self._port = port
        self._relays: dict[Store, Relay] = {}

    async def join(self, name: str) -> Store:
        relay = Relay(self._port)
        await relay.open()
        store = daemon_at(self._url.replace(f":{self._port}/", f":{relay.port}/"), name)
        self._relays[store] = relay
        await store.open()
        return store

    async def kill(self, store: Store) -> None:
        self._relays[store].cut()

    async def hang(self, store: Store) -> None:
        self._relays[store].cut()

    async def go_on(self, store: Store) -> None:
        fleet = _fleet_of(store)
        before = fleet.listen()
        self._relays[store].mend()
        async with asyncio.timeout(PATIENCE_S):
            await anext(before)

    async def close(self) -> None:
        for store, relay in self._relays.items():
            await store.close()
            await relay.close()


def daemon_at(url: str, name: str, steps: tuple[Migration, ...] | None = None) -> PostgresStore:
    """A store by that name, which knows these schema steps; not opened."""
    store = PostgresStore(address_of(url), SystemClock(), name=name, grace_s=GRACE_S, writers=2)
    if steps is not None:
        store._migrations = steps
        store._control._about = replace(store._control._about, schema=steps[-1].version)
    return store


def _fleet_of(store: Store) -> Fleet:
    assert store.fleet is not None
    return store.fleet
