"""What is cached is what would have been cheapest for the bot's own calls."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.agent.caching import MOST_CONVERSATIONS, PLANS, Sent, Traffic, what_if
from runner.bots import Bot
from runner.clock import UnixMs
from runner.conversations.models import (
    AssistantMessage,
    Message,
    ToolCall,
    ToolMessage,
    ToolResult,
    UserMessage,
)
from runner.money.prices import CacheWrites, ModelLimits, Price, Rates
from runner.money.usage import Usage
from runner.ports.dialogue import NO_CACHE, CachePlan, ModelRequest, ToolSpec
from runner.testing.scenes import CHOICE, a_bot, a_price

NONE, MINUTES, HOUR = CacheWrites.NONE, CacheWrites.MINUTES, CacheWrites.HOUR
RATES = Rates(input=100, output=500, cache_read=10, cache_write_5m=125, cache_write_1h=200)
PRICE = a_price(RATES, ModelLimits(min_cacheable_tokens=1000))
MINUTE = 60_000
T0 = UnixMs(1_000_000)


def a_request(system: int = 8000, *texts: str, plan: CachePlan = NO_CACHE) -> ModelRequest:
    messages: tuple[Message, ...] = tuple(map(UserMessage, texts or ("hello",)))
    return ModelRequest(CHOICE, "x" * system, messages, cache=plan)


class Talker:
    """A bot's calls, and a cache that does what it is asked: four characters a token."""

    def __init__(self, price: Price = PRICE, bot: Bot | None = None, smallest: int = 1000) -> None:
        self.traffic = Traffic()
        self.price = price
        self.bot = bot or a_bot()
        self.smallest = smallest
        self.now = T0

    def call(self, request: ModelRequest, conversation: str = "c1", after_ms: int = 0) -> CachePlan:
        """Make a call that many milliseconds after the last; returns what was asked to be cached."""
        self.now = UnixMs(self.now + after_ms)
        plan = self.traffic.plan(self.bot, request, self.price)
        size = len(request.system) + sum(len(m.text) for m in request.messages if isinstance(m, UserMessage))
        tokens = size // 4
        marked = (
            tokens if plan.history is not NONE else len(request.system) // 4 if plan.prefix is not NONE else 0
        )
        written = marked if marked >= self.smallest else 0
        sent = replace(request, cache=plan)
        self.traffic.note(
            self.bot,
            conversation,
            sent,
            self.price,
            Usage(tokens, 1, cache_write_5m_tokens=written),
            self.now,
        )
        return plan

    def present(self) -> CachePlan:
        return self.traffic.plan(self.bot, a_request(), self.price)


# ── what a call would cost ───────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("plan", "sent", "cost"),
    [
        (NO_CACHE, Sent(2000, 5000, 4000, 0, 0), 5000 * 100),
        (CachePlan(MINUTES, MINUTES), Sent(2000, 5000), 5000 * 125),
        (CachePlan(MINUTES, MINUTES), Sent(2000, 5000, 4000, 0, 0), 4000 * 10 + 1000 * 125),
        (CachePlan(MINUTES, MINUTES), Sent(2000, 5000, 4000, 0, 6 * MINUTE), 2000 * 10 + 3000 * 125),
        (CachePlan(HOUR, MINUTES), Sent(2000, 5000, 4000, 6 * MINUTE, 6 * MINUTE), 2000 * 10 + 3000 * 125),
        (CachePlan(HOUR, MINUTES), Sent(2000, 5000), 2000 * 200 + 3000 * 125),
        (CachePlan(HOUR, HOUR), Sent(2000, 5000, 4000, 6 * MINUTE, 6 * MINUTE), 4000 * 10 + 1000 * 200),
        (CachePlan(HOUR, HOUR), Sent(2000, 5000, 4000, 61 * MINUTE, 61 * MINUTE), 5000 * 200),
        (CachePlan(MINUTES, NONE), Sent(2000, 5000, 4000, 0, 0), 2000 * 10 + 3000 * 100),
        (CachePlan(MINUTES, NONE), Sent(900, 5000, 4000, 0, 0), 5000 * 100),
        (CachePlan(MINUTES, MINUTES), Sent(300, 900, 800, 0, 0), 900 * 100),
        (CachePlan(HOUR, MINUTES), Sent(300, 5000, 4000, 0, 0), 4000 * 10 + 1000 * 125),
        (CachePlan(HOUR, MINUTES), Sent(300, 5000), 5000 * 125),
    ],
)
def test_a_call_under_a_plan(plan: CachePlan, sent: Sent, cost: int) -> None:
    assert what_if(plan, sent, RATES, 1000) == cost


