"""A hold's life is the table's, and nothing else."""

import pytest

from runner.errors import IllegalStep
from runner.money.amounts import Money
from runner.money.budget import Counter
from runner.money.reservation import LEGAL_STEPS, ReservationState, charge, check_step, hold, resolve

FINAL = [ReservationState.SETTLED, ReservationState.RELEASED, ReservationState.UNKNOWN]
BEFORE = Counter(Money(10), Money(20), Money(30))


def test_the_table_knows_every_state() -> None:
    assert set(LEGAL_STEPS) == set(ReservationState)


@pytest.mark.parametrize("now", list(ReservationState))
@pytest.mark.parametrize("then", list(ReservationState))
def test_only_a_hold_goes_anywhere(now: ReservationState, then: ReservationState) -> None:
    if now is ReservationState.HELD and then in FINAL:
        check_step(now, then)
        return
    with pytest.raises(IllegalStep, match=f"from {now} to {then}"):
        check_step(now, then)


def test_a_hold_is_held() -> None:
    assert hold(BEFORE, Money(5)) == Counter(Money(10), Money(20), Money(35))


@pytest.mark.parametrize(
    ("then", "cost", "after"),
    [
        (ReservationState.SETTLED, 3, Counter(Money(13), Money(20), Money(25))),
        (ReservationState.SETTLED, 9, Counter(Money(19), Money(20), Money(25))),
        (ReservationState.RELEASED, 3, Counter(Money(10), Money(20), Money(25))),
        (ReservationState.RELEASED, None, Counter(Money(10), Money(20), Money(25))),
        (ReservationState.UNKNOWN, None, Counter(Money(10), Money(25), Money(25))),
        (ReservationState.UNKNOWN, 3, Counter(Money(10), Money(23), Money(25))),
        (ReservationState.UNKNOWN, 0, Counter(Money(10), Money(25), Money(25))),
    ],
)
def test_how_a_hold_ends(then: ReservationState, cost: int | None, after: Counter) -> None:
    real = None if cost is None else Money(cost)
    assert resolve(BEFORE, then, Money(5), real) == after
    assert charge(then, Money(5), real) == after.gone - BEFORE.gone


def test_nothing_is_settled_without_its_cost() -> None:
    with pytest.raises(IllegalStep, match="without its cost"):
        charge(ReservationState.SETTLED, Money(5), None)


def test_a_hold_that_goes_nowhere_changes_nothing() -> None:
    with pytest.raises(IllegalStep):
        resolve(BEFORE, ReservationState.HELD, Money(5), Money(3))
    assert Counter(Money(10), Money(20), Money(30)) == BEFORE


def test_what_is_taken_and_what_is_gone() -> None:
    assert (BEFORE.taken, BEFORE.gone) == (60, 30)
