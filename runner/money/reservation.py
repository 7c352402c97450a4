"""The life of a hold, as a table.

    held ──▶ settled    the provider said what it cost
      ├────▶ released   the call provably did not run: costs nothing
      └────▶ unknown    nobody knows: the whole hold stays taken, for ever, until an operator corrects it

All but `held` are final; a correction is a ledger row of its own. An illegal step raises and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from runner.errors import IllegalStep
from runner.money.amounts import ZERO, Money
from runner.money.budget import Counter


class ReservationState(StrEnum):
    """Where a hold is in its life."""

    HELD = "held"
    SETTLED = "settled"
    RELEASED = "released"
    UNKNOWN = "unknown"


LEGAL_STEPS: Mapping[ReservationState, frozenset[ReservationState]] = {
    ReservationState.HELD: frozenset(
        {ReservationState.SETTLED, ReservationState.RELEASED, ReservationState.UNKNOWN},
    ),
    ReservationState.SETTLED: frozenset(),
    ReservationState.RELEASED: frozenset(),
    ReservationState.UNKNOWN: frozenset(),
}


def check_step(now: ReservationState, then: ReservationState) -> None:
    """Raise IllegalStep unless the table has this step."""
    if then not in LEGAL_STEPS[now]:
        raise IllegalStep(f"a reservation cannot go from {now} to {then}")


def hold(counter: Counter, amount: Money) -> Counter:
    """The scope's counter after a hold."""
    return Counter(counter.settled, counter.unknown, Money(counter.held + amount))


def charge(then: ReservationState, held: Money, cost: Money | None) -> Money:
    """What a hold of `held` comes to in its final state.

    `cost` is the real cost of a settled one. An unknown one keeps its whole hold (None) unless a lower bound
    is known: a cut stream whose start told the exact input costs at most that and the full output. A bound of
    nothing is no bound: what may have run is never free.

    Raises:
        IllegalStep: `then` is not a final state, or it is `settled` and has no cost.
    """
    check_step(ReservationState.HELD, then)
    if then is ReservationState.RELEASED:
        return ZERO
    if then is ReservationState.UNKNOWN:
        return cost or held
    if cost is None:
        raise IllegalStep("a reservation cannot be settled without its cost")
    return cost


def resolve(counter: Counter, then: ReservationState, held: Money, cost: Money | None) -> Counter:
    """The scope's counter after a hold has ended as `then`."""
    amount = charge(then, held, cost)
    settled = amount if then is ReservationState.SETTLED else ZERO
    unknown = amount if then is ReservationState.UNKNOWN else ZERO
    return Counter(
        Money(counter.settled + settled),
        Money(counter.unknown + unknown),
        Money(counter.held - held),
    )
