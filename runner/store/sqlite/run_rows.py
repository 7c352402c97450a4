"""Units on the tables `runs`, `errands`, `handoffs` and `memories`.

Rule: what an errand becomes and what a decision sets off is written by the unit that ends what it came from.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from runner.errors import IllegalStep
from runner.ports.mail import FinishedTurn, NewInbound
from runner.ports.runs import (
    ERRAND_ACCOUNT,
    MOST_MEMORIES,
    Decision,
    Errand,
    Handoff,
    RunRecord,
)
from runner.store.rows import handoff_from
from runner.store.sqlite.inbox import InboxRows
from runner.store.sqlite.queries import Queries

AT_ONCE = 500
_OF_USER = (
    "forget_errands_of_user",
    "forget_handoffs_of_user",
    "forget_runs_of_user",
    "forget_memories_of_user",
)
_OF_CONVERSATION = (
    "forget_errands_of_conversation",  # found by their runs, so they go first
    "forget_handoffs_of_conversation",
    "forget_runs_of_conversation",
)
_OLD = ("forget_old_runs", "forget_old_handoffs")


class RunRows:
    """Units on runs, errands and hand-offs."""

    def __init__(self, sql: Queries, inbox: InboxRows) -> None:
        self._sql = sql
        self._inbox = inbox

    def end_turn(self, connection: sqlite3.Connection, turn: FinishedTurn) -> None:
        """What a turn's end leaves behind of a run."""
        if turn.run is not None:
            self._save(connection, turn.run)
        for errand in turn.errands:
            self.owe(connection, errand)
        if turn.handoff is not None:
            self._ask(connection, turn.handoff)

    def owe(self, connection: sqlite3.Connection, errand: Errand) -> bool:
        """As `RunStore.owe`."""
        asked = {
            "key": errand.key,
            "bot": errand.bot,
            "channel": errand.channel,
            "lane": errand.lane,
            "payload": errand.payload,
            "due_ms": errand.due_ms,
            "run": errand.run,
            "user": errand.user,
            "account": ERRAND_ACCOUNT,
        }
        return connection.execute(self._sql["owe_errand"], asked).rowcount == 1

    def send(self, connection: sqlite3.Connection, key: str, now_ms: int) -> int | None:
        """As `RunStore.send_errand`."""
        taken = connection.execute(self._sql["take_errand"], (key,)).fetchall()
        for bot, channel, lane, payload in taken:
            row = NewInbound(bot, channel, ERRAND_ACCOUNT, key, lane, payload, now_ms)
            accepted = self._inbox.accept(connection, row)
            return accepted.inbox_id if accepted.fresh else None
        return None

    def decide(
        self,
        connection: sqlite3.Connection,
        decided: tuple[str, Decision, str, str, int],
        errand: Errand,
    ) -> Handoff:
        """As `RunStore.decide`; `decided`: hand-off, decision, by, comment, when."""
        handoff, decision, by, comment, now_ms = decided
        written = connection.execute(self._sql["decide"], (decision, by, comment, now_ms, handoff))
        found = self.handoff(connection, handoff)
        if written.rowcount != 1 or found is None:
            raise IllegalStep(f"hand-off {handoff} is decided already or was never there")
        self.owe(connection, errand)
        return found

    def handoff(self, connection: sqlite3.Connection, handoff: str) -> Handoff | None:
        """As `RunStore.handoff`."""
        row = connection.execute(self._sql["handoff"], (handoff,)).fetchone()
        return None if row is None else handoff_from(row)

    def remember(
        self, connection: sqlite3.Connection, bot: str, owner: str, key: str, value: str | None, at_ms: int
    ) -> None:
        """As `RunStore.remember`."""
        if value is None:
            connection.execute(self._sql["forget_memory"], (bot, owner, key))
            return
        connection.execute(self._sql["remember"], (bot, owner, key, value, at_ms))
        connection.execute(self._sql["drop_oldest_memories"], (bot, owner, MOST_MEMORIES))

    # ── forgetting: some rows at a time; 0: nothing was left to do ─────────────────────────────────────────
    def forget_old(self, connection: sqlite3.Connection, before_ms: int) -> int:
        """Some runs that do not wait and some hand-offs that were decided before that."""
        return self._forget(connection, _OLD, before_ms=before_ms)

    def forget_user(self, connection: sqlite3.Connection, bot: str | None, user: str) -> int:
        """Some of what is kept of a user's runs, and what is remembered of the user."""
        return self._forget(connection, _OF_USER, bot=bot, user=user)

    def forget_conversation(self, connection: sqlite3.Connection, conversation: str) -> int:
        """Some of what is kept of a conversation's runs."""
        return self._forget(connection, _OF_CONVERSATION, conversation=conversation)

    def _forget(self, connection: sqlite3.Connection, queries: Sequence[str], **which: object) -> int:
        asked = {**which, "limit": AT_ONCE}
        for query in queries:
            if removed := connection.execute(self._sql[query], asked).rowcount:
                return removed
        return 0

    def _save(self, connection: sqlite3.Connection, run: RunRecord) -> None:
        connection.execute(
            self._sql["save_run"],
            (
                *(run.id, run.bot, run.conversation, run.channel, run.user, run.status, run.started_ms),
                *(run.at_ms, run.state, run.trace, run.turn, run.waiting_for),
            ),
        )

    def _ask(self, connection: sqlite3.Connection, handoff: Handoff) -> None:
        h = handoff
        asked = connection.execute(
            self._sql["save_handoff"],
            (
                *(h.id, h.run, h.bot, h.conversation, h.channel, h.lane, h.user, h.reason, h.errand),
                *(h.asked_ms, h.decision, h.by, h.comment, h.decided_ms),
            ),
        )
        if asked.rowcount != 1:
            raise IllegalStep(f"hand-off {handoff.id} is there already")
