"""A hold's life is the table's, and nothing else."""

import pytest

from runner.errors import IllegalStep
from runner.money.budget import Counter
from runner.money.reservation import (
    LEGAL_STEPS,
    ReservationState,
    charge,
    check_step,
    corrected,
    hold,
    resolve,
)

FINAL = [ReservationState.SETTLED, ReservationState.RELEASED, ReservationState.UNKNOWN]
BEFORE = Counter(10, 20, 30)


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
    assert hold(BEFORE, 5) == Counter(10, 20, 35)


@pytest.mark.parametrize(
    ("then", "cost", "after"),
    [
        (ReservationState.SETTLED, 3, Counter(13, 20, 25)),
        (ReservationState.SETTLED, 9, Counter(19, 20, 25)),
        (ReservationState.RELEASED, 3, Counter(10, 20, 25)),
        (ReservationState.RELEASED, None, Counter(10, 20, 25)),
        (ReservationState.UNKNOWN, None, Counter(10, 25, 25)),
        (ReservationState.UNKNOWN, 3, Counter(10, 23, 25)),
        (ReservationState.UNKNOWN, 0, Counter(10, 25, 25)),
    ],
)
def test_how_a_hold_ends(then: ReservationState, cost: int | None, after: Counter) -> None:
    assert resolve(BEFORE, then, 5, cost) == after
    assert charge(then, 5, cost) == after.gone - BEFORE.gone


def test_nothing_is_settled_without_its_cost() -> None:
    with pytest.raises(IllegalStep, match=r"^a reservation cannot be settled without its cost$"):
        charge(ReservationState.SETTLED, 5, None)


def test_a_hold_that_goes_nowhere_changes_nothing() -> None:
    with pytest.raises(IllegalStep):
        resolve(BEFORE, ReservationState.HELD, 5, 3)
    assert Counter(10, 20, 30) == BEFORE


def test_what_is_taken_and_what_is_gone() -> None:
    assert (BEFORE.taken, BEFORE.gone) == (60, 30)


@pytest.mark.parametrize(
    ("unknown", "real", "after"),
    [
        (5, 0, Counter(10, 15, 30)),
        (5, 3, Counter(13, 15, 30)),
        (5, 9, Counter(19, 15, 30)),
        (20, 20, Counter(30, 0, 30)),
    ],
)
def test_what_was_unknown_is_known(unknown: int, real: int, after: Counter) -> None:
    assert corrected(BEFORE, unknown, real) == after
