"""The rows and the counters say the same, to the pico-dollar."""

import pytest

from runner.money.amounts import Money
from runner.money.budget import Counter
from runner.money.ledger import Attempt, LedgerEntry, sum_rows, verify
from runner.money.reservation import ReservationState

ATTEMPT = Attempt(
    id="t1.1",
    time_ms=0,
    bot="b",
    platform="telegram",
    channel="telegram",
    conversation="c",
    user="u",
    turn="t1",
    provider="echo",
    model="echo",
    price_version="test",
)


def entry(state: ReservationState, cost: int, *scopes: str) -> LedgerEntry:
    return LedgerEntry(ATTEMPT, scopes, state, hold=Money(100), cost=Money(cost))


ROWS = [
    entry(ReservationState.SETTLED, 40, "bot", "user"),
    entry(ReservationState.SETTLED, -10, "bot"),
    entry(ReservationState.UNKNOWN, 100, "bot"),
    entry(ReservationState.HELD, 7, "bot", "user"),
    entry(ReservationState.RELEASED, 0, "bot", "team"),
]
TOTALS = {
    "bot": Counter(30, 100, 7),
    "user": Counter(40, 0, 7),
    "team": Counter(),
}


def test_rows_add_up_scope_by_scope() -> None:
    assert sum_rows(ROWS) == TOTALS
    assert sum_rows([]) == {}


def test_right_books_have_no_difference() -> None:
    assert verify(TOTALS, ROWS) == []
    assert verify({}, []) == []


@pytest.mark.parametrize(
    ("counters", "said"),
    [
        (
            TOTALS | {"user": Counter(41, 0, 7)},
            "user: settled 0.000000000041 (rows: 0.00000000004)",
        ),
        (
            TOTALS | {"bot": Counter(30, 99, 7)},
            "bot: unknown 0.000000000099 (rows: 0.0000000001)",
        ),
        (TOTALS | {"team": Counter(held=1)}, "team: held 0.000000000001 (rows: 0.00)"),
        (TOTALS | {"ghost": Counter(1)}, "ghost: settled 0.000000000001 (rows: 0.00)"),
        (
            {"user": TOTALS["user"], "team": Counter()},
            (
                "bot: settled 0.00 (rows: 0.00000000003), unknown 0.00 (rows: 0.0000000001), "
                "held 0.00 (rows: 0.000000000007)"
            ),
        ),
    ],
)
def test_a_difference_is_named(counters: dict[str, Counter], said: str) -> None:
    assert [str(difference) for difference in verify(counters, ROWS)] == [said]


def test_differences_come_in_order() -> None:
    assert [difference.scope for difference in verify({}, ROWS)] == ["bot", "user"]
