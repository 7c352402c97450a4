"""A price in the wrong unit is refused before a cap is built on it."""

from typing import Any

import pytest

from runner.config.loader import parse
from runner.config.price_books import PriceRows, load_book, price_rows
from runner.config.price_sanity import SUSPICIOUS
from runner.config.problems import Problems
from runner.config.secrets import Sources
from runner.config.settings import Loaded
from runner.money.amounts import from_usd
from runner.money.prices import Price, PriceBook, Rates

BOOK = load_book("default")
HINT = "or, where it is right, add confirm: true to the row"


def small_book(*rates: tuple[str, str]) -> PriceBook:
    """A book of models m0, m1, … of the provider p."""
    return PriceBook(
        "small",
        {
            ("p", f"m{n}"): Price(f"m{n}", "p", Rates(from_usd(i), from_usd(o)))
            for n, (i, o) in enumerate(rates)
        },
    )


def read(model: str, book: PriceBook = BOOK, **row: Any) -> PriceRows:
    return price_rows({model: row}, book)


def only_doubt(rows: PriceRows) -> tuple[tuple[str | int, ...], str]:
    assert not rows.rows
    (problem,) = rows.problems
    return problem.path, problem.message


def test_what_was_meant_by_the_token() -> None:
    path, message = only_doubt(read("gpt-4o", input="0.0000025", output="10"))
    assert path == ("gpt-4o", "input")
    assert message == (
        "0.0000025 USD per million input tokens is 1000000 times less than the shipped price, 2.50:"
        f" did you write USD per token? Write USD per million tokens, {HINT}"
    )


def test_what_was_meant_by_the_thousand() -> None:
    path, message = only_doubt(read("gpt-4o", input="2.5", output="0.01"))
    assert path == ("gpt-4o", "output")
    assert "1000 times less than the shipped price, 10.00: did you write USD per thousand tokens?" in message


def test_what_is_far_too_dear() -> None:
    path, message = only_doubt(read("gpt-4o", input="2500", output="10"))
    assert path == ("gpt-4o", "input")
    assert "2500.00 USD per million input tokens is 1000 times more than the shipped price, 2.50" in message


@pytest.mark.parametrize("provider", [{}, {"provider": "house"}, {"provider": "openai"}])
def test_a_model_is_the_same_at_any_provider(provider: dict[str, Any]) -> None:
    assert read("gpt-4o", input="0.0026", output="10", **provider).rows
    assert "the shipped price" in only_doubt(read("gpt-4o", input="0.0025", output="10", **provider))[1]


def test_a_model_that_is_not_in_the_book_is_held_beside_its_middle() -> None:
    book = small_book(("1", "5"), ("2", "10"), ("0", "0"), ("4", "20"))
    path, message = only_doubt(read("mine", book, input="0.002", output="9"))
    assert path == ("mine", "input")
    assert "is 1000 times less than what the book's models cost in the middle, 2.00" in message
    assert read("mine", book, input="0.003", output="9").rows
    assert only_doubt(read("mine", book, input="2", output="10000"))[0] == ("mine", "output")


def test_exactly_the_bounds() -> None:
    book = small_book(("1", "1"))
    just_above, just_below = "0.001000000001", "999.999999999999"
    assert read("m0", book, input=just_above, output=just_below).rows
    rows = read("m0", book, input="0.001", output=str(SUSPICIOUS))
    assert [problem.path for problem in rows.problems] == [("m0", "input"), ("m0", "output")]


def test_caches_and_tiers_are_looked_at_too() -> None:
    row: dict[str, Any] = {"input": "3", "output": "15", "cache_read": "0.0000003"}
    rows = read(
        "claude-sonnet-4-6",
        **row,
        cache_write_1h="0.000006",
        tiers=[{"above_input_tokens": 200_000, "input": "6", "output": "0.00002"}],
    )
    assert [problem.path[1:] for problem in rows.problems] == [
        ("cache_read",),
        ("cache_write_1h",),
        ("tiers", 0, "output"),
    ]
    assert "million cache write 1h tokens" in rows.problems[1].message


def test_speech_is_held_beside_speech() -> None:
    limits = {"min_audio_seconds": 1}
    assert read("my-ear", input="111", output="0", limits=limits).rows
    path, message = only_doubt(read("my-ear", input="0.006", output="0", limits=limits))
    assert path == ("my-ear", "input")
    assert "per million input seconds" in message
    assert "did you write USD per second, minute or hour?" in message


@pytest.mark.parametrize("model", ["gpt-4o", "mine", "llama3.2"])
def test_zeros_are_free_on_purpose(model: str) -> None:
    (price,) = read(model, input="0", output="0", cache_read="0").rows
    assert price.is_free


def test_a_confirmed_row_is_taken_as_it_is() -> None:
    (price,) = read("gpt-4o", input="0.0001", output="5000", confirm=True).rows
    assert price.rates == Rates(from_usd("0.0001"), from_usd("5000"))
    assert only_doubt(read("gpt-4o", input="0.0001", output="10", confirm=False))[0] == ("gpt-4o", "input")
    assert only_doubt(read("gpt-4o", input="1", output="1", confirm="yes"))[1] == "expected true or false"


def test_an_empty_book_has_no_neighbours() -> None:
    assert read("mine", PriceBook("none"), input="0.0000001", output="99999").rows


@pytest.mark.parametrize("name", ["default", "seed"])
def test_no_shipped_row_would_be_doubted(name: Any) -> None:
    book = load_book(name)
    for price in book.models():
        rest = PriceBook(name, {key: row for key, row in book.rows.items() if row is not price})
        rows = price_rows({"another": {**usd(price.rates), "limits": limits(price)}}, rest)
        assert rows.problems == (), price.model


def usd(rates: Rates) -> dict[str, str]:
    return {
        kind: f"{rate // 10**12}.{rate % 10**12:012d}"
        for kind in ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
        if (rate := getattr(rates, kind)) is not None
    }


def limits(price: Price) -> dict[str, int]:
    seconds = price.limits.min_audio_seconds
    return {} if seconds is None else {"min_audio_seconds": seconds}


def test_it_is_told_at_its_line() -> None:
    text = """\
bots: {b: {platform: custom, llm_provider: echo, llm_model: echo}}
prices:
  gpt-4o:
    input: "0.0000025"
    output: "10"
"""
    sources = Sources({"HOME": "/home/op"})
    result = parse(text, "bots.yaml", sources)
    assert isinstance(result, Problems)
    assert str(result).startswith("bots.yaml:4: prices.gpt-4o.input: 0.0000025 USD per million input tokens")
    assert isinstance(parse(f"{text}    confirm: true\n", "bots.yaml", sources), Loaded)


def test_the_version_of_a_row_changes_with_each_price() -> None:
    plain: dict[str, Any] = {"input": "1", "output": "2"}
    others: list[dict[str, Any]] = [
        {"cache_read": "0.1"},
        {"cache_read": "0.2"},
        {"cache_write_5m": "0.1"},
        {"batch_percent": 50},
        {"tiers": [{"above_input_tokens": 5, "input": "2", "output": "4"}]},
        {"tiers": [{"above_input_tokens": 6, "input": "2", "output": "4"}]},
    ]
    versions = [
        price.version
        for other in ({}, *others)
        for price in read("m", PriceBook("none"), **plain, **other).rows
    ]
    assert versions[0] == "bots.yaml 1/2"
    assert all(version.startswith("bots.yaml 1/2 ") for version in versions[1:])
    assert len(set(versions)) == len(others) + 1
    assert read("m", **plain, note="another word").rows[0].version == "bots.yaml 1/2"
