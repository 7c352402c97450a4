"""What a daemon left that is gone, ended once.

    its lock and its row are ours ─▶ no session of it is left ─▶ sends ─▶ holds ─▶ leases ─▶ it has ended

Rules:
* All of it is one transaction; whoever else buries leaves out whom we have (SKIP LOCKED, the advisory lock).
* A daemon that only lost its connection waits for its lock until we are done, finds its row ended and becomes
  another one (`Control`); so does a session of it that comes back (`Control.session`).
* Sends go again, counted as a crash, the fifth time they are left as unknown; holds become unknown; what stays held
  for an open batch is nobody's from then on.
"""

from __future__ import annotations

from collections.abc import Sequence

from runner.ports.fleet import Burial
from runner.ports.mail import OutboxState
from runner.ports.stores import Recovery
from runner.store.postgres.books import settle_all
from runner.store.postgres.connection import Connection
from runner.store.queries import Queries
from runner.store.rules import MOST_CRASHES, WHY_AGAIN, WHY_LEFT, lost_hold


async def bury(connection: Connection, sql: Queries, daemons: Sequence[int]) -> Burial:
    """End what those of these daemons left that are gone; in a transaction."""
    rows = await connection.fetch(sql["daemons_to_bury"], list(daemons))
    gone = [row[0] for row in await connection.fetch(sql["surely_gone"], [row[0] for row in rows])]
    if not gone:
        return Burial()
    ended = await _end(connection, sql, gone, nobodys=False)
    await connection.execute(sql["orphan_holds"], gone)
    await connection.execute(sql["void_leases"], [str(one) for one in gone])
    await connection.execute(sql["end_daemons"], gone)
    return Burial(tuple(gone), ended.holds_unknown, ended.sends_again, ended.sends_unknown)


async def end_nobodys(connection: Connection, sql: Queries) -> Recovery:
    """End what no daemon that is there began, as after a copy from another store; in a transaction."""
    return await _end(connection, sql, [], nobodys=True)


async def _end(connection: Connection, sql: Queries, daemons: list[int], *, nobodys: bool) -> Recovery:
    asked = (daemons, nobodys)
    sends = [
        row[0]
        for row in await connection.fetch(sql["end_lost_sends"], *asked, MOST_CRASHES, WHY_AGAIN, WHY_LEFT)
    ]
    left = [row[0] for row in await connection.fetch(sql["left_held"], *asked)]
    settled = await settle_all(connection, sql, [lost_hold(attempt) for attempt in left])
    again = sends.count(str(OutboxState.PENDING))
    unknown = sum(not isinstance(one, Exception) for one in settled)
    return Recovery(unknown, again, len(sends) - again)
