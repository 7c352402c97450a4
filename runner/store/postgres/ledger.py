"""Reads of the ledger and of the counters; whether they agree.

Rules: pages, and nothing is kept open between two of them, so that a slow reader does not stop the database from
tidying up; the sums that the counters are compared with are made by the database, the comparing is
`runner.money.ledger.verify`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from typing import Any

from runner.money.amounts import ZERO, Money
from runner.money.budget import Counter
from runner.money.ledger import Attempt, Difference, LedgerEntry, verify
from runner.money.reservation import ReservationState
from runner.ports.books import LedgerFilter
from runner.store.days import end_ms
from runner.store.postgres.connection import Connection
from runner.store.queries import Queries
from runner.store.rows import counters_from, entry_from

PAGE = 500
"""Ledger rows read at once."""
Place = tuple[int, int]
"""After which row the next page begins: its (time_ms, seq)."""


class LedgerReads:
    """The tables `ledger` and `scopes`, each read a function of a connection."""

    def __init__(self, sql: Queries) -> None:
        self._sql = sql

    async def counters(self, connection: Connection, scopes: Collection[str] | None) -> dict[str, Counter]:
        """As `BookStore.counters`."""
        if scopes is None:
            return counters_from(await connection.fetch(self._sql["counters"]))
        return counters_from(await connection.fetch(self._sql["counters_of"], list(scopes)))

    async def of_turn(self, connection: Connection, which: LedgerFilter) -> list[LedgerEntry]:
        """All rows of the turn that the filter names."""
        rows = await connection.fetch(
            self._sql["ledger_of_turn"], which.turn, which.from_ms or 0, end_ms(which), which.bot, which.state
        )
        return [entry_from(row) for row in rows]

    async def page(
        self, connection: Connection, which: LedgerFilter, after: Place
    ) -> tuple[list[LedgerEntry], Place]:
        """The next rows behind that place, and the place of the last of them."""
        asked = (*after, end_ms(which), which.bot)
        if which.state is ReservationState.UNKNOWN:
            rows = await connection.fetch(self._sql["unknown_page"], *asked, PAGE)
        else:
            rows = await connection.fetch(self._sql["ledger_page"], *asked, which.state, PAGE)
        return [entry_from(row) for row in rows], (rows[-1][2], rows[-1][0]) if rows else after

    async def row(self, connection: Connection, attempt_id: str) -> LedgerEntry | None:
        """One row."""
        row = await connection.fetchrow(self._sql["ledger_row"], attempt_id)
        return None if row is None else entry_from(row)

    async def differences(self, connection: Connection) -> list[Difference]:
        """Each scope whose counter is not the sum of its rows, in this connection's transaction."""
        counters = await self.counters(connection, None)
        sums = await connection.fetch(self._sql["ledger_sums"])
        return verify(counters, (_group_from(row) for row in sums))


def before_all(which: LedgerFilter) -> Place:
    """The place before the first row that is asked for."""
    return (which.from_ms or 0, -1)


_NO_ATTEMPT = Attempt("", 0, "", "", "", "", "", "", "", "", "")


def _group_from(row: Iterable[Any]) -> LedgerEntry:
    """Rows of the same scopes and state, added up, as one that stands for them all."""
    scopes, state, cost, tokens = row
    return LedgerEntry(
        _NO_ATTEMPT,
        tuple(json.loads(scopes)),
        ReservationState(state),
        ZERO,
        Money(int(cost)),
        tokens=int(tokens),
    )
