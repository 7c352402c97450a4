"""Units on names that one holder of the fleet has at a time. Times are the fleet's clock (`Fleet.now_ms`)."""

from __future__ import annotations

from runner.ports.stores import Lease
from runner.store.postgres.connection import Connection
from runner.store.queries import Queries
from runner.store.rules import next_lease


class LeaseRows:
    """The table `leases`."""

    def __init__(self, sql: Queries) -> None:
        self._sql = sql

    async def lease(self, connection: Connection, wanted: Lease, now_ms: int) -> Lease | None:
        """Take or renew `wanted`; its epoch is ignored."""
        row = await connection.fetchrow(self._sql["lease"], wanted.name)
        if row is None:
            await connection.execute(self._sql["make_lease"], wanted.name)
            row = await connection.fetchrow(self._sql["lease"], wanted.name)
        lease = next_lease(None if row is None else Lease(wanted.name, *row), wanted, now_ms)
        if lease is not None:
            await connection.execute(
                self._sql["save_lease"], lease.name, lease.holder, lease.epoch, lease.until_ms
            )
        return lease

    async def release(self, connection: Connection, name: str, holder: str) -> None:
        """As `Store.release`."""
        await connection.execute(self._sql["release_lease"], name, holder)