tokens = st.integers(0, 20_000)
gaps = st.none() | st.integers(0, 3 * 60 * MINUTE)


@given(tokens, tokens, tokens, gaps, gaps, st.integers(1, 5000))
def test_no_plan_is_outside_the_rates(
    prefix: int, rest: int, shared: int, gap: int | None, later: int | None, least: int
) -> None:
    total = prefix + rest
    sent = Sent(prefix, total, min(shared, total), gap, later)
    for plan in PLANS:
        assert total * 10 <= what_if(plan, sent, RATES, least) <= total * 200


# ── what is chosen ───────────────────────────────────────────────────────────────────────────────────────
def test_before_there_is_traffic_five_minutes() -> None:
    assert Talker().present() == CachePlan(MINUTES, MINUTES)


def test_conversations_that_go_on_at_once_are_cached_for_five_minutes() -> None:
    talker = Talker()
    texts = ["hello" * 100]
    for _ in range(60):
        talker.call(a_request(8000, *texts), after_ms=MINUTE)
        texts.append("more" * 50)
    assert talker.present() == CachePlan(MINUTES, MINUTES)


def test_conversations_with_pauses_are_cached_for_an_hour() -> None:
    talker = Talker()
    texts = ["hello" * 100]
    for _ in range(60):
        talker.call(a_request(8000, *texts), after_ms=14 * MINUTE)
        texts.append("more" * 50)
    assert talker.present() == CachePlan(HOUR, HOUR)


def test_single_questions_share_the_bots_prefix_only() -> None:
    talker = Talker()
    for number in range(200):
        talker.call(a_request(8000, "hello" * 200), conversation=f"c{number}", after_ms=MINUTE)
    assert talker.present() == CachePlan(MINUTES, NONE)
    for number in range(600):
        talker.call(a_request(8000, "hello" * 200), conversation=f"d{number}", after_ms=14 * MINUTE)
    assert talker.present() == CachePlan(HOUR, NONE)


def test_a_bot_that_is_asked_now_and_then_caches_nothing() -> None:
    talker = Talker()
    for number in range(100):
        talker.call(a_request(), conversation=f"c{number}", after_ms=120 * MINUTE)
    assert talker.present() == NO_CACHE


def test_the_window_that_moved_shares_the_prefix_only() -> None:
    talker = Talker()
    for number in range(60):
        talker.call(a_request(400, f"{number}" * 3000), after_ms=MINUTE)
    assert talker.present() == NO_CACHE


def test_other_bots_and_models_have_habits_of_their_own() -> None:
    talker = Talker()
    for number in range(60):
        talker.call(a_request(), conversation=f"c{number}", after_ms=120 * MINUTE)
    assert talker.traffic.plan(a_bot("other"), a_request(), PRICE) == CachePlan(MINUTES, MINUTES)
    elsewhere = replace(a_request(), choice=replace(CHOICE, model="model-2"))
    assert talker.traffic.plan(talker.bot, elsewhere, PRICE) == CachePlan(MINUTES, MINUTES)
    assert min(talker.traffic.charges("bot", CHOICE).items(), key=lambda item: item[1])[0] == NO_CACHE
    assert (
        talker.traffic.charges("other", CHOICE) == {} or set(talker.traffic.charges("other", CHOICE)) == set()
    )


# ── what is never marked ─────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("said", "plan"),
    [
        ({"prompt_cache": "off"}, NO_CACHE),
        ({"prompt_cache": "5m"}, CachePlan(MINUTES, MINUTES)),
        ({"prompt_cache": "1h"}, CachePlan(HOUR, HOUR)),
    ],
)
def test_an_operators_word_holds(said: dict[str, str], plan: CachePlan) -> None:
    assert Traffic().plan(a_bot(**said), a_request(), PRICE) == plan


