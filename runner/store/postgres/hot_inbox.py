"""Accepting and finding messages, many at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from runner.ports.mail import (
    Acceptance,
    NewInbound,
    StoredStep,
    Work,
)
from runner.store.postgres.connection import Connection, keepable
from runner.store.postgres.jobs import AskedNext, Batch, Job, Kind
from runner.store.queries import Queries
from runner.store.rows import state_from
from runner.store.rules import LONGEST_POSTPONED_MS, turn_id

Row = Sequence[Any]


def event_key(message: NewInbound) -> tuple[object, ...]:
    """What no two messages of a transaction have in common."""
    return (message.bot, message.channel, message.account, keepable(message.event_id))


class HotInbox:
    """Jobs on the table `inbox`."""

    def __init__(self, sql: Queries) -> None:
        self._sql = sql

    async def accept(self, connection: Connection, batch: Batch) -> None:
        """As `Store.accept`."""
        jobs = batch.of(Kind.ACCEPT)
        for job in jobs:
            job.result = None
        while waiting := [job for job in jobs if job.result is None]:
            await self._accept(connection, batch, waiting)

    async def _accept(self, connection: Connection, batch: Batch, jobs: Sequence[Job[NewInbound]]) -> None:
        asked = [job.asked for job in jobs]
        rows = await connection.fetch(
            self._sql["accept"],
            *_event_columns(asked),
            [one.lane for one in asked],
            [one.payload for one in asked],
            [one.at_ms for one in asked],
        )
        for place, inbox_id, fresh, finished, number in rows:
            jobs[place - 1].result = Acceptance(inbox_id, fresh, finished)
            batch.wrote(number)
        # Those without a row were written by another daemon at the same instant: they are found now.
        await self._find(connection, [job for job in jobs if job.result is None])

    async def seen(self, connection: Connection, batch: Batch) -> None:
        """As `Store.seen`."""
        await self._find(connection, batch.of(Kind.SEEN))

    async def _find(self, connection: Connection, jobs: Sequence[Job[NewInbound]]) -> None:
        if not jobs:
            return
        rows = await connection.fetch(self._sql["seen"], *_event_columns([job.asked for job in jobs]))
        for place, inbox_id, finished in rows:
            jobs[place - 1].result = Acceptance(inbox_id, fresh=False, finished=finished)

    async def next(self, connection: Connection, batch: Batch) -> None:
        """As `LaneSession.next`."""
        jobs: Sequence[Job[AskedNext]] = batch.of(Kind.NEXT)
        if not jobs:
            return
        rows = await connection.fetch(
            self._sql["next"],
            [job.asked.lane.name for job in jobs],
            [job.asked.now_ms for job in jobs],
            [job.asked.now_ms + LONGEST_POSTPONED_MS for job in jobs],
        )
        found = {row[0]: row for row in rows}
        for place, job in enumerate(jobs, 1):
            row = found.get(place)
            job.result = None if row is None else work_from(job.asked.lane.name, row)
            if row is not None:
                job.asked.lane.since, job.asked.lane.working = row[1:3]
            else:
                job.asked.lane.working = None

    async def steps(self, connection: Connection, batch: Batch) -> None:
        """As `LaneSession.steps`."""
        jobs: Sequence[Job[str]] = batch.of(Kind.STEPS)
        if not jobs:
            return
        rows = await connection.fetch(self._sql["steps"], [job.asked for job in jobs])
        for place, attempts, numbers, payloads in rows:
            jobs[place - 1].result = (steps_from(numbers, payloads), attempts)


def _event_columns(asked: Sequence[NewInbound]) -> list[list[str]]:
    return [
        [one.bot for one in asked],
        [one.channel for one in asked],
        [one.account for one in asked],
        [one.event_id for one in asked],
    ]


def work_from(lane: str, row: Iterable[Any]) -> Work:
    """A row of `next` as a value."""
    _, _, inbox_id, bot, channel, payload, accepted_ms, attempts, numbers, payloads, history, *state = row
    return Work(
        inbox_id=inbox_id,
        bot=bot,
        channel=channel,
        lane=lane,
        payload=payload,
        accepted_ms=accepted_ms,
        turn=turn_id(inbox_id),
        conversation=None if state[0] is None else state_from(state),
        history=tuple(history),
        steps=steps_from(numbers, payloads),
        attempts_used=attempts,
    )


def steps_from(numbers: Sequence[int], payloads: Sequence[str]) -> tuple[StoredStep, ...]:
    """Two arrays as values."""
    return tuple(StoredStep(*step) for step in zip(numbers, payloads, strict=True))
