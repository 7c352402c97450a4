"""Money as stores keep it: holds and their ends, what was paid in, corrections, alerts, models set aside.

Rules for every implementation:

* Money is decided by `runner.money.budget.decide` INSIDE the transaction that writes the hold.
* A ledger row ends once and is never changed afterwards; what an operator puts right is rows of its own.
* Daily sums are kept in the transaction that ends a row, so that they equal the rows at any moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from runner.money.amounts import ZERO, Money
from runner.money.budget import Busy, Exhausted, ScopeLimit
from runner.money.estimate import Estimate
from runner.money.ledger import Attempt
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


class MoneyStore(Protocol):
    """Holds and their ends."""

    async def hold(self, request: HoldRequest) -> HoldResult:
        """Decide and, where granted, write the ledger row as `held`. Refusals write nothing.

        MUST raise IllegalStep where the attempt id exists already.
        """

    async def settle(self, settlement: Settlement) -> Money:
        """End a hold; returns what stands against the scopes now.

        MUST raise IllegalStep, changing nothing, where the attempt is not `held`.
        """


@dataclass(frozen=True, slots=True)
class LedgerFilter:
    """Which rows to read; times in Unix ms, from ≤ time < to."""

    bot: str | None = None
    turn: str | None = None
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


GROUPINGS = ("bot", "feature", "task", "user", "model", "provider", "route", "platform", "day")
"""What usage can be grouped by. `day` is the UTC day."""
