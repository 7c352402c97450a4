"""Units on accepted messages: each is a function of a connection, run by the writer in a transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection

from runner.clock import is_due
from runner.errors import IllegalStep
from runner.ports.mail import (
    Acceptance,
    NewInbound,
    StoredStep,
    Work,
)
from runner.store.rows import state_from
from runner.store.rules import LONGEST_POSTPONED_MS, shares, turn_id
from runner.store.sqlite.queries import Queries


class InboxRows:
    """The table `inbox`."""

    def __init__(self, sql: Queries) -> None:
        self._sql = sql

    def accept(self, connection: sqlite3.Connection, message: NewInbound) -> Acceptance:
        """As `Store.accept`."""
        done = connection.execute(
            self._sql["accept"],
            (
                message.bot,
                message.channel,
                message.account,
                message.event_id,
                message.lane,
                message.payload,
                message.at_ms,
            ),
        )
        if done.rowcount == 1 and done.lastrowid is not None:
            return Acceptance(done.lastrowid, fresh=True)
        earlier = self.seen(connection, message)
        if earlier is None:
            raise IllegalStep("a message that is there cannot be found")
        return earlier

    def seen(self, connection: sqlite3.Connection, message: NewInbound) -> Acceptance | None:
        """As `Store.seen`."""
        row = connection.execute(
            self._sql["seen"], (message.bot, message.channel, message.account, message.event_id)
        ).fetchone()
        return None if row is None else Acceptance(row[0], fresh=False, finished=bool(row[1]))

    def waiting_lanes(
        self,
        connection: sqlite3.Connection,
        bots: Collection[str],
        exclude: Collection[str],
        limit: int,
        now_ms: int,
    ) -> list[str]:
        """As `Store.waiting_lanes`."""
        asked = {
            "bots": json.dumps(list(bots)),
            "exclude": json.dumps(list(exclude)),
            "limit": limit,
            "now_ms": now_ms,
            "too_late_ms": now_ms + LONGEST_POSTPONED_MS,
        }
        for each in shares(limit, len(bots)):
            rows = connection.execute(self._sql["waiting_lanes"], {**asked, "each": each}).fetchall()
            if len(rows) == limit or all(number < each for _, number in rows):
                break
        return [lane for lane, _ in rows]

    def next(self, connection: sqlite3.Connection, lane: str, now_ms: int) -> Work | None:
        """As `LaneSession.next`."""
        head = connection.execute(self._sql["head"], (lane,)).fetchone()
        if head is None or not is_due(head[0], now_ms, LONGEST_POSTPONED_MS):
            return None
        _, inbox_id, bot, channel, payload, accepted_ms, attempts, *state = head
        turn = turn_id(inbox_id)
        conversation = None if state[0] is None else state_from(state)
        history: tuple[str, ...] = ()
        if conversation is not None:
            rows = connection.execute(self._sql["history"], (conversation.id, conversation.first_seq))
            history = tuple(row[0] for row in rows)
        return Work(
            inbox_id=inbox_id,
            bot=bot,
            channel=channel,
            lane=lane,
            payload=payload,
            accepted_ms=accepted_ms,
            turn=turn,
            conversation=conversation,
            history=history,
            steps=tuple(StoredStep(*row) for row in connection.execute(self._sql["steps"], (turn,))),
            attempts_used=attempts,
        )

    def postpone(self, connection: sqlite3.Connection, inbox_id: int, until_ms: int) -> None:
        """As `LaneSession.postpone`."""
        if connection.execute(self._sql["postpone"], (until_ms, inbox_id)).rowcount != 1:
            raise IllegalStep(f"message {inbox_id} does not wait: it is done or was never there")

    def waiting(self, connection: sqlite3.Connection) -> list[tuple[str, int, int]]:
        """Each bot with messages that are not done: how many, and when the oldest was accepted, Unix ms."""
        return connection.execute(self._sql["waiting_by_bot"]).fetchall()
