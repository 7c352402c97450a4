"""Reads of conversations for people: pages of them, and what was said in one."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from runner.ports.reports import ConversationLine, Transcript, TranscriptTurn
from runner.store.sqlite.queries import Queries

_AFTER_ALL = (2**62, "")
"""What every conversation comes before, as (last_ms, id)."""


class ConversationReads:
    """The tables `conversations`, `turns` and `messages`, each read a function of a connection."""

    def __init__(self, sql: Queries) -> None:
        self._sql = sql

    def page(
        self,
        connection: sqlite3.Connection,
        bot: str | None,
        user: str | None,
        limit: int,
        before: tuple[int, str] | None,
    ) -> list[ConversationLine]:
        """As `ReportStore.conversations`."""
        last_ms, name = before or _AFTER_ALL
        asked = {"bot": bot, "user": user, "limit": limit, "last_ms": last_ms, "id": name}
        if user is not None:
            rows = connection.execute(self._sql["conversations_of_user"], asked)
        else:
            rows = connection.execute(
                self._sql["conversations" if bot is None else "conversations_of_bot"], asked
            )
        return [ConversationLine(*row) for row in rows]

    def transcript(self, connection: sqlite3.Connection, conversation: str, latest: int) -> Transcript | None:
        """As `ReportStore.transcript`."""
        line = connection.execute(self._sql["conversation"], (conversation,)).fetchone()
        if line is None:
            return None
        asked = {"conversation": conversation, "latest": latest}
        rows = connection.execute(self._sql["transcript"], asked).fetchall()
        first = min((row[0] for row in rows if row[1]), default=0)
        said = dict(connection.execute(self._sql["transcript_messages"], (conversation, first)).fetchall())
        return Transcript(ConversationLine(*line), tuple(_turn_from(row, said) for row in rows))


def _turn_from(row: Sequence[Any], said: Mapping[int, str]) -> TranscriptTurn:
    """A row of `transcript` with its messages, which are in `said` by number."""
    first_seq, count, turn, user, stop_reason, at_ms, report, *figures = row
    messages = tuple(said[seq] for seq in range(first_seq, first_seq + count) if seq in said)
    return TranscriptTurn(turn, user, stop_reason, at_ms, report, messages, *figures)
