"""Units on money: the scopes' counters and the ledger.

Rule: SQL fetches and stores, Python reckons (`runner.store.rules`), all inside the writer's transaction.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from runner.errors import IllegalStep
from runner.money.budget import Busy, Counter, Exhausted
from runner.money.ledger import Attempt, LedgerEntry
from runner.money.reservation import ReservationState
from runner.money.usage import Usage
from runner.ports.books import (
    GROUPINGS,
    Correction,
    Held,
    HoldRequest,
    HoldResult,
    LedgerFilter,
    Settled,
    Settlement,
    UsageSum,
)
from runner.store.days import end_ms
from runner.store.rows import entry_from
from runner.store.rules import (
    Counters,
    Hold,
    check_groupings,
    correct,
    end,
    in_force,
    lost_hold,
    scope_names,
    take,
    take_all,
)
from runner.store.sqlite.deposits import DepositRows
from runner.store.sqlite.queries import Queries
from runner.store.sqlite.turns import TurnRows


class MoneyRows:
    """The tables `scopes` and `ledger`."""

    def __init__(self, sql: Queries, turns: TurnRows, deposits: DepositRows) -> None:
        self._sql = sql
        self._turns = turns
        self._deposits = deposits

    def hold(self, connection: sqlite3.Connection, request: HoldRequest) -> HoldResult:
        """As `MoneyStore.hold`."""
        scopes = request.scopes
        if any(scope.funded for scope in scopes):
            scopes = in_force(scopes, self._deposits.funds(connection))
        names = scope_names(scopes)
        result, after = take(request, scopes, self.counters(connection, names))
        if isinstance(result, Held):
            self._add(connection, request.attempt, names, result)
            self._save(connection, after)
        elif connection.execute(self._sql["attempt_exists"], (request.attempt.id,)).fetchone() is not None:
            raise _exists(request.attempt)
        return result

    def hold_all(
        self, connection: sqlite3.Connection, requests: Sequence[HoldRequest]
    ) -> list[Held] | Busy | Exhausted:
        """As `BatchStore.add` holds: all of them or none."""
        funds = self._deposits.funds(connection)
        scopes = [in_force(request.scopes, funds) for request in requests]
        names = [scope_names(each) for each in scopes]
        counters = self.counters(connection, dict.fromkeys(name for each in names for name in each))
        result, after = take_all(requests, scopes, counters)
        if isinstance(result, list):
            for request, each, held in zip(requests, names, result, strict=True):
                self._add(connection, request.attempt, each, held)
            self._save(connection, after)
        return result

    def settle_all(
        self, connection: sqlite3.Connection, settlements: Iterable[Settlement]
    ) -> list[Settled | None]:
        """End holds; None for one that had ended before."""
        return [
            self.settle(connection, settlement) if self._is_held(connection, settlement) else None
            for settlement in settlements
        ]

    def _is_held(self, connection: sqlite3.Connection, settlement: Settlement) -> bool:
        """Whether it has not ended; of one that there is not, `settle` tells."""
        row = connection.execute(self._sql["reservation"], (settlement.attempt_id,)).fetchone()
        return row is None or row[1] == ReservationState.HELD

    def _add(self, connection: sqlite3.Connection, a: Attempt, scopes: Sequence[str], held: Held) -> None:
        added = connection.execute(
            self._sql["hold"],
            (
                *_attempt_columns(a),
                *(json.dumps(scopes), held.amount, held.amount, held.tokens, held.tokens),
            ),
        )
        if added.rowcount != 1:
            raise _exists(a)

    def settle(self, connection: sqlite3.Connection, settlement: Settlement) -> Settled:
        """As `MoneyStore.settle`."""
        row = connection.execute(self._sql["reservation"], (settlement.attempt_id,)).fetchone()
        if row is None:
            raise IllegalStep(f"there is no attempt {settlement.attempt_id}")
        seq, state, held, held_tokens, scopes, turn = row
        counters = self.counters(connection, json.loads(scopes))
        ended = end(Hold(ReservationState(state), held, held_tokens), settlement, counters)
        u = settlement.usage
        connection.execute(
            self._sql["end_hold"],
            (
                *(settlement.state, ended.amount, ended.tokens),
                *(u.input_tokens, u.output_tokens, u.cache_read_tokens),
                *(u.cache_write_5m_tokens, u.cache_write_1h_tokens, u.reasoning_tokens),
                *(settlement.request_id, settlement.stop_reason, settlement.latency_ms, settlement.why, seq),
            ),
        )
        self._save(connection, ended.counters)
        if settlement.step is not None:
            self._turns.save_step(connection, turn, settlement.step)
        return Settled(ended.amount, ended.counters)

    def correct(self, connection: sqlite3.Connection, correction: Correction) -> tuple[LedgerEntry, ...]:
        """As `BookStore.correct`."""
        found = connection.execute(self._sql["ledger_row"], (correction.attempt_id,)).fetchone()
        if found is None:
            raise IllegalStep(f"there is no attempt {correction.attempt_id}")
        row = entry_from(found)
        rows, after = correct(row, correction, self.counters(connection, row.scopes))
        for entry in rows:
            added = connection.execute(
                self._sql["add_correction"],
                (
                    *_attempt_columns(entry.attempt),
                    *(json.dumps(entry.scopes), entry.state, entry.hold, entry.cost, entry.request_id),
                    *(entry.stop_reason, entry.why, entry.corrects, entry.hold_tokens, entry.tokens),
                ),
            )
            if added.rowcount != 1:
                raise IllegalStep(f"attempt {correction.attempt_id} was corrected before")
        self._save(connection, after)
        return rows

    def recover(self, connection: sqlite3.Connection) -> int:
        """End each hold that a crash left; how many there were."""
        left = [row[0] for row in connection.execute(self._sql["held"])]
        for attempt_id in left:
            self.settle(connection, lost_hold(attempt_id))
        return len(left)

    def counters(self, connection: sqlite3.Connection, scopes: Iterable[str]) -> Counters:
        """These scopes' counters; empty ones for those that have no row."""
        return {name: self._counter(connection, name) for name in scopes}

    def _counter(self, connection: sqlite3.Connection, name: str) -> Counter:
        row = connection.execute(self._sql["counter"], (name,)).fetchone()
        return Counter() if row is None else Counter(*row)

    def _save(self, connection: sqlite3.Connection, counters: Counters) -> None:
        for name, counter in counters.items():
            connection.execute(
                self._sql["save_counter"], (name, counter.settled, counter.unknown, counter.held)
            )


