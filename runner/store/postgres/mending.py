"""What is done first on a new connection, after the last one broke in the middle of something.

    end the old session, where the server believes it alive ─▶ was the transaction committed? ─▶ lanes again
                                                                          │
                                   holds of it are released: nobody makes a call on the strength of them

Rule: the server tells by the transaction's number whether it was committed, so what was done is answered as done and
what was not is done again, once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg

from runner.clock import Clock
from runner.errors import IllegalStep, StoreError
from runner.money.reservation import ReservationState
from runner.ports.books import Held, Settlement
from runner.store.postgres.committing import Committer
from runner.store.postgres.connection import Connection
from runner.store.postgres.jobs import Batch, Job, Kind
from runner.store.postgres.lane_locks import LaneLocks
from runner.store.queries import Queries

WHY_RELEASED = "the connection with the store broke before the call"
_COMMITTED, _UNDER_WAY = "committed", "in progress"
_LOOK_S = 0.05
FREE_S = 3.0
"""How long a lane's lock is waited for, where our own last session was still there."""


class Mender:
    """Knows the session that it came from."""

    def __init__(self, sql: Queries, committer: Committer, lanes: LaneLocks, clock: Clock) -> None:
        self._sql = sql
        self._committer = committer
        self._lanes = lanes
        self._clock = clock
        self._last: tuple[object, object] | None = None

    async def know(self, connection: Connection) -> None:
        """This is our session from now on."""
        row = await connection.fetchrow(self._sql["session"])
        self._last = None if row is None else (row[0], row[1])

    async def mend(self, connection: Connection, jobs: Sequence[Job[Any]]) -> None:
        """Go on where the last connection broke. Raises asyncpg's errors: nothing is settled yet."""
        ended = self._last and await connection.fetch(self._sql["end_old_session"], *self._last)
        doubt = self._committer.doubt
        if doubt is not None:
            if await self._was_committed(connection, doubt):
                self._committer.committed(doubt)
            self._committer.doubt = None
        await self._lanes.retake(connection, wait_s=FREE_S if ended else 0.0)
        await self._release(connection, [job for job in jobs if is_granted(job)])
        await self.know(connection)

    async def _was_committed(self, connection: Connection, batch: Batch) -> bool:
        """Waits while the server is still at it."""
        if batch.number is None:
            return False  # nothing was written
        while True:
            try:
                fate = await connection.fetchval(self._sql["transaction_fate"], batch.number)
            except asyncpg.InvalidParameterValueError:
                return False  # another server has taken over, which never saw it
            if fate != _UNDER_WAY:
                return bool(fate == _COMMITTED)
            await self._clock.sleep(_LOOK_S)

    async def _release(self, connection: Connection, holds: Sequence[Job[Any]]) -> None:
        """Holds that are written down, and that nobody was told of."""
        for job in holds:
            attempt_id = job.asked.attempt.id
            job.error = StoreError("the connection with the database broke")
            given_back = Settlement(attempt_id, ReservationState.RELEASED, why=WHY_RELEASED)
            future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            future.cancel()  # nobody waits for it
            settle = Job(Kind.SETTLE, given_back, future)
            await self._committer.run(connection, [settle])
            if settle.error is not None and not isinstance(settle.error, IllegalStep):
                raise settle.error


def is_granted(job: Job[Any]) -> bool:
    """Whether it holds money that nobody makes a call with before the connection is whole again."""
    return job.kind is Kind.HOLD and job.done and isinstance(job.result, Held)
