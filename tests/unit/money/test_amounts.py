"""Text and cents at the edge, pico-dollars inside."""

import pytest

from runner.money.amounts import (
    MAX_AMOUNT,
    BadAmount,
    Money,
    ceil_div,
    from_cents,
    from_usd,
    to_cents,
    to_usd,
)


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("0", 0),
        ("5.00", 5 * 10**12),
        (" 1 ", 10**12),
        (".5", 5 * 10**11),
        ("5.", 5 * 10**12),
        ("+0.15", 15 * 10**10),
        ("1e-6", 10**6),
        ("2E3", 2 * 10**15),
        ("0.000000000001", 1),
        ("-1.50", -15 * 10**11),
        ("9000000", MAX_AMOUNT),
    ],
)
def test_a_text_of_dollars_is_read_exactly(text: str, amount: int) -> None:
    assert from_usd(text) == amount


@pytest.mark.parametrize(
    ("text", "amount"),
    [("0.0000000000001", 1), ("0.0000000000011", 2), ("-0.0000000000019", -1), ("1e-99", 1)],
)
def test_what_is_finer_than_a_pico_dollar_is_rounded_up(text: str, amount: int) -> None:
    assert from_usd(text) == amount


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        ".",
        "-",
        "five",
        "1,50",
        "1_000",
        "0x10",
        "1.2.3",
        "e5",
        "nan",
        "inf",
        "--1",
        "$5",
        "\u0661",  # a digit, but not one of ours
        "1" * 31,
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(BadAmount, match=r"is not an amount in US dollars"):
        from_usd(text)


@pytest.mark.parametrize("text", ["9000000.000000000001", "-9000001", "1e999"])
def test_more_than_a_column_holds_is_refused(text: str) -> None:
    with pytest.raises(BadAmount, match="at most 9000000"):
        from_usd(text)


@pytest.mark.parametrize("text", ["1e-999999999", "0e999999999", "9" * 10_000, "0." + "1" * 10_000])
def test_a_text_made_to_keep_us_busy_is_refused_at_once(text: str) -> None:
    with pytest.raises(BadAmount) as refusal:
        from_usd(text)
    assert len(str(refusal.value)) < 120


@pytest.mark.parametrize("text", ["$" * 41, "9" * 30 + "." + "0" * 41])
def test_of_a_text_that_is_refused_forty_characters_are_told(text: str) -> None:
    with pytest.raises(BadAmount) as refusal:
        from_usd(text)
    assert str(refusal.value).startswith(f"{text[:40]!r} is not an amount ")


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("0.0000000000015", 2),
        ("0.00000000000150", 2),
        ("0.000000000001001", 2),
        ("1.5e-12", 2),
        ("150e-14", 2),
    ],
)
def test_what_is_less_than_a_pico_dollar_is_rounded_up(text: str, amount: int) -> None:
    assert from_usd(text) == amount


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0.00"),
        (15 * 10**11, "1.50"),
        (1, "0.000000000001"),
        (-1, "-0.000000000001"),
        (-25 * 10**11, "-2.50"),
        (MAX_AMOUNT, "9000000.00"),
        (123_450_000_000, "0.12345"),
    ],
)
def test_an_amount_is_written_exactly(amount: int, text: str) -> None:
    assert to_usd(Money(amount)) == text


def test_cents_are_the_ceiling_of_one_figure() -> None:
    assert [to_cents(Money(amount)) for amount in (0, 1, 10**10, 10**10 + 1)] == [0, 1, 1, 2]
    assert to_cents(from_cents(500)) == 500
    assert from_cents(500) == from_usd("5.00")


@pytest.mark.parametrize(("a", "b", "up"), [(7, 2, 4), (8, 2, 4), (0, 5, 0), (-7, 2, -3), (1, 10**30, 1)])
def test_division_rounds_up(a: int, b: int, up: int) -> None:
    assert ceil_div(a, b) == up
