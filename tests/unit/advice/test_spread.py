"""Answers by their length: exact where they are short, near where they are long."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.advice.spread import Spread

tokens = st.integers(0, 200_000)


def spread(lengths: list[int], rate: int = 1) -> Spread:
    made = Spread()
    for length in lengths:
        made.add(length, rate)
    return made


def test_percentiles_by_hand() -> None:
    made = spread([*range(1, 101)])
    assert [made.percentile(at) for at in (1, 50, 95, 99, 100)] == [1, 50, 95, 99, 100]
    assert (made.answers, made.largest) == (100, 100)


def test_of_no_answers() -> None:
    assert (Spread().percentile(99), Spread().above(1), Spread().largest) == (0, (0, 0), 0)


def test_what_a_limit_would_have_cut() -> None:
    made = spread([100, 256, 257, 1000], rate=3)
    assert made.above(256) == (2, 3 * (1 + 744))
    assert made.above(1000) == (0, 0)


@given(st.lists(tokens, min_size=1, max_size=60), st.integers(1, 100))
def test_a_percentile_is_no_smaller_than_it_is_and_near(lengths: list[int], percent: int) -> None:
    real = sorted(lengths)[(len(lengths) * percent + 99) // 100 - 1]
    assert real <= spread(lengths).percentile(percent) <= real + real // 400


@given(st.lists(tokens, max_size=60), st.integers(1, 800))
def test_what_is_cut_at_a_multiple_of_256_is_exact(lengths: list[int], times: int) -> None:
    limit = 256 * times
    beyond = [length - limit for length in lengths if length > limit]
    assert spread(lengths).above(limit) == (len(beyond), sum(beyond))


@given(st.lists(st.integers(0, 10**7), max_size=40), st.integers(1, 10**7))
def test_no_limit_cuts_more_than_there_is(lengths: list[int], limit: int) -> None:
    beyond = [length - limit for length in lengths if length > limit]
    answers, cut = spread(lengths).above(limit)
    assert answers <= len(beyond)
    assert cut <= sum(beyond)


def test_it_stays_small() -> None:
    chance = random.Random(7)
    made = spread([chance.randrange(130_000) for _ in range(50_000)])
    assert len(made._steps) < 6_000


@pytest.mark.parametrize("rate", [0, 5])
def test_worth_is_by_the_rate_of_each_answer(rate: int) -> None:
    made = spread([300], rate=rate)
    made.add(300, 2)
    assert made.above(256) == (2, 44 * (rate + 2))
