"""`runner.ports.sharing.SharedValues` on PostgreSQL, the table `shared_values`."""

from __future__ import annotations

from runner.ports.sharing import check_length
from runner.store.postgres.changes import changed
from runner.store.postgres.connection import Connection
from runner.store.postgres.desk import Desk
from runner.store.queries import Queries


class PostgresValues:
    """A `runner.ports.sharing.SharedValues`."""

    def __init__(self, desk: Desk, sql: Queries) -> None:
        self._desk = desk
        self._sql = sql

    async def value(self, key: str, now_ms: int) -> str | None:
        """As the port says."""
        return await self._desk.read(lambda c: self._standing(c, key, now_ms))

    async def values(self, prefix: str, now_ms: int) -> dict[str, str]:
        """As the port says."""
        rows = await self._desk.read(lambda c: c.fetch(self._sql["shared_values"], prefix, now_ms))
        return dict(sorted(map(tuple, rows)))

    async def put(self, key: str, value: str, now_ms: int, ends_ms: int | None = None) -> None:
        """As the port says."""
        check_length(key, value)
        await self._desk.write(lambda c: c.execute(self._sql["put_value"], key, value, now_ms, ends_ms))

    async def put_new(self, key: str, value: str, now_ms: int, ends_ms: int | None = None) -> str:
        """As the port says."""
        check_length(key, value)

        async def unit(connection: Connection) -> str:
            await connection.execute(self._sql["put_new_value"], key, value, now_ms, ends_ms)
            return str(await connection.fetchval(self._sql["value_there"], key))

        return await self._desk.write(unit)

    async def drop(self, key: str) -> bool:
        """As the port says."""
        return changed(await self._desk.write(lambda c: c.execute(self._sql["drop_value"], key))) == 1

    async def drop_ended(self, now_ms: int) -> int:
        """As the port says."""
        return changed(await self._desk.write(lambda c: c.execute(self._sql["drop_ended_values"], now_ms)))

    async def _standing(self, connection: Connection, key: str, now_ms: int) -> str | None:
        found = await connection.fetchval(self._sql["shared_value"], key, now_ms)
        return None if found is None else str(found)
