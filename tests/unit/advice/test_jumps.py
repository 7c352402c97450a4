"""What jumped, and since when."""

from dataclasses import replace
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from runner.advice.counsel import Kind
from runner.advice.jumps import BEFORE, LOOKED_AT, WEEK, BotDay, jumps
from runner.money.amounts import Money, from_usd

DAYS = tuple((date(2026, 10, 19) + timedelta(at)).isoformat() for at in range(LOOKED_AT))
PLAIN = BotDay(messages=10, calls=20, input_tokens=20_000, cost=from_usd("0.10"))
"""A cent a message, 1,000 tokens a call, two calls a message."""


def told(*last: BotDay, before: BotDay = PLAIN) -> list[str]:
    """What is said of a bot whose latest days were like that."""
    days = [before] * (LOOKED_AT - len(last)) + list(last)
    return [one.what for one in jumps("support", DAYS, dict(zip(DAYS, days, strict=True)))]


def dear(factor: int, day: BotDay = PLAIN) -> BotDay:
    return replace(day, cost=Money(day.cost * factor))


def test_nothing_changed() -> None:
    assert told() == []


def test_a_jump_is_told_with_the_day_it_began() -> None:
    [one] = jumps("support", DAYS, dict(zip(DAYS, [PLAIN] * 30 + [dear(4)] * 5, strict=True)))
    # Two days of 0.10 and five of 0.40 for 70 messages.
    assert one.what == "cost a message: 0.0314 USD, usually 0.01 USD (+214 %), since 2026-11-18"
    assert one.evidence == "the last 7 days (70 messages, 140 calls) against the median of 28 days before"
    assert (one.kind, one.bot, one.saved, one.calls) == (Kind.JUMP, "support", None, 140)


def test_tokens_and_calls_jump_too() -> None:
    longer = replace(PLAIN, input_tokens=50_000)
    assert told(*[longer] * 7) == ["input tokens a call: 2,500, usually 1,000 (+150 %), since 2026-11-16"]
    looping = replace(PLAIN, calls=70, input_tokens=70_000)
    assert told(*[looping] * 7) == ["model calls a message: 7.0, usually 2.0 (+250 %), since 2026-11-16"]


def test_less_than_half_as_much_again_is_no_jump() -> None:
    assert told(*[replace(PLAIN, cost=from_usd("0.149"))] * 7) == []
    assert len(told(*[replace(PLAIN, cost=from_usd("0.15"))] * 7)) == 1


def test_one_odd_day_that_is_over_is_no_jump() -> None:
    assert told(dear(30), PLAIN, PLAIN) == []


def test_the_latest_day_with_hardly_a_call_hides_nothing() -> None:
    quiet = BotDay(messages=1, calls=1, input_tokens=10, cost=Money(10))
    assert told(*[dear(4)] * 6, quiet) == [
        "cost a message: 0.0393 USD, usually 0.01 USD (+293 %), since 2026-11-16"
    ]


def test_days_without_a_message_are_no_figures() -> None:
    assert told(*[dear(4)] * 6, BotDay()) != []
    assert told(*[BotDay(calls=20, input_tokens=20_000, cost=from_usd("5"))] * 7) == []


def test_where_all_days_differ_a_dear_week_is_nothing_odd() -> None:
    days = [dear(1 if at % 2 else 9) for at in range(BEFORE)] + [dear(9)] * WEEK
    assert jumps("support", DAYS, dict(zip(DAYS, days, strict=True))) == []


def test_few_calls_and_few_days_tell_nothing() -> None:
    few = BotDay(messages=4, calls=4, input_tokens=100, cost=from_usd("0.01"))
    assert told(*[dear(9, few)] * 7, before=few) == []
    young = dict(zip(DAYS[-11:], [PLAIN] * 4 + [dear(9)] * 7, strict=True))
    assert jumps("support", DAYS, young) == []
    assert jumps("support", DAYS, {}) == []


def test_from_nothing_there_is_no_jump() -> None:
    free = replace(PLAIN, cost=Money(0))
    assert told(*[PLAIN] * 7, before=free) == []


@given(
    st.lists(
        st.builds(
            lambda messages, calls, tokens, cost: BotDay(messages, calls, tokens, Money(cost)),
            *[st.integers(0, 100)] * 2,
            *[st.integers(0, 10**6)] * 2,
        ),
        max_size=LOOKED_AT,
    ),
    st.integers(1, 20),
)
def test_what_is_the_same_in_another_currency_jumps_the_same(days: list[BotDay], factor: int) -> None:
    """And whatever the days are, something is said or nothing, and nobody falls over."""
    known = dict(zip(DAYS[LOOKED_AT - len(days) :], days, strict=True))
    scaled = {day: dear(factor, one) for day, one in known.items()}
    assert [one.what.split(":")[0] for one in jumps("b", DAYS, known)] == [
        one.what.split(":")[0] for one in jumps("b", DAYS, scaled)
    ]
