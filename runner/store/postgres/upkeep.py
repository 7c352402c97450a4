"""Units that forget: some rows at a time, so that no message waits behind a large clean-up.

Rules: a conversation goes whole only while its lane is held here, as a daemon that works in it would hold it, and has
no work: who enters the lane next finds it gone. Where turns of it go, it is locked first: who ends a turn in it waits,
and what is counted afterwards is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from runner.store.postgres.answers import AnswerRows
from runner.store.postgres.changes import changed
from runner.store.postgres.connection import Connection
from runner.store.queries import Queries

MESSAGES_AT_ONCE = 500
CONVERSATIONS_AT_ONCE = 50
TURNS_AT_ONCE = 200


class Upkeep:
    """What is old enough goes. Each unit returns the rows removed; 0: nothing was left to do."""

    def __init__(self, sql: Queries, answers: AnswerRows) -> None:
        self._sql = sql
        self._answers = answers

    async def forget_messages(self, connection: Connection, finished_before_ms: int) -> int:
        """Some finished inbox rows, with their steps and what of their replies needs no more care."""
        found = await connection.fetch(
            self._sql["forgettable_messages"], finished_before_ms, MESSAGES_AT_ONCE
        )
        ids = [row[0] for row in found]
        return await self._run(connection, ids, ("forget_steps", "forget_outgoing", "forget_inbound"))

    async def forget_conversations(self, connection: Connection, before_ms: int) -> int:
        """Some idle conversations, with their messages and turns."""
        found = await connection.fetch(self._sql["idle_conversations"], before_ms, CONVERSATIONS_AT_ONCE)
        return await self._forget_whole(connection, [row[0] for row in found])

    async def forget_active_users(self, connection: Connection, before_day: int) -> int:
        """Who was active on the oldest day, where that is before this one."""
        return changed(await connection.execute(self._sql["forget_active_users"], before_day))

    async def forget_user(self, connection: Connection, bot: str | None, user: str) -> int:
        """Some turns of a user with all that was said in them; conversations that nothing is left of go too."""
        found = await connection.fetch(self._sql["forgettable_turns"], user, bot, TURNS_AT_ONCE)
        return await self._forget_turns(connection, found)

    async def forget_conversation(self, connection: Connection, conversation: str) -> int:
        """Some turns of a conversation, then the conversation itself."""
        found = await connection.fetch(
            self._sql["forgettable_turns_of_conversation"], conversation, TURNS_AT_ONCE
        )
        return await self._forget_turns(connection, found, conversation)

    async def _forget_turns(self, connection: Connection, rows: Iterable[Iterable[Any]], *also: str) -> int:
        """These turns (turn, message, conversation); of their conversations and `also` those that are empty then."""
        found = [tuple(row) for row in rows]
        turns, letters, talks = ([row[place] for row in found] for place in range(3))
        touched = sorted({*map(str, talks), *also})
        await connection.fetch(self._sql["stop_conversations"], touched)
        removed = await self._run(connection, turns, ("forget_messages_of_turns", "forget_these_turns"))
        removed += await self._run(connection, letters, ("forget_steps", "forget_outgoing", "forget_inbound"))
        emptied = await connection.fetch(self._sql["emptied_conversations"], touched)
        empty = [row[0] for row in emptied]
        removed += await self._run(connection, empty, ("forget_messages",))
        await self._run(connection, touched, ("count_what_is_left",))
        await self._answers.forget_heads(connection, touched)
        return removed + await self._forget_whole(connection, empty)

    async def _forget_whole(self, connection: Connection, conversations: list[str]) -> int:
        """Those of these conversations whose lanes nobody works in and nothing waits in."""
        if not conversations:
            return 0
        lanes = [row[0] for row in await connection.fetch(self._sql["lanes_of"], conversations)]
        ours = [row[0] for row in await connection.fetch(self._sql["hold_lanes"], lanes)]
        found = await connection.fetch(self._sql["conversations_without_work"], conversations, ours)
        idle = [row[0] for row in found]
        await self._run(connection, idle, ("forget_conversation_sums",))
        return await self._run(connection, idle, ("forget_messages", "forget_turns", "forget_conversations"))

    async def _run(self, connection: Connection, ids: Sequence[object], queries: tuple[str, ...]) -> int:
        if not ids:
            return 0
        return sum([changed(await connection.execute(self._sql[query], ids)) for query in queries])
