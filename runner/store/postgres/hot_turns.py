"""Steps and ends of turns, many at once, and the parts of replies that they file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runner.errors import IllegalStep
from runner.ports.books import Settlement
from runner.ports.mail import (
    ConversationState,
    Filed,
    FinishedTurn,
    NewOutbound,
    OutboxState,
    PreparedHead,
    StoredStep,
)
from runner.store.days import day_of
from runner.store.postgres.connection import Connection
from runner.store.postgres.jobs import AskedStep, Batch, Job, Kind, Restart
from runner.store.postgres.run_rows import RunRows
from runner.store.queries import Queries
from runner.store.rows import state_from
from runner.store.rules import heads_after, inbox_of


@dataclass(frozen=True, slots=True)
class Ended:
    """A turn that ends now. `first_seq`: of its messages; `begins`: it is the first of its conversation."""

    turn: FinishedTurn
    accepted_ms: int
    begins: bool
    first_seq: int
    head: str
    prepared: PreparedHead | None


class HotTurns:
    """Jobs on `steps`, `turns`, `conversations`, `messages`, and what they add to `outbox` and to the traffic."""

    def __init__(self, sql: Queries, runs: RunRows) -> None:
        self._sql = sql
        self._runs = runs

    async def save_steps(
        self,
        connection: Connection,
        batch: Batch,
        paid: Sequence[tuple[Job[Settlement], str]],
    ) -> None:
        """As `LaneSession.save_step`, without what it sends; `paid`: settlements with a step, and their turns."""
        asked: list[tuple[Job[AskedStep] | Job[Settlement], str, StoredStep]] = [
            (job, job.asked.turn, job.asked.step) for job in batch.of(Kind.SAVE_STEP)
        ]
        asked += [(job, turn, job.asked.step) for job, turn in paid if job.asked.step is not None]
        if not asked:
            return
        first: dict[tuple[str, int], object] = {}
        for job, turn, step in asked:
            first.setdefault((turn, step.number), job)
        wanted = [(turn, step) for job, turn, step in asked if first[turn, step.number] is job]
        rows = await connection.fetch(
            self._sql["save_steps"],
            [turn for turn, _ in wanted],
            [step.number for _, step in wanted],
            [step.payload for _, step in wanted],
        )
        saved = set()
        for turn, number, transaction in rows:
            saved.add((turn, number))
            batch.wrote(transaction)
        for job, turn, step in asked:
            if (turn, step.number) not in saved or first[turn, step.number] is not job:
                job.refuse(IllegalStep(f"turn {turn} has a step {step.number} already"))

    async def finish(self, connection: Connection, batch: Batch) -> list[Ended]:
        """As `LaneSession.finish`, without what it sends and its traffic; those that end."""
        jobs: Sequence[Job[FinishedTurn]] = batch.of(Kind.FINISH)
        if not jobs:
            return []
        turns = [job.asked for job in jobs]
        rows = await connection.fetch(
            self._sql["finish_messages"],
            [turn.inbox_id for turn in turns],
            [turn.at_ms for turn in turns],
            [turn.conversation.id for turn in turns],
        )
        found = {row[0]: row for row in rows}
        ended = []
        for place, job in enumerate(jobs, 1):
            row = found.get(place)
            if row is None:
                job.refuse(IllegalStep(f"message {job.asked.inbox_id} is done already or was never there"))
                continue
            _, accepted_ms, *state, transaction = row
            batch.wrote(transaction)
            ended.append(_ended(job.asked, accepted_ms, None if state[0] is None else state_from(state)))
        if ended:
            await connection.execute(self._sql["end_turns"], *_turn_columns(ended))
        await self._end_runs(connection, batch)
        return ended

    async def _end_runs(self, connection: Connection, batch: Batch) -> None:
        """What workflows leave: few turns have any, so one after the other."""
        for job in batch.of(Kind.FINISH):
            turn: FinishedTurn = job.asked
            if turn.run is not None or turn.errands or turn.handoff is not None:
                try:
                    await self._runs.end_turn(connection, turn)
                except IllegalStep as refused:
                    job.refuse(refused)
                    raise Restart from None

    async def file(self, connection: Connection, batch: Batch, daemon: int | None) -> None:
        """The parts of replies of these turns and steps; each job's result is how its own are filed."""
        parts: list[tuple[int, NewOutbound, OutboxState]] = []
        owners: list[Job[AskedStep] | Job[FinishedTurn]] = []
        for job in batch.of(Kind.SAVE_STEP):
            _add(batch, parts, inbox_of(job.asked.turn), job.asked.outbox, job.asked.first_state)
            owners += [job] * len(job.asked.outbox)
            job.result = ()
        for job in batch.of(Kind.FINISH):
            _add(batch, parts, job.asked.inbox_id, job.asked.outbox, job.asked.first_state)
            owners += [job] * len(job.asked.outbox)
            job.result = ()
        if not parts:
            return
        rows = await connection.fetch(
            self._sql["add_outgoing"],
            [inbox_id for inbox_id, _, _ in parts],
            [part.bot for _, part, _ in parts],
            [part.channel for _, part, _ in parts],
            [part.place for _, part, _ in parts],
            [part.payload for _, part, _ in parts],
            [str(state) for _, _, state in parts],
            daemon,
        )
        filed = sorted((row[0], row[1]) for row in rows)
        for job, (number, state) in zip(owners, filed, strict=True):
            job.result += (Filed(number, OutboxState(state)),)

    async def count(self, connection: Connection, ended: Sequence[Ended]) -> None:
        """The traffic of turns that end; the last thing of a transaction."""
        if not ended:
            return
        users = [one for one in ended if one.turn.asked]
        sums: dict[tuple[int, str, str], list[int]] = {}
        for one in ended:
            key = (day_of(one.accepted_ms), one.turn.bot, _platform(one.turn))
            counts = sums.setdefault(key, [0, 0, 0, 0])
            counts[0] += int(one.turn.asked)
            counts[1] += len(one.turn.outbox)
            counts[2] += int(one.begins)
            counts[3] = max(counts[3], one.accepted_ms)
        await connection.execute(
            self._sql["count_turns"],
            [day_of(one.accepted_ms) for one in users],
            [one.turn.bot for one in users],
            [_platform(one.turn) for one in users],
            [one.turn.user for one in users],
            [day for day, _, _ in sums],
            [bot for _, bot, _ in sums],
            [platform for _, _, platform in sums],
            *([counts[number] for counts in sums.values()] for number in range(4)),
        )


