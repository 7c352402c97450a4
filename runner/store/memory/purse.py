"""What was paid in, models set aside, and alerts, in plain Python."""

from __future__ import annotations

from dataclasses import replace

from runner.money.amounts import Money
from runner.ports.books import Alert, Deposit, Deposited, Quarantine, WaitingAlert
from runner.store.rules import check_deposit


class Purse:
    """Each list in the order of writing."""

    def __init__(self) -> None:
        self._deposits: dict[str, Deposit] = {}
        self._set_aside: dict[tuple[str, str], Quarantine] = {}
        self._alerts: dict[tuple[str, int, int], Alert] = {}
        self._waiting: dict[int, WaitingAlert] = {}

    def funds(self) -> Money | None:
        """All that was paid in; None: nothing ever was."""
        paid_in = [deposit.amount for deposit in self._deposits.values()]
        return Money(sum(paid_in)) if paid_in else None

    def deposit(self, deposit: Deposit) -> Deposited:
        """As `BookStore.deposit`."""
        known = self._deposits.get(deposit.key)
        if known is not None:
            return Deposited(known, fresh=False)
        check_deposit(deposit, self.funds())
        self._deposits[deposit.key] = deposit
        return Deposited(deposit, fresh=True)

    def deposits(self) -> list[Deposit]:
        """As `BookStore.deposits`."""
        newest = list(self._deposits.values())[::-1]
        return sorted(newest, key=lambda deposit: -deposit.at_ms)

    def set_aside(self, which: Quarantine) -> None:
        """As `BookStore.quarantine`."""
        self._set_aside.setdefault((which.provider, which.model), which)

    def quarantined(self) -> list[Quarantine]:
        """As `BookStore.quarantined`."""
        return sorted(self._set_aside.values(), key=lambda q: (-q.at_ms, q.provider, q.model))

    def clear(self, provider: str, model: str) -> bool:
        """As `BookStore.clear_quarantine`."""
        return self._set_aside.pop((provider, model), None) is not None

    def add_alert(self, alert: Alert, *, waits: bool) -> bool:
        """As `BookStore.raise_alert`."""
        key = (alert.scope, alert.limit, alert.percent)
        if key in self._alerts:
            return False
        self._alerts[key] = alert
        if waits:
            number = len(self._alerts)
            self._waiting[number] = WaitingAlert(number, alert)
        return True

    def alerts(self, limit: int) -> list[Alert]:
        """As `BookStore.alerts`."""
        return list(self._alerts.values())[::-1][:limit]

    def waiting(self, limit: int) -> list[WaitingAlert]:
        """As `BookStore.waiting_alerts`."""
        return sorted(self._waiting.values(), key=lambda one: (one.due_ms, one.id))[:limit]

    def end_alert(self, alert_id: int, due_ms: int | None) -> None:
        """As `BookStore.end_alert`."""
        waiting = self._waiting.pop(alert_id, None)
        if waiting is not None and due_ms is not None:
            later = {alert_id: replace(waiting, tries=waiting.tries + 1, due_ms=due_ms)}
            self._waiting = dict(sorted({**self._waiting, **later}.items()))
