"""Units on kept answers and on heads that were made ahead."""

from __future__ import annotations

from collections.abc import Sequence

from runner.money.amounts import Money
from runner.ports.answers import MOST_ANSWERS, KeptAnswer
from runner.ports.mail import PreparedHead
from runner.store.postgres.changes import changed
from runner.store.postgres.connection import Connection
from runner.store.queries import Queries

ANSWERS_AT_ONCE = 500


class AnswerRows:
    """The table `kept_answers`, and the heads in `conversations`."""

    def __init__(self, sql: Queries) -> None:
        self._sql = sql

    async def kept(self, connection: Connection, key: str, now_ms: int) -> KeptAnswer | None:
        """As `AnswerStore.kept_answer`."""
        row = await connection.fetchrow(self._sql["kept_answer"], key, now_ms)
        if row is None:
            return None
        found, bot, text, cost, made_ms, until_ms = row
        return KeptAnswer(found, bot, text, Money(cost), made_ms, until_ms)

    async def keep(self, connection: Connection, answer: KeptAnswer) -> None:
        """As `AnswerStore.keep_answer`."""
        a = answer
        await connection.execute(
            self._sql["keep_answer"], a.key, a.bot, a.text, a.cost, a.made_ms, a.until_ms
        )
        await connection.execute(self._sql["drop_oldest_answers"], answer.bot, MOST_ANSWERS)

    async def forget(self, connection: Connection, bot: str | None) -> int:
        """All of a bot's, or of every bot's; how many there were."""
        if bot is None:
            return changed(await connection.execute(self._sql["forget_all_answers"]))
        return changed(await connection.execute(self._sql["forget_answers_of_bot"], bot))

    async def forget_old(self, connection: Connection, until_ms: int) -> int:
        """Some of those whose time is over by then; 0: nothing was left to do."""
        return changed(await connection.execute(self._sql["forget_old_answers"], until_ms, ANSWERS_AT_ONCE))

    async def prepare_head(self, connection: Connection, conversation: str, head: PreparedHead) -> None:
        """As `AnswerStore.prepare_head`."""
        await connection.execute(self._sql["prepare_head"], conversation, head.first_seq, head.text)

    async def forget_heads(self, connection: Connection, conversations: Sequence[str]) -> None:
        """The summaries in these conversations, for something was forgotten of what they sum up."""
        await connection.execute(self._sql["forget_heads"], conversations)
