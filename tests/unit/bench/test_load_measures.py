"""How the benches make one figure out of many."""

import pytest

from bench.conversations.memory import slope
from bench.load.measures import added_ms, medians, percentile, ratio


@pytest.mark.parametrize(
    ("share", "value"), [(0.0, 1.0), (0.01, 1.0), (0.5, 5.0), (0.51, 6.0), (0.99, 10.0), (1.0, 10.0)]
)
def test_a_percentile_is_one_of_the_values(share: float, value: float) -> None:
    assert percentile([float(number) for number in range(10, 0, -1)], share) == value


def test_a_single_value_is_each_percentile() -> None:
    assert percentile([7.0], 0.5) == percentile([7.0], 0.99) == 7.0


def test_the_models_own_time_is_not_the_bots() -> None:
    assert added_ms([0.81, 0.83], 0.8) == pytest.approx([10, 30])


def test_one_bad_round_does_not_move_a_median() -> None:
    assert medians([{"a": 1.0}, {"a": 99.0, "b": 5.0}, {"a": 2.0}]) == {"a": 2.0, "b": 5.0}


def test_a_ratio_to_nothing_is_none() -> None:
    assert ratio(3.0, 4.0) == 0.75
    assert ratio(3.0, 0.0) is None


def test_the_slope_is_of_the_run_and_not_of_one_sample() -> None:
    assert slope([10.0, 11.0, 50.0, 13.0, 14.0]) == pytest.approx(1.0)
    assert slope([89.4, 89.4, 89.4]) == 0
    assert slope([1.0]) == 0