def _add(
    batch: Batch,
    parts: list[tuple[int, NewOutbound, OutboxState]],
    inbox_id: int,
    outbox: Sequence[NewOutbound],
    state: OutboxState,
) -> None:
    """Parts of one job; they wait where an earlier job of the batch has filed some for their place."""
    places = set()
    for part in outbox:
        place = (part.bot, part.channel, part.place)
        waits = state is OutboxState.SENDING and place in batch.sending
        parts.append((inbox_id, part, OutboxState.PENDING if waits else state))
        places.add(place)
    if state is not OutboxState.SENT:
        batch.sending |= places


def _platform(turn: FinishedTurn) -> str:
    return turn.platform or turn.channel


def _ended(turn: FinishedTurn, accepted_ms: int, before: ConversationState | None) -> Ended:
    head, prepared = heads_after(before, turn.conversation)
    first_seq = 0 if before is None else before.next_seq
    return Ended(turn, accepted_ms, before is None, first_seq, head, prepared)


def _turn_columns(ended: Sequence[Ended]) -> list[list[object]]:
    """Arrays for the query `end_turns`."""
    turns = [one.turn for one in ended]
    states = [turn.conversation for turn in turns]
    said = [
        (one.turn.conversation.id, number, message)
        for one in ended
        for number, message in enumerate(one.turn.messages, one.first_seq)
    ]
    return [
        [state.id for state in states],
        [turn.lane for turn in turns],
        [turn.bot for turn in turns],
        [turn.channel for turn in turns],
        [turn.user for turn in turns],
        [state.started_ms for state in states],
        [state.last_ms for state in states],
        [state.first_seq for state in states],
        [state.tier for state in states],
        [one.head for one in ended],
        [None if one.prepared is None else one.prepared.first_seq for one in ended],
        [None if one.prepared is None else one.prepared.text for one in ended],
        [len(turn.messages) for turn in turns],
        [conversation for conversation, _, _ in said],
        [number for _, number, _ in said],
        [message for _, _, message in said],
        [turn.turn for turn in turns],
        [turn.stop_reason for turn in turns],
        [turn.at_ms for turn in turns],
        [turn.report for turn in turns],
        [one.first_seq for one in ended],
    ]
