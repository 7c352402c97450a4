"""Units on kept answers and on heads that were made ahead."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from runner.money.amounts import Money
from runner.ports.answers import MOST_ANSWERS, KeptAnswer
from runner.ports.mail import PreparedHead
from runner.store.sqlite.queries import Queries

ANSWERS_AT_ONCE = 500


class AnswerRows:
    """The table `kept_answers`, and the heads in `conversations`."""

    def __init__(self, sql: Queries) -> None:
        self._sql = sql

    def kept(self, connection: sqlite3.Connection, key: str, now_ms: int) -> KeptAnswer | None:
        """As `AnswerStore.kept_answer`."""
        row = connection.execute(self._sql["kept_answer"], (key, now_ms)).fetchone()
        if row is None:
            return None
        found, bot, text, cost, made_ms, until_ms = row
        return KeptAnswer(found, bot, text, Money(cost), made_ms, until_ms)

    def keep(self, connection: sqlite3.Connection, answer: KeptAnswer) -> None:
        """As `AnswerStore.keep_answer`."""
        connection.execute(
            self._sql["keep_answer"],
            (answer.key, answer.bot, answer.text, answer.cost, answer.made_ms, answer.until_ms),
        )
        connection.execute(self._sql["drop_oldest_answers"], (answer.bot, MOST_ANSWERS))

    def forget(self, connection: sqlite3.Connection, bot: str | None) -> int:
        """All of a bot's, or of every bot's; how many there were."""
        if bot is None:
            return connection.execute(self._sql["forget_all_answers"]).rowcount
        return connection.execute(self._sql["forget_answers_of_bot"], (bot,)).rowcount

    def forget_old(self, connection: sqlite3.Connection, until_ms: int) -> int:
        """Some of those whose time is over by then; 0: nothing was left to do."""
        return connection.execute(self._sql["forget_old_answers"], (until_ms, ANSWERS_AT_ONCE)).rowcount

    def prepare_head(self, connection: sqlite3.Connection, conversation: str, head: PreparedHead) -> None:
        """As `AnswerStore.prepare_head`."""
        asked = {"conversation": conversation, "first_seq": head.first_seq, "text": head.text}
        connection.execute(self._sql["prepare_head"], asked)

    def forget_heads(self, connection: sqlite3.Connection, conversations: Sequence[str]) -> None:
        """The summaries in these conversations, for something was forgotten of what they sum up."""
        connection.execute(self._sql["forget_heads"], (json.dumps(conversations),))
