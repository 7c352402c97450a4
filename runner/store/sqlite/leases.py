"""Units on names that one holder has at a time."""

from __future__ import annotations

import sqlite3

from runner.ports.stores import Lease
from runner.store.rules import next_lease
from runner.store.sqlite.queries import Queries


class LeaseRows:
    """The table `leases`."""

    def __init__(self, sql: Queries) -> None:
        self._sql = sql

    def lease(self, connection: sqlite3.Connection, wanted: Lease, now_ms: int) -> Lease | None:
        """Take or renew `wanted`; its epoch is ignored."""
        row = connection.execute(self._sql["lease"], (wanted.name,)).fetchone()
        lease = next_lease(None if row is None else Lease(wanted.name, *row), wanted, now_ms)
        if lease is not None:
            connection.execute(
                self._sql["save_lease"], (lease.name, lease.holder, lease.epoch, lease.until_ms)
            )
        return lease

    def release(self, connection: sqlite3.Connection, name: str, holder: str) -> None:
        """As `Store.release`."""
        connection.execute(self._sql["release_lease"], (name, holder))
