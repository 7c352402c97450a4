"""The rows and the counters say the same, to the pico-dollar."""

from dataclasses import replace
from itertools import permutations

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


def test_a_scope_that_was_never_used_is_no_difference() -> None:
    assert verify({"new": Counter()}, []) == []
    assert verify({}, [entry(ReservationState.RELEASED, 0, "bot")]) == []


def test_sums_keep_what_came_before() -> None:
    held, unknown, settled = (
        entry(state, amount, "bot")
        for state, amount in (
            (ReservationState.HELD, 1),
            (ReservationState.UNKNOWN, 20),
            (ReservationState.SETTLED, 300),
        )
    )
    for rows in permutations([held, unknown, settled]):
        assert sum_rows(rows) == {"bot": Counter(300, 20, 1)}


# ── tokens ───────────────────────────────────────────────────────────────────────────────────────────────
TOKENS = "plan-tokens:p@2026-11"


def test_what_stands_in_a_scope_is_in_its_measure() -> None:
    row = replace(entry(ReservationState.SETTLED, 40, "bot", TOKENS), tokens=7)
    assert (row.stands("bot"), row.stands(TOKENS)) == (40, 7)
    assert sum_rows([row]) == {"bot": Counter(40), TOKENS: Counter(7)}


def test_a_difference_of_tokens_is_told_in_tokens() -> None:
    [difference] = verify({TOKENS: Counter(41, 5)}, [])
    assert str(difference) == f"{TOKENS}: settled 41 (rows: 0), unknown 5 (rows: 0)"
