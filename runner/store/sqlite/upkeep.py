"""Units that forget: some rows at a time, so that no message waits behind a large clean-up."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence

from runner.store.sqlite.answers import AnswerRows
from runner.store.sqlite.queries import Queries

MESSAGES_AT_ONCE = 500
CONVERSATIONS_AT_ONCE = 50
TURNS_AT_ONCE = 200


class Upkeep:
    """What is old enough goes. Each unit returns the rows removed; 0: nothing was left to do."""

    def __init__(self, sql: Queries, answers: AnswerRows) -> None:
        self._sql = sql
        self._answers = answers

    def forget_messages(self, connection: sqlite3.Connection, finished_before_ms: int) -> int:
        """Some finished inbox rows, with their steps and what of their replies needs no more care."""
        found = connection.execute(self._sql["forgettable_messages"], (finished_before_ms, MESSAGES_AT_ONCE))
        ids = [row[0] for row in found]
        return self._run(connection, ids, ("forget_steps", "forget_outgoing", "forget_inbound"))

    def forget_conversations(self, connection: sqlite3.Connection, before_ms: int) -> int:
        """Some idle conversations, with their messages and turns."""
        found = connection.execute(self._sql["forgettable_conversations"], (before_ms, CONVERSATIONS_AT_ONCE))
        return self._forget_whole(connection, [row[0] for row in found])

    def forget_active_users(self, connection: sqlite3.Connection, before_day: int) -> int:
        """Who was active on the oldest day, where that is before this one."""
        return connection.execute(self._sql["forget_active_users"], (before_day,)).rowcount

    def forget_user(self, connection: sqlite3.Connection, bot: str | None, user: str) -> int:
        """Some turns of a user with all that was said in them; conversations that nothing is left of go too."""
        asked = {"bot": bot, "user": user, "limit": TURNS_AT_ONCE}
        return self._forget_turns(connection, connection.execute(self._sql["forgettable_turns"], asked))

    def forget_conversation(self, connection: sqlite3.Connection, conversation: str) -> int:
        """Some turns of a conversation, then the conversation itself."""
        asked = (conversation, TURNS_AT_ONCE)
        found = connection.execute(self._sql["forgettable_turns_of_conversation"], asked)
        return self._forget_turns(connection, found, conversation)

    def _forget_turns(
        self, connection: sqlite3.Connection, rows: Iterable[tuple[str, int, str]], *also: str
    ) -> int:
        """These turns (turn, message, conversation); of their conversations and `also` those that are empty then."""
        found = list(rows)
        turns, letters, talks = ([row[place] for row in found] for place in range(3))
        removed = self._run(connection, turns, ("forget_messages_of_turns", "forget_these_turns"))
        removed += self._run(connection, letters, ("forget_steps", "forget_outgoing", "forget_inbound"))
        touched = sorted({*map(str, talks), *also})
        emptied = connection.execute(self._sql["emptied_conversations"], (json.dumps(touched),))
        empty = [row[0] for row in emptied]
        removed += self._run(connection, empty, ("forget_messages",))
        self._run(connection, touched, ("count_what_is_left",))
        self._answers.forget_heads(connection, touched)
        idle = connection.execute(self._sql["conversations_without_work"], (json.dumps(empty),))
        return removed + self._forget_whole(connection, [row[0] for row in idle])

    def _forget_whole(self, connection: sqlite3.Connection, conversations: list[str]) -> int:
        self._run(connection, conversations, ("forget_conversation_sums",))
        return self._run(
            connection, conversations, ("forget_messages", "forget_turns", "forget_conversations")
        )

    def _run(self, connection: sqlite3.Connection, ids: Sequence[object], queries: tuple[str, ...]) -> int:
        asked = json.dumps(ids)
        return sum(connection.execute(self._sql[query], (asked,)).rowcount for query in queries)
