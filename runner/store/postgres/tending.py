"""A database as an operator looks at it: its schema, its size, what it holds, what has not arrived."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runner.ports.reading import Unsent
from runner.store.postgres.connection import Connection
from runner.store.postgres.migration import schema_of
from runner.store.queries import Queries


@dataclass(frozen=True, slots=True)
class DatabaseInfo:
    """What a database is like.

    Attributes:
        schema: its version; `newest` is what this botrunner brings it to.
        size: bytes of all of it; `sizes`: of each table with its indexes.
        rows: by table; empty where the schema is an older one.
        oldest_message_ms: when the oldest message that is kept was accepted; None: there is none.
    """

    schema: int
    newest: int
    size: int
    sizes: Mapping[str, int]
    rows: Mapping[str, int]
    oldest_message_ms: int | None


class DatabaseReads:
    """Figures, each read a function of a connection."""

    def __init__(self, sql: Queries) -> None:
        self._sql = sql

    async def info(self, connection: Connection, newest: int) -> DatabaseInfo:
        """Count all rows. Raises StoreRefused: there is none of ours."""
        schema = (await schema_of(connection, self._sql)).version
        is_ours = schema >= newest
        sizes = await connection.fetch(self._sql["table_sizes"])
        rows = await connection.fetch(self._sql["row_counts"]) if is_ours else []
        return DatabaseInfo(
            schema=schema,
            newest=newest,
            size=int(await connection.fetchval(self._sql["database_size"])),
            sizes=dict(map(tuple, sizes)),
            rows=dict(map(tuple, rows)),
            oldest_message_ms=await connection.fetchval(self._sql["oldest_message"]) if is_ours else None,
        )

    async def unsent(self, connection: Connection, limit: int) -> list[Unsent]:
        """Parts that wait, are being sent, or of which nobody knows."""
        return [Unsent(*row) for row in await connection.fetch(self._sql["old_sends"], limit)]
