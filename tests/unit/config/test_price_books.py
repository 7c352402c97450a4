"""The shipped books, and the rows that an operator writes."""

import re
from importlib import resources

import pytest
from ruamel.yaml import YAML

from runner.config.price_books import BookName, load_book, price_rows, read_book
from runner.config.price_text import UnreadableBook, read_text
from runner.money.amounts import from_usd
from runner.money.prices import ANY_PROVIDER, ModelLimits, PriceBook, Rates, Tier

USD = 10**12
BOOKS: list[BookName] = ["default", "seed"]
FILES = {"default": "prices.yaml", "seed": "prices.seed.yaml"}
NOTHING = PriceBook("none")


def text_of(name: BookName) -> str:
    return resources.files("runner.money").joinpath(FILES[name]).read_text(encoding="utf-8")


# ── the shipped books ────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("name", BOOKS)
def test_a_real_yaml_parser_reads_the_same(name: BookName) -> None:
    by_yaml = YAML(typ="safe", pure=True).load(text_of(name))
    ours = read_text(text_of(name))
    assert {**ours.head, **ours.providers} == by_yaml


@pytest.mark.parametrize("name", BOOKS)
def test_each_row_can_be_checked_by_a_person(name: BookName) -> None:
    for price in load_book(name).models():
        assert price.source, price.model
        assert re.fullmatch(rf"{name} 20\d\d-\d\d-\d\d", price.version), price.model


@pytest.mark.parametrize("name", BOOKS)
def test_a_book_is_as_old_as_its_newest_row(name: BookName) -> None:
    newest = max(price.version for price in load_book(name).models())
    assert newest == f"{name} {read_text(text_of(name)).head['version']}"


@pytest.mark.parametrize("name", BOOKS)
def test_an_alias_leads_to_a_row_and_hides_none(name: BookName) -> None:
    book = load_book(name)
    for (provider, alias), model in book.aliases.items():
        assert (provider, model) in book.rows
        assert (provider, alias) not in book.rows


@pytest.mark.parametrize("name", BOOKS)
def test_what_costs_nothing_says_so(name: BookName) -> None:
    for price in load_book(name).models():
        assert price.is_free == ("Free on purpose" in price.note), price.model


@pytest.mark.parametrize(
    ("provider", "model", "seed", "default"),
    [
        ("anthropic", "claude-haiku-4-5", "0.80 4.00", "1.00 5.00"),
        ("anthropic", "claude-haiku-4-5-20251001", "0.80 4.00", "1.00 5.00"),
        ("anthropic", "claude-sonnet-4-6", "3.00 15.00", "3.00 15.00"),
        ("anthropic", "claude-opus-4-6", "15.00 75.00", "5.00 25.00"),
        ("anthropic", "claude-opus-4-8", None, "5.00 25.00"),
        ("openai", "gpt-4o", "2.50 10.00", "2.50 10.00"),
        ("openai", "gpt-4o-mini", "0.15 0.60", "0.15 0.60"),
        ("openai", "o1", "15.00 60.00", "15.00 60.00"),
        ("gemini", "gemini-2.5-pro", "1.25 5.00", "1.25 10.00"),
        ("gemini", "gemini-2.5-flash", "0.15 0.60", "0.30 2.50"),
        ("groq", "llama-3.3-70b-versatile", "0.59 0.79", "0.59 0.79"),
        ("groq", "mixtral-8x7b-32768", "0.24 0.24", "0.24 0.24"),
        ("openrouter", "meta-llama/llama-3.1-70b-instruct:free", "0.00 0.00", "0.00 0.00"),
        ("openrouter", "mistralai/mistral-7b-instruct:free", "0.00 0.00", "0.00 0.00"),
        ("openrouter", "google/gemma-2-9b-it:free", "0.00 0.00", "0.00 0.00"),
        ("ollama", "llama3.2", None, "0.00 0.00"),
        ("echo", "echo", "1.00 5.00", "1.00 5.00"),
        ("openai", "whisper-1", None, "100.00 0.00"),
        ("groq", "whisper-large-v3-turbo", None, "11.111111111112 0.00"),
    ],
)
def test_the_models_of_the_seeds(provider: str, model: str, seed: str | None, default: str) -> None:
    for name, expected in zip(BOOKS, (default, seed), strict=True):
        price = load_book(name).find(provider, model)
        found = (price.rates.input, price.rates.output) if price else None
        assert found == (tuple(map(from_usd, expected.split())) if expected else None), name


