"""What holds for all amounts, all rows of both books, and all calls."""

from fractions import Fraction

from hypothesis import assume, example, given
from hypothesis import strategies as st

from runner.config.price_books import load_book
from runner.money.amounts import (
    MAX_AMOUNT,
    PICO_PER_CENT,
    PICO_PER_USD,
    Money,
    ceil_div,
    from_cents,
    from_usd,
    to_cents,
    to_usd,
)
from runner.money.budget import Busy, Counter, Exhausted, Granted, ScopeLimit, decide
from runner.money.estimate import TOKENS_PER_REQUEST, Estimate, RequestSize, estimate
from runner.money.prices import TOKENS_PER_RATE, CacheWrites, Price, Rates, Tier
from runner.money.usage import Usage

ROWS = [*load_book("default").models(), *load_book("seed").models()]
AMOUNTS = st.integers(-MAX_AMOUNT, MAX_AMOUNT).map(Money)
TOKENS = st.integers(0, 2_000_000)
RATE = st.integers(0, 10**15)
RATES = st.builds(
    Rates,
    input=RATE,
    output=RATE,
    cache_read=st.none() | RATE,
    cache_write_5m=st.none() | RATE,
    cache_write_1h=st.none() | RATE,
)
TIERS = st.lists(st.builds(Tier, st.integers(1, 10**6), RATES), max_size=3).map(tuple)
PRICES = st.sampled_from(ROWS) | st.builds(
    Price, model=st.just("m"), provider=st.just("p"), rates=RATES, tiers=TIERS, writes_unasked=st.booleans()
)


@st.composite
def usages(draw: st.DrawFn, most_input: int = 2_000_000, most_output: int = 200_000) -> Usage:
    total = draw(st.integers(0, most_input))
    read = draw(st.integers(0, total))
    minutes = draw(st.integers(0, total - read))
    hour = draw(st.integers(0, total - read - minutes))
    output = draw(st.integers(0, most_output))
    return Usage(total, output, read, minutes, hour, draw(st.integers(0, output)))


# ── amounts ──────────────────────────────────────────────────────────────────────────────────────────────
@given(AMOUNTS)
def test_an_amount_survives_its_text(amount: Money) -> None:
    assert from_usd(to_usd(amount)) == amount


@given(st.decimals(min_value=-(10**6), max_value=10**6, allow_nan=False, places=20))
def test_a_text_is_never_read_as_less(dollars: object) -> None:
    exact = Fraction(str(dollars)) * PICO_PER_USD
    assert 0 <= from_usd(str(dollars)) - exact < 1


@given(AMOUNTS)
def test_cents_are_never_less(amount: Money) -> None:
    assert 0 <= from_cents(to_cents(amount)) - amount < PICO_PER_CENT


@given(st.integers(), st.integers(1))
def test_division_rounds_up_by_less_than_one(numerator: int, denominator: int) -> None:
    assert 0 <= ceil_div(numerator, denominator) - Fraction(numerator, denominator) < 1


# ── costs ────────────────────────────────────────────────────────────────────────────────────────────────
@given(PRICES, usages())
def test_a_cost_is_the_exact_one_rounded_up(price: Price, usage: Usage) -> None:
    rates = price.rates_for(usage.input_tokens)
    exact = Fraction(0)
    unused = max(0, (price.limits.min_audio_seconds or 0) - usage.input_tokens)
    for tokens, rate in (
        (usage.plain_input_tokens + unused, rates.input),
        (usage.cache_read_tokens, rates.cache_read),
        (usage.cache_write_5m_tokens, rates.cache_write_5m),
        (usage.cache_write_1h_tokens, rates.cache_write_1h),
        (usage.output_tokens, rates.output),
    ):
        exact += Fraction(tokens * (rates.input if rate is None else rate), TOKENS_PER_RATE)
    assert 0 <= price.cost(usage) - exact < 1


@given(
    PRICES,
    usages(),
    st.sampled_from(["output", "plain", "cache_read", "cache_write_5m", "cache_write_1h"]),
    TOKENS,
)
def test_more_tokens_of_a_kind_never_cost_less(price: Price, usage: Usage, kind: str, more: int) -> None:
    inside = kind in {"cache_read", "cache_write_5m", "cache_write_1h"}
    extra = Usage(
        input_tokens=0 if kind == "output" else more,
        output_tokens=more if kind == "output" else 0,
        **({f"{kind}_tokens": more} if inside else {}),
    )
    grown = usage + extra
    assume(price.rates_for(grown.input_tokens) == price.rates_for(usage.input_tokens))
    assert price.cost(grown) >= price.cost(usage)


@given(st.sampled_from(ROWS), usages(), TOKENS)
def test_a_cliff_of_the_books_only_goes_up(price: Price, usage: Usage, more: int) -> None:
    assert price.cost(usage + Usage(more)) >= price.cost(usage)


