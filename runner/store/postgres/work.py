"""What a transaction of a writer does, in the one order that all daemons keep, so that none waits for another for ever.

messages in ─▶ reads ─▶ steps, ends of turns ─▶ messages out ─▶ scopes, ledger, counters ─▶ traffic
"""

from __future__ import annotations

from collections.abc import Callable

from runner.ports.books import Settlement
from runner.store.postgres.books import Reservation
from runner.store.postgres.connection import Connection
from runner.store.postgres.hot_inbox import HotInbox
from runner.store.postgres.hot_money import HotMoney, OpenHolds
from runner.store.postgres.hot_outbox import HotOutbox
from runner.store.postgres.hot_turns import HotTurns
from runner.store.postgres.jobs import Batch, Job, Kind
from runner.store.postgres.run_rows import RunRows
from runner.store.queries import Queries


class Work:
    """Does batches on a connection, between BEGIN and COMMIT.

    Args:
        daemon: our number, that holds and sends are written with; None: not known yet.
    """

    def __init__(
        self, sql: Queries, runs: RunRows, known: OpenHolds, daemon: Callable[[], int | None]
    ) -> None:
        self._inbox = HotInbox(sql)
        self._turns = HotTurns(sql, runs)
        self._outbox = HotOutbox(sql)
        self._money = HotMoney(sql, known)
        self._daemon = daemon

    async def do(self, connection: Connection, batch: Batch) -> None:
        """Do all jobs of a batch; each has a result or an error then.

        Raises:
            Restart: not so: what was written must be undone, and the same done without the jobs refused since.
        """
        daemon = self._daemon()
        await self._inbox.accept(connection, batch)
        await self._inbox.seen(connection, batch)
        await self._inbox.next(connection, batch)
        await self._inbox.steps(connection, batch)
        for job in batch.of(Kind.PLAIN):
            job.result = await job.asked(connection)
        rows = await self._money.rows(connection, batch)
        await self._turns.save_steps(connection, batch, _paid(batch, rows))
        ended = await self._turns.finish(connection, batch)
        await self._outbox.end(connection, batch, daemon)
        await self._turns.file(connection, batch, daemon)
        await self._outbox.begin(connection, batch, daemon)
        await self._money.settle_and_hold(connection, batch, rows, daemon)
        await self._turns.count(connection, ended)

    def committed(self, batch: Batch) -> None:
        """All of it is durable."""
        self._money.committed(batch)
        for job in batch.of(Kind.FINISH):
            if job.lane is not None:
                job.lane.working = None
        for job in batch.jobs:
            job.done = job.error is None


def _paid(batch: Batch, rows: dict[str, Reservation]) -> list[tuple[Job[Settlement], str]]:
    """Settlements whose reply is stored as a step, with their turns."""
    return [
        (job, rows[job.asked.attempt_id].turn) for job in batch.of(Kind.SETTLE) if job.asked.step is not None
    ]
