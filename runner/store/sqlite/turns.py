"""Units on turns and their steps, conversations and their messages."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from runner.errors import IllegalStep
from runner.ports.mail import ConversationState, Filed, FinishedTurn, NewOutbound, OutboxState, StoredStep
from runner.ports.stores import TurnRecord
from runner.store.rows import state_from
from runner.store.rules import first_tries, heads_after, inbox_of
from runner.store.sqlite.queries import Queries
from runner.store.sqlite.run_rows import RunRows
from runner.store.sqlite.traffic import TrafficRows


class TurnRows:
    """The tables `turns`, `steps`, `conversations` and `messages`; a turn that ends is counted as traffic."""

    def __init__(self, sql: Queries, runs: RunRows) -> None:
        self._sql = sql
        self._traffic = TrafficRows(sql)
        self._runs = runs

    def save_step(
        self,
        connection: sqlite3.Connection,
        turn: str,
        step: StoredStep,
        outbox: Sequence[NewOutbound] = (),
        first_state: OutboxState = OutboxState.PENDING,
    ) -> tuple[Filed, ...]:
        """As `LaneSession.save_step`."""
        done = connection.execute(self._sql["save_step"], (turn, step.number, step.payload))
        if done.rowcount != 1:
            raise IllegalStep(f"turn {turn} has a step {step.number} already")
        return self._send(connection, inbox_of(turn), outbox, first_state) if outbox else ()

    def steps(self, connection: sqlite3.Connection, turn: str) -> tuple[tuple[StoredStep, ...], int]:
        """As `LaneSession.steps`."""
        steps = tuple(StoredStep(*row) for row in connection.execute(self._sql["steps"], (turn,)))
        [(attempts,)] = connection.execute(self._sql["attempts_of_turn"], (turn,)).fetchall()
        return steps, attempts

    def finish(self, connection: sqlite3.Connection, turn: FinishedTurn) -> tuple[Filed, ...]:
        """As `LaneSession.finish`."""
        done = connection.execute(self._sql["finish_message"], (turn.at_ms, turn.inbox_id)).fetchall()
        if not done:
            raise IllegalStep(f"message {turn.inbox_id} is done already or was never there")
        begun = connection.execute(self._sql["conversation_state"], (turn.conversation.id,)).fetchone()
        self._remember(connection, turn, None if begun is None else state_from(begun))
        [(accepted_ms,)] = done
        self._traffic.count(connection, turn, accepted_ms, begins=begun is None)
        self._runs.end_turn(connection, turn)
        return self._send(connection, turn.inbox_id, turn.outbox, turn.first_state)

    def _send(
        self,
        connection: sqlite3.Connection,
        inbox_id: int,
        parts: Sequence[NewOutbound],
        state: OutboxState,
    ) -> tuple[Filed, ...]:
        filed = []
        for part in parts:
            added = connection.execute(
                self._sql["add_outgoing"],
                (inbox_id, part.bot, part.channel, part.place, part.payload, state, first_tries(state)),
            )
            filed.append(Filed(int(added.lastrowid or 0), state))
        return tuple(filed)

    def _remember(
        self, connection: sqlite3.Connection, turn: FinishedTurn, before: ConversationState | None
    ) -> None:
        now = turn.conversation
        head, prepared = heads_after(before, now)
        added = len(turn.messages)
        [(next_seq,)] = connection.execute(
            self._sql["save_conversation"],
            (
                *(now.id, turn.lane, turn.bot, turn.channel, turn.user, now.started_ms, now.last_ms),
                *(now.first_seq, now.tier, head),
                *((None, None) if prepared is None else (prepared.first_seq, prepared.text)),
                *(added, added),
            ),
        ).fetchall()
        for number, message in enumerate(turn.messages, next_seq - added):
            connection.execute(self._sql["add_message"], (now.id, number, message))
        connection.execute(
            self._sql["save_turn"],
            (
                turn.turn,
                turn.bot,
                turn.channel,
                now.id,
                turn.user,
                turn.stop_reason,
                turn.at_ms,
                turn.report,
                next_seq - added,
                added,
            ),
        )

    def turn(self, connection: sqlite3.Connection, turn: str) -> TurnRecord | None:
        """As `Store.turn`."""
        row = connection.execute(self._sql["turn"], (turn,)).fetchone()
        return None if row is None else TurnRecord(*row)