def _exists(attempt: Attempt) -> IllegalStep:
    return IllegalStep(f"attempt {attempt.id} exists already")


def _attempt_columns(a: Attempt) -> tuple[object, ...]:
    return (
        *(a.id, a.time_ms, a.bot, a.platform, a.channel, a.conversation, a.user, a.turn),
        *(a.provider, a.model, a.price_version, a.feature, a.task, a.route, a.route_reason),
        *(a.billing_mode, a.number, a.iteration),
    )


# ── rows as values ───────────────────────────────────────────────────────────────────────────────────────


def usage_arguments(which: LedgerFilter, by: Sequence[str]) -> dict[str, object]:
    """What the query `usage` is asked with. Raises ValueError for a grouping that there is not."""
    check_groupings(by)
    return {**filter_arguments(which), **{f"by_{name}": int(name in by) for name in GROUPINGS}}


def filter_arguments(which: LedgerFilter) -> dict[str, object]:
    """What the ledger's queries are asked with."""
    return {
        "bot": which.bot,
        "turn": which.turn,
        "state": which.state,
        "from_ms": 0 if which.from_ms is None else which.from_ms,
        "to_ms": end_ms(which),
    }


def usage_sum_from(row: Sequence[Any], by: Sequence[str]) -> UsageSum:
    """A row of `usage` as a value, with its key in the order asked for."""
    groups = dict(zip(GROUPINGS, row, strict=False))
    cost, calls, retries, *tokens, unknown = row[len(GROUPINGS) :]
    return UsageSum(tuple(groups[name] for name in by), cost, calls, retries, Usage(*tokens), unknown)
