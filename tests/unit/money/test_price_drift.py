"""The shipped book against the genai-prices package: each difference is known, and has its reason here.

A new difference fails: look at the provider's own page, then mend the book or write the reason down. A
difference that is gone fails too: take it off the list.
"""

import dataclasses
import datetime as dt
import decimal

import pytest
from genai_prices import data, types

from runner.config.price_books import load_book
from runner.money.amounts import from_usd
from runner.money.prices import Price, PriceBook, Rates

THEIR_NAMES = {
    "anthropic": "anthropic",
    "gemini": "google",
    "groq": "groq",
    "openai": "openai",
    "openrouter": "openrouter",
    "workers-ai": "cloudflare",
}
THEIR_RATES = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write_5m": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
}
NOT_THEIRS = {"echo", "ollama"}

KNOWN: dict[str, tuple[str, ...]] = {
    "rises on 1 January 2027, and a cap must hold on that day too": (
        "gemini/gemini-3.6-flash: input 1.5 (there 0.75)",
        "gemini/gemini-3.6-flash: output 7.5 (there 3.75)",
        "gemini/gemini-3.6-flash: cache_read 0.15 (there 0.075)",
        "gemini/gemini-3.7-flash: input 1.5 (there 0.75)",
        "gemini/gemini-3.7-flash: output 7.5 (there 3.75)",
        "gemini/gemini-3.7-flash: cache_read 0.15 (there 0.075)",
        "gemini/gemini-3.8-flash: input 1.5 (there 0.75)",
        "gemini/gemini-3.8-flash: output 7.5 (there 3.75)",
        "gemini/gemini-3.8-flash: cache_read 0.15 (there 0.075)",
    ),
    "rises on 1 December 2026": (
        "gemini/gemini-4-argon: input 4 (there 2)",
        "gemini/gemini-4-argon: output 20 (there 10)",
        "gemini/gemini-4-argon: cache_read 0.2 (there 0.1)",
    ),
    "OpenRouter takes Anthropic's price for an hour's write, twice the input; the package has only some of them": (
        "openrouter/anthropic/claude-haiku-4.5: cache_write_1h 2 (there none)",
        "openrouter/anthropic/claude-opus-4.8: cache_write_1h 10 (there none)",
        "openrouter/anthropic/claude-opus-5.5: cache_write_1h 8 (there none)",
        "openrouter/anthropic/claude-sonnet-4.6: cache_write_1h 6 (there none)",
        "openrouter/anthropic/claude-sonnet-5.5: cache_write_1h 4 (there none)",
    ),
    "not offered any more; kept, at nothing, for those who name it": (
        "openrouter/meta-llama/llama-3.1-70b-instruct:free: not there",
    ),
}


def difference(name: str, ours: int | None, theirs: int | None) -> list[str]:
    return [] if ours == theirs else [f"{name} {usd(ours)} (there {usd(theirs)})"]


def usd(rate: int | None) -> str:
    return "none" if rate is None else f"{decimal.Decimal(rate).scaleb(-12):f}".rstrip("0").rstrip(".")


def their_model(price: Price) -> types.ModelInfo | None:
    provider = next(p for p in data.providers if p.id == THEIR_NAMES[price.provider])
    return next((model for model in provider.models if model.match.is_match(price.model)), None)


def their_prices(model: types.ModelInfo, day: dt.date) -> types.ModelPrice:
    if not isinstance(model.prices, list):
        return model.prices
    in_force = [
        row.prices
        for row in model.prices
        if row.constraint is None
        or (isinstance(row.constraint, types.StartDateConstraint) and row.constraint.start_date <= day)
    ]
    return in_force[-1]


def their_rate(prices: types.ModelPrice, ours: str, tokens: int) -> int | None:
    if ours == "input" and isinstance(prices.audio_hours, decimal.Decimal):
        return from_usd(str(prices.audio_hours * 1_000_000 / 3600))
    value = getattr(prices, THEIR_RATES[ours])
    if isinstance(value, types.TieredPrices):
        value = [value.base, *(tier.price for tier in value.tiers if tokens > tier.start)][-1]
    return None if value is None else from_usd(str(value))


def differences(price: Price, day: dt.date) -> list[str]:
    """What of a row is not as the package has it."""
    model = their_model(price)
    if model is None:
        return ["not there"]
    prices = their_prices(model, day)
    cliffs = {tier.above_input_tokens for tier in price.tiers} | their_cliffs(prices)
    found = rate_differences("", price.rates, prices, 0)
    for cliff in sorted(cliffs):
        found += rate_differences(f"above {cliff} ", price.rates_for(cliff + 1), prices, cliff + 1)
    batch = next((v.prices for v in model.price_variants or [] if v.when == {"processing": "batch"}), None)
    if batch is not None and price.batch_percent is not None:
        for name in ("input", "output"):
            ours, there = getattr(price.rates, name) * price.batch_percent // 100, their_rate(batch, name, 0)
            if not (ours == 0 and there is None):  # speech has no output
                found += difference(f"batch {name}", ours, there)
    return found


def their_cliffs(prices: types.ModelPrice) -> set[int]:
    rates = [getattr(prices, name) for name in THEIR_RATES.values()]
    return {tier.start for rate in rates if isinstance(rate, types.TieredPrices) for tier in rate.tiers}


def rate_differences(prefix: str, ours: Rates, theirs: types.ModelPrice, tokens: int) -> list[str]:
    found = []
    for name in THEIR_RATES:
        mine, there = getattr(ours, name), their_rate(theirs, name, tokens)
        if not (mine == 0 and there is None):  # they leave a free model's prices out
            found += difference(f"{prefix}{name}", mine, there)
    return found


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return load_book("default")


def test_each_difference_is_known(book: PriceBook) -> None:
    found = {
        f"{price.provider}/{price.model}: {text}"
        for price in book.models()
        if price.provider not in NOT_THEIRS
        for text in differences(price, dt.date.fromisoformat(price.version.split()[-1]))
    }
    assert found == {text for texts in KNOWN.values() for text in texts}


def test_no_difference_makes_a_model_cheaper(book: PriceBook) -> None:
    day = dt.date(2026, 11, 22)
    for price in book.models():
        model = None if price.provider in NOT_THEIRS else their_model(price)
        if model is None:
            continue
        theirs = their_prices(model, day)
        for tokens in (1, *(tier.above_input_tokens + 1 for tier in price.tiers)):
            ours = price.rates_for(tokens)
            assert ours.input >= (their_rate(theirs, "input", tokens) or 0), price.model
            assert ours.output >= (their_rate(theirs, "output", tokens) or 0), price.model


def test_a_changed_price_would_be_seen(book: PriceBook) -> None:
    price = book.rows["anthropic", "claude-haiku-4-5"]
    dearer = Price(price.model, price.provider, Rates(1, 2), price.tiers)
    assert differences(price, dt.date(2026, 11, 22)) == []
    assert len(differences(dearer, dt.date(2026, 11, 22))) == 5


def test_a_changed_batch_price_would_be_seen(book: PriceBook) -> None:
    price = book.rows["openai", "gpt-4o"]
    assert differences(price, dt.date(2026, 11, 22)) == []
    dearer = differences(dataclasses.replace(price, batch_percent=51), dt.date(2026, 11, 22))
    assert [text.split()[:2] for text in dearer] == [["batch", "input"], ["batch", "output"]]
