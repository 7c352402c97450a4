"""Reads of conversations for people: pages of them, and what was said in one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from runner.ports.reports import ConversationLine, Transcript, TranscriptTurn
from runner.ports.stores import TurnRecord
from runner.store.postgres.connection import Connection
from runner.store.queries import Queries

_AFTER_ALL = (2**62, "")
"""What every conversation comes before, as (last_ms, id)."""


class ConversationReads:
    """The tables `conversations`, `turns` and `messages`, each read a function of a connection."""

    def __init__(self, sql: Queries) -> None:
        self._sql = sql

    async def page(
        self,
        connection: Connection,
        bot: str | None,
        user: str | None,
        limit: int,
        before: tuple[int, str] | None,
    ) -> list[ConversationLine]:
        """As `ReportStore.conversations`."""
        asked = (*(before or _AFTER_ALL), limit)
        if user is not None:
            rows = await connection.fetch(self._sql["conversations_of_user"], *asked, bot, user)
        elif bot is not None:
            rows = await connection.fetch(self._sql["conversations_of_bot"], *asked, bot)
        else:
            rows = await connection.fetch(self._sql["conversations"], *asked)
        return [ConversationLine(*row) for row in rows]

    async def transcript(self, connection: Connection, conversation: str, latest: int) -> Transcript | None:
        """As `ReportStore.transcript`."""
        line = await connection.fetchrow(self._sql["conversation"], conversation)
        if line is None:
            return None
        rows = await connection.fetch(self._sql["transcript"], conversation, latest)
        first = min((row[0] for row in rows if row[1]), default=0)
        said = dict(map(tuple, await connection.fetch(self._sql["transcript_messages"], conversation, first)))
        return Transcript(ConversationLine(*line), tuple(_turn_from(row, said) for row in rows))

    async def turn(self, connection: Connection, turn: str) -> TurnRecord | None:
        """As `Store.turn`."""
        row = await connection.fetchrow(self._sql["turn"], turn)
        return None if row is None else TurnRecord(*row)


def _turn_from(row: Iterable[Any], said: Mapping[int, str]) -> TranscriptTurn:
    """A row of `transcript` with its messages, which are in `said` by number."""
    first_seq, count, turn, user, stop_reason, at_ms, report, *figures = row
    messages = tuple(said[seq] for seq in range(first_seq, first_seq + count) if seq in said)
    return TranscriptTurn(turn, user, stop_reason, at_ms, report, messages, *figures)
