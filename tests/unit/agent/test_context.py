"""The window's marks are the cheapest that the bot's rules allow."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from runner.agent.caching import ALL, Habits
from runner.agent.context import MOST_KNOWN, Windows, marks_of, roughly
from runner.bots import ConversationRules
from runner.conversations.window import Marks
from runner.money.prices import CacheWrites, ModelLimits, Price, Rates
from runner.ports.dialogue import NO_CACHE, CachePlan
from runner.testing.scenes import CHOICE, a_price

TENTH = a_price(Rates(100, 500, 10, 125, 200))
HALF = a_price(Rates(100, 500, 50))
PLAIN = a_price(Rates(100, 500))
MINUTES = CachePlan(CacheWrites.MINUTES, CacheWrites.MINUTES)
BAND = ConversationRules(max_messages=40, keep_messages=20, banded=True)


def habits(**changes: Any) -> Habits:
    plain = {
        "choice": CHOICE,
        "least": 1024,
        "plan": MINUTES,
        "prefix": 3000,
        "message": 200,
        "hits": ALL * 9 // 10,
    }
    return Habits(**{**plain, **changes})


def test_what_the_operator_wrote_holds() -> None:
    blocks = ConversationRules(context="blocks")
    sliding = ConversationRules(context="sliding")
    assert marks_of(blocks, habits(), TENTH) == Marks(10, 20)
    assert marks_of(sliding, habits(), TENTH) == Marks(20, 20)


def test_without_traffic_or_a_price_blocks() -> None:
    rules = ConversationRules()
    assert marks_of(rules, None, TENTH) == marks_of(rules, habits(), None) == Marks(10, 20)
    assert marks_of(rules, habits(message=0), TENTH) == Marks(10, 20)


def test_the_upper_mark_is_the_operators_unless_they_gave_a_band() -> None:
    for price in (TENTH, HALF, PLAIN):
        assert marks_of(ConversationRules(), habits(), price).high == 20


def test_a_cache_at_a_tenth_wants_long_blocks() -> None:
    marks = marks_of(BAND, habits(), TENTH)
    assert marks.low == 20
    assert marks.high >= 32


def test_a_cache_at_half_the_price_or_none_wants_a_short_window() -> None:
    assert marks_of(BAND, habits(), HALF).high < 32
    assert marks_of(BAND, habits(plan=NO_CACHE), PLAIN).high <= 22


def test_a_prompt_below_the_smallest_prefix_wants_more_in_the_window() -> None:
    """Ten messages are not cached and cost full price; sixteen are."""
    small = habits(prefix=100, message=70)
    marks = marks_of(ConversationRules(), small, TENTH)
    assert marks.low > 10


rules = st.builds(
    lambda most, keep, banded: ConversationRules(max_messages=most, keep_messages=keep, banded=banded),
    st.integers(1, 40),
    st.integers(1, 40),
    st.booleans(),
)
many = st.builds(
    habits,
    plan=st.sampled_from([NO_CACHE, MINUTES, CachePlan(CacheWrites.HOUR, CacheWrites.HOUR)]),
    prefix=st.integers(0, 10_000),
    message=st.integers(0, 2_000),
    hits=st.integers(0, ALL),
)
prices = st.sampled_from([TENTH, HALF, PLAIN, a_price(limits=ModelLimits())])


@given(rules, many, prices)
def test_the_marks_are_within_the_band(given_rules: ConversationRules, of: Habits, price: Price) -> None:
    marks = marks_of(given_rules, of, price)
    assert min(given_rules.keep_messages, given_rules.max_messages) <= marks.low <= marks.high
    assert marks.high <= given_rules.max_messages


def test_what_was_reckoned_is_remembered_and_bounded() -> None:
    windows = Windows()
    assert windows.marks(BAND, habits(), TENTH) == marks_of(BAND, roughly(habits()), TENTH)
    assert windows.marks(BAND, habits(prefix=3001), TENTH) is windows.marks(BAND, habits(prefix=3050), TENTH)
    assert windows.marks(ConversationRules(context="sliding"), habits(), TENTH) == Marks(20, 20)
    assert windows.marks(BAND, None, TENTH) == Marks(20, 40)
    for step in range(MOST_KNOWN + 2):
        windows.marks(ConversationRules(max_messages=2, keep_messages=1), habits(prefix=128 * step), TENTH)
    assert len(windows._known) == MOST_KNOWN
