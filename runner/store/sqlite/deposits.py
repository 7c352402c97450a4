"""Units on what was paid in, models set aside, and alerts."""

from __future__ import annotations

import sqlite3

from runner.money.amounts import Money
from runner.ports.books import Alert, Deposit, Deposited, Quarantine, WaitingAlert
from runner.store.rules import check_deposit
from runner.store.sqlite.queries import Queries


class DepositRows:
    """The table `deposits`."""

    def __init__(self, sql: Queries) -> None:
        self._sql = sql

    def funds(self, connection: sqlite3.Connection) -> Money | None:
        """All that was paid in; None: nothing ever was."""
        [(amount,)] = connection.execute(self._sql["funds"]).fetchall()
        return None if amount is None else Money(amount)

    def deposit(self, connection: sqlite3.Connection, deposit: Deposit) -> Deposited:
        """As `BookStore.deposit`."""
        known = connection.execute(self._sql["deposit_of"], (deposit.key,)).fetchone()
        if known is not None:
            return Deposited(Deposit(*known), fresh=False)
        check_deposit(deposit, self.funds(connection))
        connection.execute(self._sql["deposit"], (deposit.key, deposit.amount, deposit.at_ms, deposit.note))
        return Deposited(deposit, fresh=True)

    def deposits(self, connection: sqlite3.Connection) -> list[Deposit]:
        """As `BookStore.deposits`."""
        return [Deposit(*row) for row in connection.execute(self._sql["deposits"])]


class QuarantineRows:
    """The table `quarantine`."""

    def __init__(self, sql: Queries) -> None:
        self._sql = sql

    def set_aside(self, connection: sqlite3.Connection, which: Quarantine) -> None:
        """As `BookStore.quarantine`."""
        connection.execute(
            self._sql["set_aside"],
            (which.provider, which.model, which.attempt, which.held, which.cost, which.at_ms),
        )

    def all(self, connection: sqlite3.Connection) -> list[Quarantine]:
        """As `BookStore.quarantined`."""
        return [Quarantine(*row) for row in connection.execute(self._sql["quarantined"])]

    def clear(self, connection: sqlite3.Connection, provider: str, model: str) -> bool:
        """As `BookStore.clear_quarantine`."""
        return connection.execute(self._sql["clear_quarantine"], (provider, model)).rowcount == 1


class AlertRows:
    """The table `alerts`."""

    def __init__(self, sql: Queries) -> None:
        self._sql = sql

    def add(self, connection: sqlite3.Connection, alert: Alert, *, waits: bool) -> bool:
        """As `BookStore.raise_alert`."""
        added = connection.execute(
            self._sql["raise_alert"],
            (alert.scope, alert.percent, alert.limit, alert.gone, alert.at_ms, int(waits)),
        )
        return added.rowcount == 1

    def latest(self, connection: sqlite3.Connection, limit: int) -> list[Alert]:
        """As `BookStore.alerts`."""
        return [Alert(*row) for row in connection.execute(self._sql["alerts"], (limit,))]

    def waiting(self, connection: sqlite3.Connection, limit: int) -> list[WaitingAlert]:
        """As `BookStore.waiting_alerts`."""
        rows = connection.execute(self._sql["waiting_alerts"], (limit,))
        return [WaitingAlert(row_id, Alert(*alert), tries, due) for row_id, tries, due, *alert in rows]

    def end(self, connection: sqlite3.Connection, alert_id: int, due_ms: int | None) -> None:
        """As `BookStore.end_alert`."""
        connection.execute(self._sql["end_alert"], (int(due_ms is not None), due_ms or 0, alert_id))
