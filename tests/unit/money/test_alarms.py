"""How far a limit is used up, and of which scopes that is told."""

import pytest

from runner.money.alarms import PERCENTAGES, SOFT, is_told, reached


@pytest.mark.parametrize(
    ("limit", "gone", "percent"),
    [
        (1000, 0, 0),
        (1000, 499, 0),
        (1000, 500, 50),
        (1000, 799, 50),
        (1000, 800, 80),
        (1000, 999, 80),
        (1000, 1000, 100),
        (1000, 5000, 100),
        (3, 1, 0),
        (3, 2, 50),
        (0, 0, 100),
        (-5, 0, 100),
        (10**18, 5 * 10**17 - 1, 0),
        (10**18, 5 * 10**17, 50),
    ],
)
def test_the_highest_percentage_that_is_used_up(limit: int, gone: int, percent: int) -> None:
    assert reached(limit, gone) == percent


def test_a_soft_limit_is_no_percentage() -> None:
    assert SOFT not in PERCENTAGES
    assert PERCENTAGES == (50, 80, 100)


@pytest.mark.parametrize(
    "scope", ["bot:b", "user:b/telegram/1@2026-11", "conversation:c", "team:b", "wallet"]
)
def test_limits_are_told(scope: str) -> None:
    assert is_told(scope)


def test_what_one_message_may_cost_is_not_worth_a_word() -> None:
    assert not is_told("message:t1")
    assert is_told("bot:message")
