"""One shape of usage, and no shape that contradicts itself."""

import pytest

from runner.money.usage import NO_USAGE, BadUsage, Usage


def test_what_is_left_of_the_input_is_plain() -> None:
    usage = Usage(100, 50, cache_read_tokens=30, cache_write_5m_tokens=20, cache_write_1h_tokens=10)
    assert usage.plain_input_tokens == 40
    assert usage.total_tokens == 150


def test_usages_add_up_kind_by_kind() -> None:
    one = Usage(100, 50, 30, 20, 10, 5)
    assert one + Usage(9, 6, 1, 2, 3, 5) == Usage(109, 56, 31, 22, 13, 10)
    assert one + NO_USAGE == one


@pytest.mark.parametrize(
    ("counts", "why"),
    [
        ({"input_tokens": -1}, "negative"),
        ({"output_tokens": -1}, "negative"),
        ({"input_tokens": 5, "cache_read_tokens": 6}, "more cached tokens than input tokens$"),
        (
            {"input_tokens": 5, "cache_read_tokens": 3, "cache_write_5m_tokens": 3},
            "more cached tokens than input tokens$",
        ),
        ({"output_tokens": 5, "reasoning_tokens": 6}, "more reasoning tokens than output tokens$"),
        ({"input_tokens": 5, "cache_write_1h_tokens": -1}, "negative"),
    ],
)
def test_a_usage_that_cannot_be_is_refused(counts: dict[str, int], why: str) -> None:
    with pytest.raises(BadUsage, match=f"^{why}"):
        Usage(**counts)
