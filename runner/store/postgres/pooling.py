"""Whether a pooler gives each transaction to whatever session of the server is free.

Rule: locks that outlive a transaction, and settings, are of a session: with such a pooler nothing that we hold is ours.
"""

from __future__ import annotations

from runner.store.postgres.connection import Connection
from runner.store.queries import Queries


async def is_direct(connection: Connection, sql: Queries) -> bool:
    """Whether nobody is in between: the session that was greeted is the one that answers."""
    return bool(connection.get_server_pid() == await connection.fetchval(sql["session_pid"]))


async def is_pooled(one: Connection, two: Connection, sql: Queries) -> bool:
    """Whether two connections of ours get at one of the server's: the second while the first says nothing."""
    first = await one.fetchval(sql["session_pid"])
    async with two.transaction():
        second = await two.fetchval(sql["session_pid"])
        return bool(first == second or first != await one.fetchval(sql["session_pid"]))
