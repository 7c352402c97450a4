"""Units on what was paid in, on models set aside, and on alerts."""

from __future__ import annotations

from runner.ports.books import Alert, Deposit, Deposited, Quarantine, WaitingAlert
from runner.store.postgres.books import funds
from runner.store.postgres.changes import changed
from runner.store.postgres.connection import Connection
from runner.store.queries import Queries
from runner.store.rules import check_deposit


class DepositRows:
    """The table `deposits`."""

    def __init__(self, sql: Queries) -> None:
        self._sql = sql

    async def deposit(self, connection: Connection, deposit: Deposit) -> Deposited:
        """As `BookStore.deposit`; one at a time, for together they must fit."""
        await connection.execute(self._sql["pay_in_alone"])
        known = await connection.fetchrow(self._sql["deposit_of"], deposit.key)
        if known is not None:
            return Deposited(Deposit(*known), fresh=False)
        check_deposit(deposit, await funds(connection, self._sql))
        await connection.execute(
            self._sql["deposit"], deposit.key, deposit.amount, deposit.at_ms, deposit.note
        )
        return Deposited(deposit, fresh=True)

    async def deposits(self, connection: Connection) -> list[Deposit]:
        """As `BookStore.deposits`."""
        return [Deposit(*row) for row in await connection.fetch(self._sql["deposits"])]


class QuarantineRows:
    """The table `quarantine`."""

    def __init__(self, sql: Queries) -> None:
        self._sql = sql

    async def set_aside(self, connection: Connection, which: Quarantine) -> None:
        """As `BookStore.quarantine`."""
        await connection.execute(
            self._sql["set_aside"],
            which.provider,
            which.model,
            which.attempt,
            which.held,
            which.cost,
            which.at_ms,
        )

    async def all(self, connection: Connection) -> list[Quarantine]:
        """As `BookStore.quarantined`."""
        return [Quarantine(*row) for row in await connection.fetch(self._sql["quarantined"])]

    async def clear(self, connection: Connection, provider: str, model: str) -> bool:
        """As `BookStore.clear_quarantine`."""
        return changed(await connection.execute(self._sql["clear_quarantine"], provider, model)) == 1


class AlertRows:
    """The table `alerts`."""

    def __init__(self, sql: Queries) -> None:
        self._sql = sql

    async def add(self, connection: Connection, alert: Alert, *, waits: bool) -> bool:
        """As `BookStore.raise_alert`; of two daemons one is told True."""
        status = await connection.execute(
            self._sql["raise_alert"],
            alert.scope,
            alert.percent,
            alert.limit,
            alert.gone,
            alert.at_ms,
            int(waits),
        )
        return changed(status) == 1

    async def latest(self, connection: Connection, limit: int) -> list[Alert]:
        """As `BookStore.alerts`."""
        return [Alert(*row) for row in await connection.fetch(self._sql["alerts"], limit)]

    async def waiting(self, connection: Connection, limit: int) -> list[WaitingAlert]:
        """As `BookStore.waiting_alerts`."""
        rows = await connection.fetch(self._sql["waiting_alerts"], limit)
        return [WaitingAlert(row_id, Alert(*alert), tries, due) for row_id, tries, due, *alert in rows]

    async def end(self, connection: Connection, alert_id: int, due_ms: int | None) -> None:
        """As `BookStore.end_alert`."""
        await connection.execute(self._sql["end_alert"], int(due_ms is not None), due_ms or 0, alert_id)
