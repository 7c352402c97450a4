"""What a usage costs, and which row is found."""

import pytest

from runner.money.prices import ANY_PROVIDER, CacheWrites, ModelLimits, Price, PriceBook, Rates, Tier
from runner.money.usage import Usage

USD = 10**12
CHEAP = Rates(
    input=1 * USD, output=5 * USD, cache_read=USD // 10, cache_write_5m=5 * USD // 4, cache_write_1h=2 * USD
)
DEAR = Rates(input=2 * USD, output=6 * USD)
PRICE = Price(
    "m", "p", CHEAP, tiers=(Tier(400_000, DEAR), Tier(200_000, Rates(input=3 * USD, output=9 * USD)))
)


def test_each_kind_of_token_has_its_price() -> None:
    usage = Usage(1_000, 100, cache_read_tokens=200, cache_write_5m_tokens=300, cache_write_1h_tokens=400)
    per_token = 10**6
    plain, read, minutes, hour, out = 100, 200 // 10, 300 * 5 // 4, 400 * 2, 100 * 5
    assert PRICE.cost(usage) == (plain + read + minutes + hour + out) * per_token


def test_kinds_without_a_price_cost_as_plain_input() -> None:
    price = Price("m", "p", Rates(input=USD, output=USD))
    assert price.cost(Usage(90, 10, 30, 30, 30)) == price.cost(Usage(90, 10))


def test_a_cost_is_rounded_up_once() -> None:
    price = Price("m", "p", Rates(input=1, output=1))
    assert price.cost(Usage(1, 1)) == 1
    assert price.cost(Usage(0, 0)) == 0
    assert price.cost(Usage(1_000_000, 1)) == 2


@pytest.mark.parametrize(("seconds", "billed"), [(0, 10), (3, 10), (10, 10), (61, 61)])
def test_a_short_recording_costs_the_least_that_is_billed(seconds: int, billed: int) -> None:
    price = Price("m", "p", Rates(input=100 * USD, output=0), limits=ModelLimits(min_audio_seconds=10))
    assert price.cost(Usage(seconds)) == billed * USD // 10_000


@pytest.mark.parametrize(("tokens", "rate"), [(200_000, 1), (200_001, 3), (400_000, 3), (400_001, 2)])
def test_a_tier_is_a_cliff(tokens: int, rate: int) -> None:
    assert PRICE.cost(Usage(tokens)) == tokens * rate * 10**6


@pytest.mark.parametrize(
    ("tokens", "writes", "dearest"),
    [
        (10, CacheWrites.NONE, Rates(input=USD, output=5 * USD)),
        (10, CacheWrites.MINUTES, Rates(input=5 * USD // 4, output=5 * USD)),
        (10, CacheWrites.HOUR, Rates(input=2 * USD, output=5 * USD)),
        (200_000, CacheWrites.NONE, Rates(input=USD, output=5 * USD)),
        (200_001, CacheWrites.NONE, Rates(input=3 * USD, output=9 * USD)),
        (400_001, CacheWrites.NONE, Rates(input=3 * USD, output=9 * USD)),
    ],
)
def test_the_dearest_that_can_apply(tokens: int, writes: CacheWrites, dearest: Rates) -> None:
    assert PRICE.dearest_for(tokens, writes) == dearest


def test_a_cache_that_is_written_unasked_counts_in_each_bound() -> None:
    price = Price("m", "p", CHEAP, writes_unasked=True)
    assert price.dearest_for(10, CacheWrites.NONE).input == 5 * USD // 4
    assert price.dearest_for(10, CacheWrites.HOUR).input == 2 * USD


def test_reading_a_cache_may_be_the_dearest() -> None:
    assert Rates(input=1, output=1, cache_read=3).dearest_input(CacheWrites.NONE) == 3


def test_free_means_every_rate_is_zero() -> None:
    free = Rates(input=0, output=0)
    assert Price("m", "p", free).is_free
    assert not PRICE.is_free
    assert not Price("m", "p", free, tiers=(Tier(1, Rates(0, 1)),)).is_free
    assert not Price("m", "p", Rates(0, 0, cache_write_1h=1)).is_free


def row(provider: str, model: str, usd: int = 1) -> Price:
    return Price(model, provider, Rates(usd * USD, usd * USD))


BOOK = PriceBook(
    "test", {("a", "m"): row("a", "m"), ("b", "m"): row("b", "m")}, {("a", "m-1"): "m", ("b", "m-1"): "m"}
)


def test_a_model_is_found_exactly_or_by_its_alias() -> None:
    assert BOOK.find("a", "m") is BOOK.find("a", "m-1") is BOOK.rows["a", "m"]


@pytest.mark.parametrize(
    ("provider", "model"), [("a", "m-"), ("a", "M"), ("a", "m-12"), ("c", "m"), ("c", "m-1")]
)
def test_unpriced_is_not_free(provider: str, model: str) -> None:
    assert BOOK.find(provider, model) is None


def test_an_operators_row_for_any_provider_replaces_the_shipped_ones() -> None:
    mine = row(ANY_PROVIDER, "m", 7)
    book = BOOK.with_rows([mine])
    assert book.find("a", "m") is book.find("b", "m-1") is book.find("c", "m") is mine
    assert BOOK.find("a", "m") is not mine


def test_an_operators_row_for_one_provider_leaves_the_others() -> None:
    mine = row("a", "m", 7)
    book = BOOK.with_rows([mine])
    assert book.find("a", "m-1") is mine
    assert book.find("b", "m") is BOOK.rows["b", "m"]


def test_the_nearer_of_two_operators_rows_counts() -> None:
    near, far = row("a", "m", 7), row(ANY_PROVIDER, "m", 8)
    book = BOOK.with_rows([far, near])
    assert book.find("a", "m") is near
    assert book.find("b", "m") is far


@pytest.mark.parametrize("provider", ["a", ANY_PROVIDER])
def test_a_row_for_an_alias_makes_it_a_model_of_its_own(provider: str) -> None:
    mine = row(provider, "m-1", 7)
    book = BOOK.with_rows([mine])
    assert book.find("a", "m-1") is mine
    assert book.find("a", "m") is BOOK.rows["a", "m"]


def test_models_are_listed_in_order() -> None:
    book = BOOK.with_rows([row("a", "k")])
    assert [(price.provider, price.model) for price in book.models()] == [("a", "k"), ("a", "m"), ("b", "m")]


def test_a_batch_costs_a_part_of_each_rate_rounded_up() -> None:
    rates = Rates(input=3, output=7, cache_read=1, cache_write_5m=5, cache_write_1h=9)
    tier = Tier(10, Rates(input=11, output=13))
    price = Price("m", "p", rates, tiers=(tier,), batch_percent=50, version="v", writes_unasked=True)
    batch = price.for_batch()
    assert batch == Price(
        "m",
        "p",
        Rates(input=2, output=4, cache_read=1, cache_write_5m=3, cache_write_1h=5),
        tiers=(Tier(10, Rates(input=6, output=7)),),
        version="v",
        writes_unasked=True,
    )
    assert batch.for_batch() is None  # the half of the half is nobody's price
    assert price.rates.at(100) == rates
    assert price.rates.at(33).output == 3


def test_kinds_without_a_price_have_none_in_a_batch() -> None:
    batch = Price("m", "p", Rates(input=USD, output=USD), batch_percent=50).for_batch()
    assert batch is not None
    assert batch.rates == Rates(input=USD // 2, output=USD // 2)


def test_a_model_may_not_be_served_in_batches() -> None:
    assert PRICE.for_batch() is None
