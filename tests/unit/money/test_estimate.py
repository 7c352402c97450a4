"""The bound of a call, before it is made."""

import pytest

from runner.money.estimate import (
    OUTPUT_FLOOR,
    OUTPUT_FLOOR_THINKING,
    TOKENS_FOR_ANTHROPIC_TOOLS,
    TOKENS_PER_MESSAGE,
    TOKENS_PER_REQUEST,
    ImagesRefused,
    RequestSize,
    WrongMeasure,
    estimate,
    input_bound,
)
from runner.money.prices import CacheWrites, ModelLimits, Price, Rates, Tier

USD = 10**12
RATES = Rates(input=USD, output=4 * USD, cache_write_1h=2 * USD)
PRICE = Price("m", "p", RATES, limits=ModelLimits(max_output_tokens=1_000, image_tokens=500))
FREE = Price("m", "p", Rates(0, 0))


@pytest.mark.parametrize(
    ("text", "longest"),
    [
        ("", 0),
        ("abc", 3),
        ("ä", 2),
        ("\ufdfa", 33),
        ("한", 3),
        ("\ud800", 3),
        ("x\ud800\ufdfa", 37),
        ("\u0958", 6),
        ("\u0958\ufb01", 9),
    ],
)
def test_the_longest_form_counts(text: str, longest: int) -> None:
    assert input_bound(RequestSize(text, messages=0), PRICE) == longest + TOKENS_PER_REQUEST


def test_messages_tools_and_images_add_their_own() -> None:
    size = RequestSize("abc", messages=2, images=3, anthropic_tools=True)
    own = 2 * TOKENS_PER_MESSAGE + TOKENS_PER_REQUEST + TOKENS_FOR_ANTHROPIC_TOOLS + 3 * 500
    assert input_bound(size, PRICE) == 3 + own


def test_images_without_a_bound_are_refused() -> None:
    with pytest.raises(ImagesRefused, match="no bound for an image"):
        estimate(RequestSize("", messages=1, images=1), FREE, 100)


@pytest.mark.parametrize(
    ("wanted", "output", "floor"), [(5_000, 1_000, OUTPUT_FLOOR), (300, 300, 256), (9, 9, 9)]
)
def test_the_output_is_within_what_the_model_takes(wanted: int, output: int, floor: int) -> None:
    bound = estimate(RequestSize("abc", messages=1), PRICE, wanted)
    assert (bound.output_tokens, bound.floor_tokens) == (output, floor)


def test_a_thinking_model_needs_more_room() -> None:
    price = Price("m", "p", RATES, limits=ModelLimits(thinks=True))
    bound = estimate(RequestSize("abc", messages=1), price, 8_192)
    assert (bound.output_tokens, bound.floor_tokens) == (8_192, OUTPUT_FLOOR_THINKING)


def test_the_bound_is_priced_at_the_dearest() -> None:
    size = RequestSize("a" * 84, messages=1, cache_writes=CacheWrites.HOUR)
    bound = estimate(size, PRICE, 100)
    tokens = 84 + TOKENS_PER_MESSAGE + TOKENS_PER_REQUEST
    assert bound.input_tokens == tokens
    assert bound.input_cost == tokens * 2 * 10**6
    assert bound.amount(100) == bound.input_cost + 100 * 4 * 10**6


def test_the_bound_counts_the_tier_that_it_reaches() -> None:
    price = Price("m", "p", RATES, tiers=(Tier(100, Rates(9 * USD, 90 * USD)),))
    assert estimate(RequestSize("a", messages=0), price, 10).output_rate == 4 * USD
    assert estimate(RequestSize("a" * 100, messages=0), price, 10).output_rate == 90 * USD


def test_what_can_be_afforded() -> None:
    bound = estimate(RequestSize("abc", messages=1), PRICE, 500)
    assert bound.affordable_output(bound.amount(500)) == 500
    assert bound.affordable_output(bound.amount(10_000)) == 500
    assert bound.affordable_output(bound.amount(300)) == 300
    assert bound.affordable_output(type(bound.input_cost)(bound.amount(300) - 1)) == 299
    assert bound.affordable_output(bound.input_cost) == 0
    assert bound.affordable_output(type(bound.input_cost)(0)) < 0


def test_a_bound_is_rounded_up() -> None:
    bound = estimate(RequestSize("abc", messages=1), Price("m", "p", Rates(1, 1)), 500)
    assert bound.input_cost == 1
    assert (bound.amount(0), bound.amount(1)) == (1, 2)


def test_a_free_output_is_affordable_where_the_input_is() -> None:
    bound = estimate(RequestSize("abc", messages=1), FREE, 500)
    assert bound.amount(500) == 0
    assert bound.affordable_output(bound.input_cost) == 500
    assert bound.affordable_output(type(bound.input_cost)(-1)) == -1


BY_SECOND = Price("m", "p", Rates(100 * USD, 0), limits=ModelLimits(min_audio_seconds=10))


@pytest.mark.parametrize(("seconds", "billed"), [(1, 10), (10, 10), (11, 11), (3_600, 3_600)])
def test_a_recording_is_bounded_by_its_seconds(seconds: int, billed: int) -> None:
    bound = estimate(RequestSize("", messages=0, audio_seconds=seconds), BY_SECOND, 1)
    assert (bound.input_tokens, bound.amount(1)) == (billed, billed * USD // 10_000)


@pytest.mark.parametrize(
    ("size", "price", "what"),
    [
        (RequestSize("", messages=0, audio_seconds=5), PRICE, "a recording"),
        (RequestSize("hello", messages=1), BY_SECOND, "a text"),
    ],
)
def test_seconds_and_tokens_are_never_mixed(size: RequestSize, price: Price, what: str) -> None:
    with pytest.raises(WrongMeasure, match=f"^m: the price book has no bound for {what}$"):
        estimate(size, price, 100)