@pytest.mark.parametrize("price", [None, a_price()])
def test_what_has_no_price_for_caching_is_not_marked(price: Price | None) -> None:
    traffic = Traffic()
    assert traffic.plan(a_bot(prompt_cache="1h"), a_request(), price) == NO_CACHE
    traffic.note(a_bot(), "c1", a_request(), price, Usage(2000, 1), T0)
    assert traffic.plan(a_bot(), a_request(), price) == NO_CACHE


def test_below_the_smallest_prefix_nothing_is_marked() -> None:
    talker = Talker()
    assert talker.traffic.plan(talker.bot, a_request(3_900), PRICE) == NO_CACHE
    assert talker.traffic.plan(talker.bot, a_request(3_900, "x" * 400), PRICE) != NO_CACHE


def test_the_smallest_prefix_is_learned_upwards() -> None:
    talker = Talker(smallest=4096)
    for _ in range(3):
        talker.call(a_request(), after_ms=MINUTE)
    assert talker.call(a_request(), after_ms=MINUTE) == NO_CACHE, "2,000 tokens were marked and not cached"
    assert talker.traffic.plan(talker.bot, a_request(16_400), PRICE) != NO_CACHE


def test_the_smallest_prefix_is_learned_downwards() -> None:
    price = a_price(RATES, ModelLimits(min_cacheable_tokens=4096))
    traffic, bot = Traffic(), a_bot()
    asked = a_request(plan=CachePlan(MINUTES, MINUTES))
    assert traffic.plan(bot, a_request(), price) == NO_CACHE
    traffic.note(bot, "c1", asked, price, Usage(2000, 1, cache_write_5m_tokens=2000), T0)
    assert traffic.plan(bot, a_request(), price) != NO_CACHE


def test_tokens_are_reckoned_as_the_bots_own_texts_had_them() -> None:
    traffic, bot = Traffic(), a_bot()
    dense = a_request(2_000)
    assert traffic.plan(bot, dense, PRICE) == NO_CACHE
    traffic.note(bot, "c1", dense, PRICE, Usage(2_000, 1), T0)
    assert traffic.plan(bot, dense, PRICE) != NO_CACHE, "a token a character, as in Bengali"


# ── what is remembered ───────────────────────────────────────────────────────────────────────────────────
def test_what_is_remembered_is_bounded() -> None:
    talker = Talker()
    for number in range(MOST_CONVERSATIONS + 5):
        talker.call(a_request(), conversation=f"c{number}")
    assert len(talker.traffic._last) == MOST_CONVERSATIONS


def test_a_bots_habits_for_its_window() -> None:
    traffic, bot = Traffic(), a_bot()
    assert traffic.habits("bot") is None
    call = ToolCall("1", "look", "{}")
    request = ModelRequest(
        CHOICE,
        "x" * 4_000,
        (
            UserMessage("y" * 2_000),
            AssistantMessage("", (call,)),
            ToolMessage((ToolResult("1", "look", "z" * 1_994),)),
        ),
        (ToolSpec("look", "looks"),),
    )
    traffic.note(bot, "c1", request, PRICE, Usage(2_000, 1), T0)
    habits = traffic.habits("bot")
    assert habits is not None
    assert (habits.choice, habits.least) == (CHOICE, 1000)
    assert 990 <= habits.prefix <= 1_010
    assert 325 <= habits.message <= 340
    for _ in range(40):
        traffic.note(bot, "c1", request, PRICE, Usage(2_000, 1), T0)
    many = traffic.habits("bot")
    assert many is not None
    assert many.hits == habits.hits, (
        "only a turn's first call tells whether its conversation was in the cache"
    )
    assert many.calls > 8 * habits.calls
    for _ in range(40):
        traffic.note(bot, "c2", a_request(8_000, "hello"), PRICE, Usage(2_000, 1), T0)
    often = traffic.habits("bot")
    assert often is not None
    assert often.hits > habits.hits
    assert often.calls < 2 * habits.calls
