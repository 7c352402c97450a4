"""Units on parts of replies on their way."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from runner.errors import IllegalStep
from runner.ports.mail import OutboxState, Outgoing
from runner.store.rules import MOST_CRASHES, WHY_AGAIN, WHY_LEFT, check_end_of_sending, check_resend
from runner.store.sqlite.queries import Queries


class OutboxRows:
    """The table `outbox`."""

    def __init__(self, sql: Queries) -> None:
        self._sql = sql

    def begin_sending(self, connection: sqlite3.Connection, ids: Sequence[int]) -> None:
        """As `Store.begin_sending`."""
        for outbox_id in ids:
            if connection.execute(self._sql["begin_sending"], (outbox_id,)).rowcount != 1:
                raise IllegalStep(f"part {outbox_id} is not pending, its sending cannot begin")

    def end_sending(
        self, connection: sqlite3.Connection, outbox_id: int, state: OutboxState, why: str, due_ms: int
    ) -> None:
        """As `Store.end_sending`."""
        check_end_of_sending(self._state(connection, outbox_id), state)
        due = due_ms if state is OutboxState.PENDING else 0
        connection.execute(self._sql["move_outgoing"], (state, why, due, outbox_id))

    def resend(self, connection: sqlite3.Connection, outbox_id: int) -> None:
        """As `Store.resend`."""
        check_resend(self._state(connection, outbox_id))
        connection.execute(self._sql["move_outgoing"], (OutboxState.PENDING, "", 0, outbox_id))

    def outgoing(
        self, connection: sqlite3.Connection, state: OutboxState, limit: int, after_id: int
    ) -> list[Outgoing]:
        """As `Store.outgoing`."""
        if state is OutboxState.SENT:
            return outgoing_from(connection.execute(self._sql["sent"], (after_id, limit)))
        return outgoing_from(connection.execute(self._sql["unsent"], (state, after_id, limit)))

    def answers(self, connection: sqlite3.Connection, inbox_id: int) -> list[Outgoing]:
        """As `Store.answers`."""
        return outgoing_from(connection.execute(self._sql["answers"], (inbox_id,)))

    def recover(self, connection: sqlite3.Connection) -> tuple[int, int]:
        """What a crash left in `sending`: how many go again, how many are left as unknown."""
        left = connection.execute(self._sql["give_up_sending"], (WHY_LEFT, MOST_CRASHES)).rowcount
        again = connection.execute(self._sql["send_again"], (WHY_AGAIN, MOST_CRASHES)).rowcount
        return again, left

    def by_state(self, connection: sqlite3.Connection) -> dict[str, int]:
        """How many are in each state but `sent`."""
        return dict(connection.execute(self._sql["unsent_by_state"]).fetchall())

    def possibly_doubled(self, connection: sqlite3.Connection) -> int:
        """How many a restart found in `sending`."""
        return int(connection.execute(self._sql["possibly_doubled"]).fetchone()[0])

    def _state(self, connection: sqlite3.Connection, outbox_id: int) -> OutboxState | None:
        row = connection.execute(self._sql["outbox_state"], (outbox_id,)).fetchone()
        return None if row is None else OutboxState(row[0])


def outgoing_from(rows: Iterable[Sequence[Any]]) -> list[Outgoing]:
    """Rows of `unsent`, `sent` or `answers` as values."""
    return [
        Outgoing(part, inbox_id, bot, channel, place, payload, OutboxState(state), *rest)
        for part, inbox_id, bot, channel, place, payload, state, *rest in rows
    ]
