"""Parts of replies on their way, many at once."""

from __future__ import annotations

from collections.abc import Sequence

from runner.errors import IllegalStep
from runner.ports.mail import LEGAL_OUTBOX_STEPS, OutboxState
from runner.store.postgres.connection import Connection
from runner.store.postgres.jobs import AskedEnd, Batch, Job, Kind
from runner.store.queries import Queries
from runner.store.rules import check_end_of_sending


class HotOutbox:
    """Jobs on the table `outbox`."""

    def __init__(self, sql: Queries) -> None:
        self._sql = sql
        self._legal = [
            f"{now} {then}" for now, steps in LEGAL_OUTBOX_STEPS.items() for then in steps if _ends(now, then)
        ]

    async def begin(self, connection: Connection, batch: Batch, daemon: int | None) -> None:
        """As `Store.begin_sending`: each job's parts all together or none of them."""
        jobs: Sequence[Job[tuple[int, ...]]] = batch.of(Kind.BEGIN_SENDING)
        ids = [part for job in jobs for part in job.asked]
        if not ids:
            return
        rows = await connection.fetch(self._sql["sends_to_begin"], ids)
        ready = {part for part, state, waits in rows if state == OutboxState.PENDING and not waits}
        begun: list[int] = []
        for job in jobs:
            if len(set(job.asked)) == len(job.asked) and ready.issuperset(job.asked):
                begun += job.asked
            else:
                job.refuse(
                    IllegalStep(
                        f"of the parts {list(job.asked)} not all may go now: pending, none before them"
                    )
                )
        if begun:
            for row in await connection.fetch(self._sql["begin_sends"], begun, daemon):
                batch.wrote(row[0])

    async def end(self, connection: Connection, batch: Batch, daemon: int | None) -> None:
        """As `Store.end_sending`; what another daemon is sending is that one's to end."""
        jobs: Sequence[Job[AskedEnd]] = batch.of(Kind.END_SENDING)
        if not jobs:
            return
        rows = await connection.fetch(
            self._sql["end_sends"],
            [job.asked.id for job in jobs],
            [str(job.asked.state) for job in jobs],
            [job.asked.why for job in jobs],
            [job.asked.due_ms if job.asked.state is OutboxState.PENDING else 0 for job in jobs],
            self._legal,
            daemon,
        )
        ended = set()
        for part, transaction in rows:
            ended.add(part)
            batch.wrote(transaction)
        await self._refuse(connection, [job for job in jobs if job.asked.id not in ended])

    async def _refuse(self, connection: Connection, jobs: Sequence[Job[AskedEnd]]) -> None:
        if not jobs:
            return
        rows = await connection.fetch(self._sql["outbox_states"], [job.asked.id for job in jobs])
        states = {part: OutboxState(state) for part, state in rows}
        for job in jobs:
            now = states.get(job.asked.id)
            legal = now is not None and f"{now} {job.asked.state}" in self._legal
            why = "another daemon sends it" if legal else f"it cannot go from {now} to {job.asked.state}"
            job.refuse(IllegalStep(f"part {job.asked.id} of a reply: {why}"))


def _ends(now: OutboxState, then: OutboxState) -> bool:
    try:
        check_end_of_sending(now, then)
    except IllegalStep:
        return False
    return True
