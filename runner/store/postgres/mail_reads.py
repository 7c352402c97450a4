"""Reads of messages and of parts of replies, for people and for whoever looks once more; and an operator's word."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from runner.ports.mail import OutboxState, Outgoing
from runner.ports.stores import StoreFigures
from runner.store.postgres.connection import Connection
from runner.store.queries import Queries
from runner.store.rules import check_resend, figures_of

MOST_LOOKED_AT = 10_000
"""Messages of a channel among which its latest lanes are looked for."""


class MailReads:
    """The tables `inbox` and `outbox`, each read a function of a connection."""

    def __init__(self, sql: Queries) -> None:
        self._sql = sql

    async def recent(self, connection: Connection, bot: str, channel: str, limit: int) -> list[str]:
        """As `Store.recent`, among the latest `MOST_LOOKED_AT` messages."""
        rows = await connection.fetch(self._sql["recent"], bot, channel, MOST_LOOKED_AT, limit)
        return [row[0] for row in rows]

    async def outgoing(
        self, connection: Connection, state: OutboxState, limit: int, after_id: int
    ) -> list[Outgoing]:
        """As `Store.outgoing`."""
        if state is OutboxState.SENT:
            return outgoing_from(await connection.fetch(self._sql["sent"], after_id, limit))
        return outgoing_from(await connection.fetch(self._sql["unsent"], state, after_id, limit))

    async def answers(self, connection: Connection, inbox_id: int) -> list[Outgoing]:
        """As `Store.answers`."""
        return outgoing_from(await connection.fetch(self._sql["answers"], inbox_id))

    async def figures(self, connection: Connection) -> StoreFigures:
        """As `Store.figures`."""
        waiting = await connection.fetch(self._sql["waiting_by_bot"])
        outbox = await connection.fetch(self._sql["unsent_by_state"])
        doubled = await connection.fetchval(self._sql["possibly_doubled"])
        return figures_of(map(tuple, waiting), dict(map(tuple, outbox)), int(doubled))

    async def latest_ms(self, connection: Connection) -> int | None:
        """When the latest message was accepted, Unix ms; None: none is kept."""
        found = await connection.fetchval(self._sql["latest_message"])
        return None if found is None else int(found)

    async def resend(self, connection: Connection, outbox_id: int) -> None:
        """As `Store.resend`; a unit that writes."""
        state = await connection.fetchval(self._sql["outbox_state_to_change"], outbox_id)
        check_resend(None if state is None else OutboxState(state))
        await connection.execute(self._sql["send_by_hand"], outbox_id)


def outgoing_from(rows: Iterable[Iterable[Any]]) -> list[Outgoing]:
    """Rows of `unsent`, `sent` or `answers` as values."""
    return [
        Outgoing(part, inbox_id, bot, channel, place, payload, OutboxState(state), *rest)
        for part, inbox_id, bot, channel, place, payload, state, *rest in rows
    ]
