"""What was not paid."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.money.amounts import ZERO, Money
from runner.money.prices import Price, Rates
from runner.money.savings import NOTHING_SAVED, Savings, by_batches, by_caching, by_kept
from runner.money.usage import NO_USAGE, Usage

USD = 10**12
SONNET = Rates(
    input=3 * USD,
    output=15 * USD,
    cache_read=3 * USD // 10,
    cache_write_5m=15 * USD // 4,
    cache_write_1h=6 * USD,
)
PLAIN = Rates(input=3 * USD, output=15 * USD)

counts = st.integers(0, 10**7)
rates = st.builds(
    Rates,
    input=counts,
    output=counts,
    cache_read=st.none() | counts,
    cache_write_5m=st.none() | counts,
    cache_write_1h=st.none() | counts,
)
usages = st.builds(
    lambda plain, read, minutes, hour, out: Usage(plain + read + minutes + hour, out, read, minutes, hour),
    *[counts] * 5,
)


def test_reads_save_and_writes_cost() -> None:
    assert by_caching(Usage(1_000_000, cache_read_tokens=1_000_000), SONNET) == 27 * USD // 10
    assert by_caching(Usage(1_000_000, cache_write_5m_tokens=1_000_000), SONNET) == -75 * USD // 100
    assert by_caching(Usage(1_000_000, cache_write_1h_tokens=1_000_000), SONNET) == -3 * USD
    # A prefix of 2,000 tokens, written once and read nine times.
    usage = Usage(20_000, 500, 18_000, 2_000)
    assert by_caching(usage, SONNET) == (18_000 * 27 - 2_000 * 75 // 10) * 100_000


def test_a_kind_without_a_price_saves_nothing() -> None:
    assert by_caching(Usage(90, 10, 30, 30, 30), PLAIN) == ZERO


def test_a_batch_saves_on_what_caching_left() -> None:
    usage = Usage(1_000_000, 100_000, cache_read_tokens=500_000)
    usual = 15 * USD // 10 + 15 * USD // 100 + 15 * USD // 10
    assert by_batches(usage, SONNET, 50) == usual // 2
    assert by_batches(usage, SONNET, 100) == ZERO


def test_what_is_not_whole_is_not_claimed() -> None:
    one = Rates(input=3, output=0, cache_read=2, cache_write_5m=4)
    assert by_caching(Usage(1, cache_read_tokens=1), one) == 0
    assert by_caching(Usage(1, cache_write_5m_tokens=1), one) == -1
    assert by_batches(Usage(1), one, 50) == 0


@pytest.mark.parametrize(("hits", "cost", "calls", "saved"), [(3, 10, 4, 7), (3, 10, 0, 0), (0, 10, 4, 0)])
def test_a_kept_answer_saves_what_a_call_like_it_costs(hits: int, cost: int, calls: int, saved: int) -> None:
    assert by_kept(hits, Money(cost), calls) == saved


def test_savings_add_up() -> None:
    both = Savings(Money(-3), Money(5), Money(7), 2) + Savings(Money(1), Money(1), Money(1), 1)
    assert both == Savings(Money(-2), Money(6), Money(8), 3)
    assert both.total == 12
    assert NOTHING_SAVED.total == by_caching(NO_USAGE, SONNET) == ZERO


@given(usage=usages, rates=rates, percent=st.integers(0, 100))
def test_what_was_paid_and_what_was_saved_are_the_whole(usage: Usage, rates: Rates, percent: int) -> None:
    """Within the pico-dollar that each figure is rounded by."""
    plain = Price("m", "p", Rates(rates.input, rates.output)).cost(usage)
    usual = Price("m", "p", rates).cost(usage)
    assert 0 <= plain - by_caching(usage, rates) - usual <= 1
    batch = -(-usual * percent // 100)
    assert abs(usual - by_batches(usage, rates, percent) - batch) <= 2
    assert by_batches(usage, rates, percent) <= usual
