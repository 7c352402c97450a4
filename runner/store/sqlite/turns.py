"""Units on turns and their steps, conversations and their messages."""

from __future__ import annotations

import sqlite3

from runner.errors import IllegalStep
from runner.ports.mail import ConversationState, FinishedTurn, StoredStep
from runner.ports.stores import TurnRecord
from runner.store.rules import first_tries, heads_after
from runner.store.sqlite.inbox import state_from
from runner.store.sqlite.queries import Queries
from runner.store.sqlite.traffic import TrafficRows


class TurnRows:
    """The tables `turns`, `steps`, `conversations` and `messages`; a turn that ends is counted as traffic."""

    def __init__(self, sql: Queries) -> None:
        self._sql = sql
        self._traffic = TrafficRows(sql)

    def save_step(self, connection: sqlite3.Connection, turn: str, step: StoredStep) -> None:
        """As `LaneSession.save_step`."""
        done = connection.execute(self._sql["save_step"], (turn, step.number, step.payload))
        if done.rowcount != 1:
            raise IllegalStep(f"turn {turn} has a step {step.number} already")

    def finish(self, connection: sqlite3.Connection, turn: FinishedTurn) -> tuple[int, ...]:
        """As `LaneSession.finish`."""
        done = connection.execute(self._sql["finish_message"], (turn.at_ms, turn.inbox_id)).fetchall()
        if not done:
            raise IllegalStep(f"message {turn.inbox_id} is done already or was never there")
        begun = connection.execute(self._sql["conversation_state"], (turn.conversation.id,)).fetchone()
        self._remember(connection, turn, None if begun is None else state_from(begun))
        [(accepted_ms,)] = done
        self._traffic.count(connection, turn, accepted_ms, begins=begun is None)
        state = turn.first_state
        ids = []
        for part in turn.outbox:
            added = connection.execute(
                self._sql["add_outgoing"],
                (turn.inbox_id, part.bot, part.channel, part.place, part.payload, state, first_tries(state)),
            )
            ids.append(int(added.lastrowid or 0))
        return tuple(ids)

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
