"""How figures are written: whole digits, never prettier than the truth."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.money.amounts import PICO_PER_USD, Money, from_usd
from runner.money.savings import NOTHING_SAVED, Savings
from runner.testing.dashboard_bots import NOW
from runner.web.dashboard import wording
from runner.web.dashboard.wording import DAY, HOUR, MINUTE


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "$0.00"),
        ("12.3", "$12.30"),
        ("1234567.891", "$1,234,567.89"),
        ("1.005", "$1.01"),
        ("0.5", "$0.5000"),
        ("0.0042", "$0.0042"),
        ("0.00421875", "$0.0042"),
        ("0.00014999", "$0.00015"),
        ("0.0423456", "$0.0423"),
        ("0.0000031", "$0.0000031"),
        ("0.000000000001", "$0.000000000001"),
        ("-0.25", "\N{MINUS SIGN}$0.2500"),
        ("0.99999", "$1.0000"),
    ],
)
def test_an_amount_is_as_long_as_it_needs_to_be(amount: str, text: str) -> None:
    assert wording.usd(from_usd(amount)) == text


@given(st.integers(0, 9 * 10**18))
def test_what_is_shown_is_near_and_what_is_exact_is_exact(amount: int) -> None:
    shown = from_usd(wording.usd(Money(amount)).removeprefix("$").replace(",", ""))
    assert abs(shown - amount) <= (PICO_PER_USD // 200 if amount >= PICO_PER_USD else amount // 19)
    assert from_usd(wording.exact(Money(amount)).removeprefix("$")) == amount
    assert from_usd(wording.cents(Money(amount))) == amount


@given(st.integers(0, 9 * 10**18))
def test_what_is_left_is_never_shown_larger(amount: int) -> None:
    assert from_usd(wording.usd_left(Money(amount)).removeprefix("$").replace(",", "")) <= amount


def test_a_cap_that_is_not_reached_is_not_shown_as_reached() -> None:
    assert wording.percent(4_999_999, 5_000_000) == 99
    assert wording.percent(5, 5) == 100
    assert wording.percent(5, 0) == 0


@pytest.mark.parametrize(
    ("now", "before", "text"),
    [
        (110, 100, "+10 %"),
        (90, 100, "\N{MINUS SIGN}10 %"),
        (100, 100, "±0 %"),
        (5, 0, ""),
        (5, None, ""),
        (1_000_000, 10, "+9,999,900 %"),
    ],
)
def test_a_change_has_its_sign(now: int, before: int | None, text: str) -> None:
    assert wording.change(Money(now), None if before is None else Money(before)) == text


@pytest.mark.parametrize(
    ("gone", "text"),
    [
        (-5, "just now"),
        (59_999, "just now"),
        (MINUTE, "1 min ago"),
        (HOUR - 1, "59 min ago"),
        (5 * HOUR, "5 h ago"),
        (DAY, "1 day ago"),
        (13 * DAY, "13 days ago"),
        (14 * DAY, "8 Nov"),
    ],
)
def test_how_long_ago(gone: int, text: str) -> None:
    assert wording.ago(NOW - gone, NOW) == text


@pytest.mark.parametrize(
    ("left", "text"),
    [(-1, "0 s"), (40_000, "40 s"), (5 * MINUTE, "5 min"), (47 * HOUR, "47 h"), (2 * DAY, "2 days")],
)
def test_how_long_still(left: int, text: str) -> None:
    assert wording.span(left) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1k"),
        (1250, "1.2k"),
        (123_456, "123k"),
        (48_210_000, "48.2M"),
        (3 * 10**9, "3G"),
    ],
)
def test_counts_in_little_room(number: int, text: str) -> None:
    assert wording.short_count(number) == text


def test_moments_and_days() -> None:
    assert wording.stamp(NOW) == "22 Nov 2026, 10:00:00 UTC"
    assert wording.machine(NOW) == "2026-11-22T10:00:00.000Z"
    assert wording.long_day("2026-11-02") == "Mon 2 Nov 2026"
    assert wording.days_until("2026-03-01", 3) == ("2026-02-27", "2026-02-28", "2026-03-01")
    assert [wording.latency(ms) for ms in (0, 999, 1000, 12_345)] == ["0 ms", "999 ms", "1.0 s", "12.3 s"]
    assert [wording.counted(number, "call") for number in (0, 1, 1200)] == [
        "0 calls",
        "1 call",
        "1,200 calls",
    ]
    assert wording.counted(2, "retry", "retries") == "2 retries"


@pytest.mark.parametrize(
    ("saved", "text"),
    [
        (NOTHING_SAVED, "nothing by caching, batches or kept answers"),
        (Savings(caching=from_usd("-0.25")), "\N{MINUS SIGN}$0.2500 by caching"),
        (
            Savings(from_usd("1.2"), from_usd("3"), from_usd("0.4"), 3),
            "$1.20 by caching, $3.00 by batches, about $0.4000 by 3 kept answers",
        ),
    ],
)
def test_what_saved_how_much(saved: Savings, text: str) -> None:
    assert wording.saved_by(saved) == text
