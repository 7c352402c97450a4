"""What an operator puts right: rows beside one of unknown fate, which itself stays as it is."""

from __future__ import annotations

import json

from runner.errors import IllegalStep
from runner.money.ledger import LedgerEntry
from runner.ports.books import Correction
from runner.store.postgres.books import lock_counters, save_counters
from runner.store.postgres.connection import Connection
from runner.store.postgres.ledger import LedgerReads
from runner.store.queries import Queries
from runner.store.rules import correct


class Corrections:
    """Units that add rows which had ended when they came."""

    def __init__(self, sql: Queries, ledger: LedgerReads) -> None:
        self._sql = sql
        self._ledger = ledger

    async def correct(self, connection: Connection, correction: Correction) -> tuple[LedgerEntry, ...]:
        """As `BookStore.correct`."""
        asked = await self._row(connection, correction)
        counters = await lock_counters(connection, self._sql, asked.scopes)
        # Under the lock once more: it may have ended meanwhile, or have been corrected.
        row = await self._row(connection, correction)
        rows, after = correct(row, correction, {name: counters[name] for name in row.scopes})
        for entry in rows:
            if await connection.fetchval(self._sql["add_correction"], *_columns(entry)) is None:
                raise IllegalStep(f"attempt {correction.attempt_id} was corrected before")
        await save_counters(connection, self._sql, after)
        return rows

    async def _row(self, connection: Connection, correction: Correction) -> LedgerEntry:
        row = await self._ledger.row(connection, correction.attempt_id)
        if row is None:
            raise IllegalStep(f"there is no attempt {correction.attempt_id}")
        return row


def _columns(entry: LedgerEntry) -> tuple[object, ...]:
    a = entry.attempt
    return (
        *(a.id, a.time_ms, a.bot, a.platform, a.channel, a.conversation, a.user, a.turn),
        *(a.provider, a.model, a.price_version, a.feature, a.task, a.route, a.route_reason),
        *(a.billing_mode, a.number, a.iteration),
        *(json.dumps(entry.scopes), entry.state, entry.hold, entry.cost, entry.request_id),
        *(entry.stop_reason, entry.why, entry.corrects, entry.hold_tokens, entry.tokens),
    )
