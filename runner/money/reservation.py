"""The life of a hold, as a table.

    held ──▶ settled    the provider said what it cost
      ├────▶ released   the call provably did not run: costs nothing
      └────▶ unknown    nobody knows: the whole hold stays taken, for ever, until an operator corrects it

All but `held` are final. What an operator finds out later about an unknown one is rows of its own (`corrected`):
one that takes it out of `unknown`, and one that settles what it really was. An illegal step raises and changes
nothing. The same rules hold for every measure: pico-dollars, and tokens where a scope counts those.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from runner.errors import IllegalStep
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


def hold(counter: Counter, amount: int) -> Counter:
    """The scope's counter after a hold."""
    return Counter(counter.settled, counter.unknown, counter.held + amount)


def charge(then: ReservationState, held: int, cost: int | None) -> int:
    """What a hold of `held` comes to in its final state.

    `cost` is what a settled one really came to. An unknown one keeps its whole hold (None) unless a lower bound
    is known: a cut stream whose start told the exact input comes at most to that and the full output. A bound of
    nothing is no bound: what may have run is never free.

    Raises:
        IllegalStep: `then` is not a final state, or it is `settled` and has no cost.
    """
    check_step(ReservationState.HELD, then)
    if then is ReservationState.RELEASED:
        return 0
    if then is ReservationState.UNKNOWN:
        return cost or held
    if cost is None:
        raise IllegalStep("a reservation cannot be settled without its cost")
    return cost


def resolve(counter: Counter, then: ReservationState, held: int, cost: int | None) -> Counter:
    """The scope's counter after a hold has ended as `then`."""
    amount = charge(then, held, cost)
    settled = amount if then is ReservationState.SETTLED else 0
    unknown = amount if then is ReservationState.UNKNOWN else 0
    return Counter(counter.settled + settled, counter.unknown + unknown, counter.held - held)


def corrected(counter: Counter, unknown: int, real: int) -> Counter:
    """The scope's counter after an operator said that `unknown` was `real`."""
    return Counter(counter.settled + real, counter.unknown - unknown, counter.held)
