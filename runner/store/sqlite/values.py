"""`runner.ports.sharing.SharedValues` on SQLite."""

from __future__ import annotations

import sqlite3

from runner.ports.sharing import check_length
from runner.store.sqlite.queries import Queries
from runner.store.sqlite.writer import Writer

VALUES_AT_ONCE = 500
_LAST = chr(0x10FFFF)
"""No text that comes from people or from us goes on with this: behind a prefix it stands for all that begins so."""


class SqliteValues:
    """A `runner.ports.sharing.SharedValues`, the table `shared_values`."""

    def __init__(self, writer: Writer, sql: Queries) -> None:
        self._writer = writer
        self._sql = sql

    async def value(self, key: str, now_ms: int) -> str | None:
        """As the port says."""
        return await self._writer.read(lambda c: self._standing(c, key, now_ms))

    async def values(self, prefix: str, now_ms: int) -> dict[str, str]:
        """As the port says."""
        asked = {"prefix": prefix, "beyond": prefix + _LAST, "now_ms": now_ms}
        return await self._writer.read(
            lambda c: dict(c.execute(self._sql["values_by_prefix"], asked).fetchall())
        )

    async def put(self, key: str, value: str, now_ms: int, ends_ms: int | None = None) -> None:
        """As the port says."""
        check_length(key, value)
        await self._writer.write(lambda c: self._put(c, key, value, now_ms, ends_ms))

    async def put_new(self, key: str, value: str, now_ms: int, ends_ms: int | None = None) -> str:
        """As the port says."""
        check_length(key, value)

        def unit(connection: sqlite3.Connection) -> str:
            there = self._standing(connection, key, now_ms)
            if there is None:
                self._put(connection, key, value, now_ms, ends_ms)
            return value if there is None else there

        return await self._writer.write(unit)

    async def drop(self, key: str) -> bool:
        """As the port says."""
        return await self._writer.write(lambda c: c.execute(self._sql["drop_value"], (key,)).rowcount > 0)

    async def drop_ended(self, now_ms: int) -> int:
        """As the port says, but in several transactions, so that messages need not wait for all of it."""
        dropped = 0
        asked = (now_ms, VALUES_AT_ONCE)
        while gone := await self._writer.write(
            lambda c: c.execute(self._sql["drop_ended_values"], asked).rowcount
        ):
            dropped += gone
        return dropped

    def _standing(self, connection: sqlite3.Connection, key: str, now_ms: int) -> str | None:
        row = connection.execute(self._sql["value"], (key, now_ms)).fetchone()
        return None if row is None else str(row[0])

    def _put(
        self, connection: sqlite3.Connection, key: str, value: str, now_ms: int, ends_ms: int | None
    ) -> None:
        connection.execute(self._sql["put_value"], (key, value, now_ms, ends_ms))