def test_a_cliff_is_in_the_book() -> None:
    pro = load_book("default").find("gemini", "gemini-2.5-pro")
    assert pro is not None
    assert pro.tiers == (Tier(200_000, Rates(5 * USD // 2, 15 * USD, USD // 4)),)


def test_the_offline_row_says_that_it_is_made_up() -> None:
    for name in BOOKS:
        echo = load_book(name).find("echo", "echo")
        assert echo is not None
        assert "Made up" in echo.note


@pytest.mark.parametrize(
    "ids",
    [("anthropic", "claude-haiku"), ("ollama", "gpt-oss:120b-cloud"), ("house", "gpt-4o"), ("openai", "")],
)
def test_what_is_not_in_the_book_has_no_price(ids: tuple[str, str]) -> None:
    assert load_book("default").find(*ids) is None


# ── how a book is written ────────────────────────────────────────────────────────────────────────────────
GOOD = """
# a comment
version: "7"

p:
  every: {source: "here", date: "2026-01-01"}
  m: {input: "1", output: "2",
    # between lines
    tiers: [{above_input_tokens: 10, input: "3", output: "4"}],
    limits: {thinks: true, temperature: false, image_tokens: 7}, aliases: [m-1, "m:2"]}
  "n:free": {input: "0", output: "0"}
"""


def test_a_small_book() -> None:
    book = read_book("small", GOOD)
    price = book.find("p", "m:2")
    assert price is not None
    assert price is book.find("p", "m-1")
    assert (price.source, price.version) == ("here", "small 2026-01-01")
    assert price.limits == ModelLimits(thinks=True, temperature=False, image_tokens=7)
    assert price.tiers == (Tier(10, Rates(3 * USD, 4 * USD)),)
    free = book.find("p", "n:free")
    assert free is not None
    assert free.is_free


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("p:\n  m: {input: 1", "line 2: a brace is missing"),
        ("p:\n  m: {input: two words}", "line 2: not understood"),
        ("p:\n  m: [1]", "line 2: braces expected"),
        ("p:\n  m: {}\n  m: {}", "line 3: m is there twice"),
        ("p:\np:\n", "line 2: p is there twice"),
        ("  m: {}", "line 1: m is indented, but not as a row"),
        ("p:\n   m: {}", "line 2: m is indented, but not as a row"),
        ("version: 7", "line 1: a quoted text expected"),
        ("- list", "line 1: not understood"),
        ('p:\n  m: {input: "1"} # said here', "line 2: not understood"),
    ],
)
def test_what_is_not_understood_is_refused(text: str, why: str) -> None:
    with pytest.raises(UnreadableBook, match=re.escape(why)):
        read_text(text)


def test_a_book_with_faults_names_them_all() -> None:
    with pytest.raises(
        UnreadableBook, match=r"p\.m\.inptu: unknown field.*p\.m\.input: missing.*p\.m\.output: .*'x'"
    ):
        read_book("bad", 'p:\n  m: {inptu: "1", output: "x"}')


# ── an operator's rows ───────────────────────────────────────────────────────────────────────────────────
def test_a_row_for_any_provider() -> None:
    read = price_rows({"my-model": {"input": "0.10", "output": "0.40", "note": "ours"}}, NOTHING)
    (price,) = read.rows
    assert not read.problems
    assert (price.provider, price.model, price.note) == (ANY_PROVIDER, "my-model", "ours")
    assert price.rates == Rates(USD // 10, 2 * USD // 5)
    assert price.version == "bots.yaml 0.10/0.40"


def test_a_whole_row() -> None:
    raw = {
        "provider": "house",
        "input": "1",
        "output": 2,
        "cache_read": "0.1",
        "cache_write_5m": "1.25",
        "cache_write_1h": "2",
        "tiers": [{"above_input_tokens": 100, "input": "2", "output": "4"}],
        "batch_percent": 50,
        "writes_unasked": True,
        "limits": {"context_tokens": 8_000, "max_output_tokens": 1_000, "temperature": False},
        "source": "the contract",
    }
    (price,) = price_rows({"m": raw}, NOTHING).rows
    assert price.provider == "house"
    assert price.rates == Rates(USD, 2 * USD, USD // 10, 5 * USD // 4, 2 * USD)
    assert price.tiers == (Tier(100, Rates(2 * USD, 4 * USD)),)
    assert price.limits == ModelLimits(context_tokens=8_000, max_output_tokens=1_000, temperature=False)
    assert (price.batch_percent, price.writes_unasked, price.source) == (50, True, "the contract")


@pytest.mark.parametrize("provider", [{}, {"provider": "openai"}])
def test_a_row_that_replaces_another_keeps_the_models_limits(provider: dict[str, str]) -> None:
    shipped = load_book("default")
    known = shipped.find("openai", "o1")
    assert known is not None
    raw = {"input": "1", "output": "2", "limits": {"max_output_tokens": 5}, **provider}
    (price,) = price_rows({"o1": raw}, shipped).rows
    assert price.limits == ModelLimits(
        known.limits.context_tokens,
        5,
        known.limits.min_cacheable_tokens,
        1275,
        thinks=True,
        temperature=False,
    )
    assert shipped.with_rows([price]).find("openai", "o1") is price


@pytest.mark.parametrize(
    ("raw", "path", "message"),
    [
        ("0.10", (), "expected a row such as"),
        ({"output": "1"}, ("input",), "missing"),
        ({"input": "1", "output": 0.4}, ("output",), "in quotes"),
        ({"input": True, "output": "1"}, ("input",), "in quotes"),
        ({"input": None, "output": "1"}, ("input",), "in quotes"),
        ({"input": "cheap", "output": "1"}, ("input",), "not an amount"),
        ({"input": "-1", "output": "1"}, ("input",), "never below zero"),
        ({"input": "1", "output": "1", "cache_raed": "1"}, ("cache_raed",), "did you mean cache_read?"),
        ({"input": "1", "output": "1", 7: "1"}, (7,), "unknown field"),
        ({"input": "1", "output": "1", "aliases": ["x"]}, ("aliases",), "unknown field"),
        ({"input": "1", "output": "1", "provider": 7}, ("provider",), "expected a text"),
        ({"input": "1", "output": "1", "batch_percent": 101}, ("batch_percent",), "from 1 to 100"),
        ({"input": "1", "output": "1", "batch_percent": "50"}, ("batch_percent",), "from 1 to 100"),
        ({"input": "1", "output": "1", "writes_unasked": "yes"}, ("writes_unasked",), "true or false"),
        ({"input": "1", "output": "1", "limits": []}, ("limits",), "expected fields of context_tokens"),
        ({"input": "1", "output": "1", "limits": {"context": 1}}, ("limits", "context"), "unknown field"),
        (
            {"input": "1", "output": "1", "limits": {"context_tokens": 0}},
            ("limits", "context_tokens"),
            "from 1",
        ),
        ({"input": "1", "output": "1", "limits": {"thinks": 1}}, ("limits", "thinks"), "true or false"),
        ({"input": "1", "output": "1", "tiers": "x"}, ("tiers",), "expected a list"),
        ({"input": "1", "output": "1", "tiers": [7]}, ("tiers", 0), "expected {above_input_tokens"),
        (
            {"input": "1", "output": "1", "tiers": [{"input": "1", "output": "1"}]},
            ("tiers", 0, "above_input_tokens"),
            "missing",
        ),
        (
            {"input": "1", "output": "1", "tiers": [{"above_input_tokens": 5, "output": "1"}]},
            ("tiers", 0, "input"),
            "missing",
        ),
        (
            {
                "input": "1",
                "output": "1",
                "tiers": [{"above_input_tokens": 5, "input": "1", "output": "1"}] * 2,
            },
            ("tiers", 1, "above_input_tokens"),
            "upwards",
        ),
    ],
)
def test_a_fault_says_where_and_what(raw: object, path: tuple[str | int, ...], message: str) -> None:
    read = price_rows({"good": {"input": "1", "output": "1"}, "m": raw}, NOTHING)
    assert [price.model for price in read.rows] == ["good"]
    (problem,) = read.problems
    assert problem.path == ("m", *path)
    assert message in problem.message


def test_all_faults_are_found_at_once() -> None:
    read = price_rows({"a": {"input": 0.1}, "b": 7, "c": {"tiers": [{"input": "x"}]}}, NOTHING)
    assert not read.rows
    assert {problem.path[0] for problem in read.problems} == {"a", "b", "c"}
    assert len(read.problems) == 6