# ── bounds ───────────────────────────────────────────────────────────────────────────────────────────────
def allowed(usage: Usage, writes: CacheWrites, price: Price) -> Usage:
    """The usage, without cache writes that this call cannot make."""
    minutes = usage.cache_write_5m_tokens if writes is not CacheWrites.NONE or price.writes_unasked else 0
    hour = usage.cache_write_1h_tokens if writes is CacheWrites.HOUR else 0
    return Usage(usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, minutes, hour)


@given(
    price=PRICES,
    length=st.integers(0, 300_000),
    writes=st.sampled_from(CacheWrites),
    wanted=st.integers(1, 200_000),
    data=st.data(),
)
def test_no_call_costs_more_than_its_bound(
    price: Price, length: int, writes: CacheWrites, wanted: int, data: st.DataObject
) -> None:
    bound = estimate(size_of(price, length, 1, writes), price, wanted)
    granted = data.draw(st.integers(bound.floor_tokens, bound.output_tokens))
    usage = allowed(data.draw(usages(bound.input_tokens, granted)), writes, price)
    assert price.cost(usage) <= bound.amount(granted)


def size_of(price: Price, length: int, messages: int, writes: CacheWrites) -> RequestSize:
    """A request that the row is for: so many bytes of text, or seconds of a recording."""
    if price.limits.min_audio_seconds is not None:
        return RequestSize("", messages=0, audio_seconds=length + 1)
    return RequestSize("a" * length, messages, cache_writes=writes)


def test_no_row_of_the_books_can_pass_its_bound_at_the_edges() -> None:
    """The corners, without dice: each row, each mode, at and above each cliff, all tokens of one kind."""
    for price in ROWS:
        cliffs = [tier.above_input_tokens for tier in price.tiers]
        for writes in CacheWrites:
            for length in (0, *(cliff - TOKENS_PER_REQUEST for cliff in cliffs), *cliffs):
                bound = estimate(size_of(price, length, 0, writes), price, 4_096)
                for tokens in (bound.input_tokens, *(t for t in cliffs if t <= bound.input_tokens)):
                    for kinds in ((0, 0, 0), (tokens, 0, 0), (0, tokens, 0), (0, 0, tokens)):
                        usage = allowed(Usage(tokens, bound.output_tokens, *kinds), writes, price)
                        assert price.cost(usage) <= bound.amount(bound.output_tokens), (price.model, usage)


ESTIMATES = st.builds(
    lambda tokens, output, floor, cost, rate: Estimate(tokens, output, min(floor, output), Money(cost), rate),
    TOKENS,
    st.integers(0, 10**6),
    st.sampled_from([256, 1024]),
    st.integers(0, 10**14),
    st.just(0) | RATE,
)


@given(ESTIMATES, AMOUNTS)
@example(Estimate(1, 1_000, 256, Money(0), 3), Money(1))
def test_what_is_affordable_fits_and_one_more_token_does_not(bound: Estimate, available: Money) -> None:
    output = bound.affordable_output(available)
    assert output <= bound.output_tokens
    if output >= 0:
        assert bound.amount(output) <= available
    if output < bound.output_tokens:
        assert bound.amount(max(output + 1, 0)) > available


# ── decisions ────────────────────────────────────────────────────────────────────────────────────────────
PARTS = st.integers(0, 10**15).map(Money)
COUNTERS = st.builds(Counter, PARTS, PARTS, PARTS)


@st.composite
def scopes(draw: st.DrawFn) -> list[tuple[ScopeLimit, Counter]]:
    number = draw(st.integers(0, 4))
    limits = st.none() | st.integers(0, 4 * 10**15).map(Money)
    return [(ScopeLimit(f"s{n}", draw(limits)), draw(COUNTERS)) for n in range(number)]


@given(ESTIMATES, scopes())
def test_a_decision_is_the_right_one(wanted: Estimate, all_scopes: list[tuple[ScopeLimit, Counter]]) -> None:
    limited = [(scope.limit, counter) for scope, counter in all_scopes if scope.limit is not None]
    named = {scope.name: (scope.limit, counter) for scope, counter in all_scopes}
    least, full = wanted.amount(wanted.floor_tokens), wanted.amount(wanted.output_tokens)
    decision = decide(wanted, all_scopes)
    fits_now = all(counter.taken + least <= limit for limit, counter in limited)
    could_fit = all(counter.gone + least <= limit for limit, counter in limited)
    match decision:
        case Granted(output, amount):
            assert fits_now
            assert wanted.floor_tokens <= output <= wanted.output_tokens
            assert amount == wanted.amount(output)
            assert all(counter.taken + amount <= limit for limit, counter in limited)
            fits_whole = all(counter.taken + full <= limit for limit, counter in limited)
            assert not fits_whole or amount == full
        case Busy(name):
            limit, counter = named[name]
            assert could_fit
            assert limit is not None
            assert counter.taken + least > limit
        case Exhausted(name):
            limit, counter = named[name]
            assert limit is not None
            assert counter.gone + least > limit
