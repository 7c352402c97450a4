"""Money as stores keep it: holds and their ends, what was paid in, corrections, alerts, models set aside.

Rules for every implementation:

* Money is decided by `runner.money.budget.decide` INSIDE the transaction that writes the hold.
* A ledger row ends once and is never changed afterwards; what an operator puts right is rows of its own.
* Daily sums are kept in the transaction that ends a row, so that they equal the rows at any moment.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from runner.money.amounts import ZERO, Money
from runner.money.budget import Busy, Counter, Exhausted, ScopeLimit
from runner.money.estimate import Estimate
from runner.money.ledger import Attempt, LedgerEntry
from runner.money.reservation import ReservationState
from runner.money.usage import NO_USAGE, Usage
from runner.ports.mail import StoredStep


@dataclass(frozen=True, slots=True)
class HoldRequest:
    """Money to set aside for one attempt, in all scopes at once."""

    attempt: Attempt
    scopes: tuple[ScopeLimit, ...]
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class Held:
    """It is held, durably: the call may be made with this output limit."""

    attempt_id: str
    output_tokens: int
    amount: Money
    tokens: int = 0
    scopes: tuple[ScopeLimit, ...] = ()
    """What it is held against, with the limits as they stood; without a wallet that nothing was paid into."""


HoldResult = Held | Busy | Exhausted


@dataclass(frozen=True, slots=True)
class Settlement:
    """How an attempt ended.

    Attributes:
        cost: the real cost where `state` is settled; where it is unknown, None keeps the full hold and an
            amount is the most that it can have cost (`runner.money.reservation.charge`).
        step: what of the reply must survive a restart, stored in the same transaction; None where there is none.
    """

    attempt_id: str
    state: ReservationState
    cost: Money | None = None
    usage: Usage = NO_USAGE
    request_id: str = ""
    stop_reason: str = ""
    latency_ms: int = 0
    why: str = ""
    step: StoredStep | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """A hold has ended: what stands against its scopes for it, and how they stand now."""

    amount: Money
    counters: Mapping[str, Counter]


class MoneyStore(Protocol):
    """Holds and their ends."""

    async def hold(self, request: HoldRequest) -> HoldResult:
        """Decide and, where granted, write the ledger row as `held`. Refusals write nothing.

        MUST raise IllegalStep where the attempt id exists already.
        """

    async def settle(self, settlement: Settlement) -> Settled:
        """End a hold.

        MUST raise IllegalStep, changing nothing, where the attempt is not `held`.
        """


@dataclass(frozen=True, slots=True)
class LedgerFilter:
    """Which rows to read; times in Unix ms, from ≤ time < to."""

    bot: str | None = None
    turn: str | None = None
    state: ReservationState | None = None
    from_ms: int | None = None
    to_ms: int | None = None


@dataclass(frozen=True, slots=True)
class UsageSum:
    """Ledger rows of one group, added up. `key` has one text for each grouping asked for."""

    key: tuple[str, ...]
    cost: Money = ZERO
    calls: int = 0
    retries: int = 0
    usage: Usage = NO_USAGE
    unknown: Money = ZERO


def add_up(groups: Sequence[UsageSum]) -> UsageSum:
    """All groups together, without a key."""
    return UsageSum(
        key=(),
        cost=Money(sum(group.cost for group in groups)),
        calls=sum(group.calls for group in groups),
        retries=sum(group.retries for group in groups),
        usage=sum((group.usage for group in groups), NO_USAGE),
        unknown=Money(sum(group.unknown for group in groups)),
    )


GROUPINGS = ("bot", "feature", "task", "user", "model", "provider", "route", "platform", "day")
"""What usage can be grouped by. `day` is the UTC day."""


@dataclass(frozen=True, slots=True)
class Deposit:
    """Money paid into the wallet. `key` is the payer's own: the same key twice is one deposit. Time in Unix ms."""

    key: str
    amount: Money
    at_ms: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Deposited:
    """It is in. `fresh`: just now; else `deposit` is what that key paid in earlier, whatever was asked now."""

    deposit: Deposit
    fresh: bool


@dataclass(frozen=True, slots=True)
class Correction:
    """What an operator says about an attempt of unknown fate: it cost `cost` (0: it never ran), and why."""

    attempt_id: str
    cost: Money
    why: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Quarantine:
    """A model that charged more than its bound: not called until an operator clears it."""

    provider: str
    model: str
    attempt: str
    held: Money
    cost: Money
    at_ms: int


@dataclass(frozen=True, slots=True)
class Alert:
    """A limit is used up to `percent`. Told once for each scope, limit and percentage.

    Attributes:
        limit: in the scope's measure, as is `gone`.
    """

    scope: str
    percent: int
    limit: int
    gone: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class WaitingAlert:
    """An alert that its webhook has not taken yet."""

    id: int
    alert: Alert
    tries: int = 0
    due_ms: int = 0


class BookStore(MoneyStore, Protocol):
    """All of the money that is not on a message's way."""

    async def counters(self, scopes: Collection[str] | None = None) -> dict[str, Counter]:
        """These scopes (all: None); a scope that never had a row is absent or empty."""

    def ledger(self, which: LedgerFilter) -> AsyncIterator[LedgerEntry]:
        """Rows by time, without holding up writers."""

    async def usage(self, which: LedgerFilter, by: Sequence[str], limit: int | None = None) -> list[UsageSum]:
        """Rows added up by some of `GROUPINGS`, dearest first. Calls that have not ended are not in it.

        Whole UTC days of one bot or all come from the daily sums: fast over a year. `limit`: no more than so many
        groups; of those that are equal at its edge, any.
        """

    async def correct(self, correction: Correction) -> tuple[LedgerEntry, ...]:
        """Write what an unknown attempt really was: the rows added, one that takes it back, one that settles.

        MUST raise IllegalStep, changing nothing, where the attempt is not unknown or was corrected before.
        """

    async def deposit(self, deposit: Deposit) -> Deposited:
        """Pay in, once for each key.

        MUST raise IllegalStep, changing nothing, where the amount is not more than 0.
        """

    async def deposits(self) -> list[Deposit]:
        """All that was paid in, the latest first."""

    async def quarantine(self, which: Quarantine) -> None:
        """Set a model aside; again: the first one stands."""

    async def quarantined(self) -> list[Quarantine]:
        """Models set aside, the latest first."""

    async def clear_quarantine(self, provider: str, model: str) -> bool:
        """Use a model again; False where it was not set aside."""

    async def raise_alert(self, alert: Alert, *, deliver: bool) -> bool:
        """Remember that it was told; False where it had been. `deliver`: it waits for its webhook."""

    async def alerts(self, limit: int) -> list[Alert]:
        """What was told, the latest first."""

    async def waiting_alerts(self, limit: int) -> list[WaitingAlert]:
        """What webhooks have not taken yet, what is due first."""

    async def end_alert(self, alert_id: int, due_ms: int | None) -> None:
        """The webhook took it (or never will): None; else it is tried again then."""
