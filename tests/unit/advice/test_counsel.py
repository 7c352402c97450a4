"""How figures of advice are written, and in which order they come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from runner.advice.counsel import Advice, Kind, count, in_order, scalar, usd, worth
from runner.money.amounts import Money, from_usd


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "0.00 USD"),
        ("12.349", "12.34 USD"),
        ("0.04239", "0.0423 USD"),
        ("0.00123", "0.0012 USD"),
        ("0.000000000001", "0.000000000001 USD"),
        ("-3.5", "-3.50 USD"),
    ],
)
def test_an_amount_is_never_told_larger_than_it_is(amount: str, text: str) -> None:
    assert usd(from_usd(amount)) == text


@given(st.integers(-(10**15), 10**15))
def test_an_amount_is_near_what_it_is(amount: int) -> None:
    shown = from_usd(usd(Money(amount)).removesuffix(" USD"))
    assert abs(shown) <= abs(amount)
    assert abs(amount) - abs(shown) <= max(10**10, abs(amount) // 10)


@given(st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=12))
def test_a_name_is_read_back_as_it_was(name: str) -> None:
    read = YAML(typ="safe", pure=True).load(f"{{{scalar(name)}: {{x: {scalar(name)}}}}}")
    assert read == {name: {"x": name}}


@pytest.mark.parametrize("name", ["claude-haiku-4-5", "meta-llama/llama-3.3:free", "faq", "gpt-5.4"])
def test_a_plain_name_stays_plain(name: str) -> None:
    assert scalar(name) == name


@pytest.mark.parametrize("name", ["@cf/meta/llama", "on", "1", "no", "null", "a: b", ""])
def test_what_yaml_would_take_for_something_else_is_quoted(name: str) -> None:
    assert scalar(name) == f'"{name}"'


def test_what_saves_most_comes_first_and_what_saves_nothing_last() -> None:
    some = [
        Advice(Kind.CAP, "a", "", ""),
        Advice(Kind.MODEL, "b", "", "", Money(1)),
        Advice(Kind.CACHE, "a", "", "", Money(5)),
        Advice(Kind.LOOPS, "a", "", "", Money(1)),
    ]
    assert [one.kind for one in in_order(some)] == [Kind.CACHE, Kind.LOOPS, Kind.MODEL, Kind.CAP]


def test_what_is_worth_telling() -> None:
    assert worth(1, 100)
    assert not worth(1, 101)
    assert not worth(0, 0)


def test_counting() -> None:
    assert (count(1, "call"), count(1204, "call"), count(2, "of them", "of them")) == (
        "1 call",
        "1,204 calls",
        "2 of them",
    )
