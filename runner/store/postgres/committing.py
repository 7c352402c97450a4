"""Jobs in transactions: all in one; each alone where one of them spoils that of all.

Rule: `doubt` is the transaction whose COMMIT was sent and not answered; it is None while there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runner.clock import Clock
from runner.errors import StoreError
from runner.store.postgres.connection import Connection
from runner.store.postgres.faults import in_our_words, is_lost, is_passing
from runner.store.postgres.jobs import READS, Batch, Job, Kind, Restart
from runner.store.postgres.work import Work
from runner.store.queries import Queries

TRIES = 5
_AGAIN_S = 0.01
"""The first wait before a transaction is done again; then twice as long each time."""
_NO_TRANSACTION = READS | {Kind.ACCEPT}


class Committer:
    """Runs jobs on a connection until each is done or refused."""

    def __init__(self, sql: Queries, work: Work, clock: Clock) -> None:
        self._sql = sql
        self._work = work
        self._clock = clock
        self.doubt: Batch | None = None

    async def run(self, connection: Connection, jobs: Sequence[Job[Any]]) -> None:
        """Do these jobs. Raises only where the connection is of no more use."""
        refusals, tries = 0, 0
        while waiting := [job for job in jobs if job.is_open]:
            try:
                await self._commit(connection, Batch(waiting))
                return
            except Exception as error:
                if is_lost(error):
                    raise
                await connection.execute(self._sql["rollback"])
                if isinstance(error, Restart) and refusals < len(jobs):
                    refusals += 1
                elif is_passing(error) and tries < TRIES:
                    await self._clock.sleep(_AGAIN_S * 2**tries)
                    tries += 1
                else:
                    await self._alone(connection, waiting, error)
                    return

    async def _alone(self, connection: Connection, jobs: Sequence[Job[Any]], error: Exception) -> None:
        """Each in a transaction of its own."""
        if len(jobs) == 1:
            passing = is_passing(error) or isinstance(error, Restart)
            jobs[0].refuse(StoreError("others were in the way") if passing else in_our_words(error))
            return
        for job in jobs:
            await self.run(connection, [job])

    async def _commit(self, connection: Connection, batch: Batch) -> None:
        """One transaction; where only one statement writes, that is one by itself."""
        whole = any(job.kind not in _NO_TRANSACTION for job in batch.jobs)
        if whole:
            await connection.execute(self._sql["begin"])
        await self._work.do(connection, batch)
        if whole:
            self.doubt = batch
            await connection.execute(self._sql["commit"])
        self.committed(batch)

    def committed(self, batch: Batch) -> None:
        """It is durable."""
        self.doubt = None
        self._work.committed(batch)
