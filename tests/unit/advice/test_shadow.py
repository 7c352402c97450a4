"""Replays of a ledger under other caches and windows, reckoned by hand."""

import pytest

from runner.advice import shadow
from runner.advice.shadow import SETTINGS, Replay
from runner.conversations.window import Marks
from runner.money.prices import ModelLimits, Price, Rates
from runner.money.usage import Usage

TOKEN = 10**6
"""A rate of one pico-dollar a token."""
RATES = Rates(
    100 * TOKEN, 500 * TOKEN, cache_read=10 * TOKEN, cache_write_5m=125 * TOKEN, cache_write_1h=200 * TOKEN
)
PRICE = Price("m", "p", RATES, limits=ModelLimits(min_cacheable_tokens=1000))
MINUTE = 60_000
WIDE = Marks(10, 20)


def replay(
    *calls: tuple[int, str, int], price: Price = PRICE, windows: tuple[Marks, ...] = (WIDE,)
) -> Replay:
    made = Replay(price, windows, SETTINGS["5m"])
    for minutes, conversation, tokens in calls:
        made.add(minutes * MINUTE, conversation, Usage(tokens, 10))
    return made


def by_cache(made: Replay) -> dict[str, int]:
    return {name: cost // TOKEN for name, cost in made.by_cache.items()}


def test_a_conversation_within_five_minutes() -> None:
    made = replay((0, "c", 2000), (2, "c", 2500))
    assert by_cache(made) == {
        "off": 4500 * 100,
        "5m": 2000 * 125 + 2000 * 10 + 500 * 125,
        "1h": 2000 * 200 + 2000 * 10 + 500 * 200,
    }


def test_a_pause_outlives_the_short_cache_only() -> None:
    made = replay((0, "c", 2000), (30, "c", 2500))
    assert by_cache(made) == {
        "off": 4500 * 100,
        "5m": 4500 * 125,
        "1h": 2000 * 200 + 2000 * 10 + 500 * 200,
    }


def test_another_conversation_begins_with_the_same_prompt() -> None:
    made = replay((0, "c", 2000), (2, "d", 3000))
    # Of the second call's 3,000 tokens 2,000, as short as an input ever was, are the bot's own.
    assert by_cache(made)["5m"] == 2000 * 125 + 2000 * 10 + 1000 * 125
    assert by_cache(replay((0, "c", 2000), (30, "d", 3000)))["5m"] == 5000 * 125


def test_what_the_window_dropped_is_not_found_again() -> None:
    made = replay((0, "c", 2000), (1, "c", 4000), (2, "c", 3000))
    last = 2000 * 10 + 1000 * 125
    assert by_cache(made)["5m"] == 2000 * 125 + (2000 * 10 + 2000 * 125) + last


def test_below_the_smallest_prefix_nothing_is_cached() -> None:
    made = replay((0, "c", 400), (1, "c", 900))
    assert set(by_cache(made).values()) == {1300 * 100}


def test_what_was_really_paid_is_reckoned_by_what_was_really_cached() -> None:
    made = Replay(PRICE, (WIDE,), SETTINGS["5m"])
    made.add(0, "c", Usage(2000, 77, cache_read_tokens=1000, cache_write_5m_tokens=500))
    assert made.input_paid == 1000 * 10 + 500 * 125 + 500 * 100
    assert (made.calls, made.input_tokens) == (1, 2000)


def test_a_smaller_window_sends_less_and_writes_more() -> None:
    """Each message is 100 tokens, the prompt 1,000: after five calls nine messages are there."""
    small, wide = Marks(2, 4), Marks(10, 20)
    calls = [(at, "c", 1100 + 200 * at) for at in range(6)]
    made = replay(*calls, windows=(small, wide))
    # What is known of a message's size comes with the second call, so the first stands at the prompt alone.
    counts = {small: [1, 3, 2, 4, 2, 4], wide: [1, 3, 5, 7, 9, 11]}
    for marks, numbers in counts.items():
        cost, before = 0, 0
        for at, number in enumerate(numbers):
            total = 1100 + (number * 100 if at else 0)
            shared = max(1100 if at else 0, before if at and number > numbers[at - 1] else 0)
            cost += shared * 10 + (total - shared) * 125
            before = total
        assert made.by_window[marks] == cost * TOKEN, marks


def test_a_sliding_window_keeps_its_size() -> None:
    made = replay(*[(at, "c", 2000 + 200 * at) for at in range(5)], windows=(Marks(3, 3), Marks(1, 3)))
    sliding, blocks = made.by_window.values()
    assert sliding > blocks


@pytest.mark.parametrize(
    ("rates", "asked", "can"),
    [
        (RATES, False, True),
        (Rates(1, 1, cache_read=1), False, False),
        (Rates(1, 1), False, False),
        (RATES, True, False),
    ],
)
def test_whose_cache_can_be_asked_for(rates: Rates, asked: bool, can: bool) -> None:  # noqa: FBT001 - a case
    assert Replay(Price("m", "p", rates, writes_unasked=asked), (), SETTINGS["5m"]).can_ask is can


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadow, "MOST_CONVERSATIONS", 3)
    made = replay(*[(at, f"c{at}", 2000) for at in range(10)])
    assert list(made._last) == ["c7", "c8", "c9"]
