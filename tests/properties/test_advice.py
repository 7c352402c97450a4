"""Whatever is in a ledger: no advice claims more than was spent, and each line of it can be written."""

import asyncio
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from runner.advice.counsel import Advice
from runner.advice.gathering import Asked, Spent, advice_from_rows, advice_from_sums
from runner.advice.saved import all_of, usage_with_savings
from runner.clock import MS_PER_DAY, UnixMs
from runner.config.price_books import load_book
from runner.money.amounts import Money
from runner.money.reservation import ReservationState
from runner.money.usage import NO_USAGE, Usage
from runner.ports.books import HoldRequest, Settlement
from runner.store.memory import MemoryStore
from tests.contract.stores.examples import WANTED, attempt, scope
from tests.unit.advice.writing import after, read_bot

NOW = UnixMs(1_795_341_600_000)
BOOK = load_book("default")
MODELS = ("claude-sonnet-4-6", "claude-haiku-4-5")
FIELDS: dict[str, Any] = {"platform": "custom", "llm_provider": "anthropic", "llm_model": MODELS[0]}
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "uncached": {"prompt_cache": "off", "context": "sliding", "conversation_max_messages": 6},
    "tiers": {
        "routing": {"tiers": {"small": f"anthropic/{MODELS[1]}", "standard": f"anthropic/{MODELS[0]}"}}
    },
    "limited": {"spending_cap_cents": 100, "caps": {"conversation": {"cents": 5}}, "max_loop_iterations": 2},
}

usages = st.builds(
    lambda plain, read, write, out: Usage(plain + read + write, out, read, write),
    *[st.integers(0, 60_000)] * 3,
    st.integers(0, 9_000),
)
calls = st.fixed_dictionaries(
    {
        "minutes": st.integers(0, 20_000),
        "model": st.sampled_from(MODELS),
        "conversation": st.sampled_from(["c1", "c2"]),
        "user": st.sampled_from(["ann", "ben"]),
        "task": st.sampled_from(["", "faq", "refund"]),
        "feature": st.sampled_from(["chat", "chat", "summary", "batch"]),
        "route": st.sampled_from(["default", "default", "cache"]),
        "iteration": st.integers(1, 12),
        "state": st.sampled_from([ReservationState.SETTLED] * 5 + [ReservationState.UNKNOWN]),
        "usage": usages,
    }
)


async def reckon(
    made: list[dict[str, Any]], kind: str
) -> tuple[dict[str, Spent], list[Advice], Money, Money]:
    store, bot = MemoryStore(), read_bot({**FIELDS, **KINDS[kind]})
    await store.open()
    for number, given_call in enumerate(made):
        about = {**given_call}
        usage, state = about.pop("usage"), about.pop("state")
        moment = NOW - about.pop("minutes") * 60_000
        if about["route"] == "cache":
            usage = NO_USAGE
        call = attempt(
            f"a{number}", f"t{number % 5}", bot="support", provider="anthropic", time_ms=moment, **about
        )
        price = BOOK.find("anthropic", call.model)
        assert price is not None
        cost = price.cost(usage)
        await store.hold(HoldRequest(call, (scope("bot:support", None),), replace(WANTED, input_cost=cost)))
        await store.settle(Settlement(call.id, state, cost, usage))
    asked = Asked.until(NOW, 14, (bot,), BOOK)
    quick = await advice_from_sums(store, asked)
    slow = await advice_from_rows(store, asked, quick.spent)
    saved = all_of(await usage_with_savings(store, asked.which(), ("day",), BOOK))
    again = all_of(await usage_with_savings(store, asked.which(), (), BOOK))
    assert saved.sum == again.sum
    await store.close()
    return quick.spent, [*quick.advice, *slow], saved.saved.caching, again.saved.caching


@settings(max_examples=25, deadline=None)
@given(
    made=st.lists(calls, min_size=40, max_size=60),
    times=st.integers(1, 3),
    kind=st.sampled_from(sorted(KINDS)),
)
def test_no_advice_claims_more_than_was_spent(made: list[dict[str, Any]], times: int, kind: str) -> None:
    spent, advice, *_ = asyncio.run(reckon(made * times, kind))
    fields, bot = {**FIELDS, **KINDS[kind]}, spent["support"]
    for one in advice:
        assert one.saved is None or 0 < one.saved <= bot.charged, one
        assert one.what, one
        assert one.evidence, one
        assert bool(one.write) == bool(one.where) != bool(one.run), one
        if one.write:
            assert after(fields, one) != read_bot(fields), one


@settings(max_examples=10, deadline=None)
@given(made=st.lists(calls, max_size=20))
def test_what_caching_saved_is_the_same_by_day_but_for_what_is_rounded(made: list[dict[str, Any]]) -> None:
    _, _, by_day, whole = asyncio.run(reckon(made, "plain"))
    assert 0 <= whole - by_day <= 2 * len(made) + 1


def test_days_are_utc_and_end_today() -> None:
    asked = Asked.until(NOW, 2, (), BOOK)
    assert asked.which().to_ms == (NOW // MS_PER_DAY + 1) * MS_PER_DAY
    assert asked.which().from_ms == (NOW // MS_PER_DAY - 1) * MS_PER_DAY
