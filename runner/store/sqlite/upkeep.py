"""Units that forget: some rows at a time, so that no message waits behind a large clean-up."""

from __future__ import annotations

import json
import sqlite3

from runner.store.sqlite.queries import Queries

MESSAGES_AT_ONCE = 500
CONVERSATIONS_AT_ONCE = 50


class Upkeep:
    """What is old enough goes. Each unit returns the rows removed; 0: nothing was left to do."""

    def __init__(self, sql: Queries) -> None:
        self._sql = sql

    def forget_messages(self, connection: sqlite3.Connection, finished_before_ms: int) -> int:
        """Some finished inbox rows, with their steps and what of their replies needs no more care."""
        return self._forget(
            connection,
            connection.execute(self._sql["forgettable_messages"], (finished_before_ms, MESSAGES_AT_ONCE)),
            ("forget_steps", "forget_outgoing", "forget_inbound"),
        )

    def forget_conversations(self, connection: sqlite3.Connection, before_ms: int) -> int:
        """Some idle conversations, with their messages and turns."""
        return self._forget(
            connection,
            connection.execute(self._sql["forgettable_conversations"], (before_ms, CONVERSATIONS_AT_ONCE)),
            ("forget_messages", "forget_turns", "forget_conversations"),
        )

    def _forget(self, connection: sqlite3.Connection, which: sqlite3.Cursor, queries: tuple[str, ...]) -> int:
        ids = json.dumps([row[0] for row in which])
        return sum(connection.execute(self._sql[query], (ids,)).rowcount for query in queries)
