"""Limits at the meter: how far they are used is told, who pays is asked anew, a broken bound outlives a restart."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from runner.agent.asks import Failed, Metered, Refused, ScopesOf
from runner.agent.meter import Meter
from runner.bots import BillingMode, ModelChoice, Secret
from runner.dispatch.accounts import scopes_for
from runner.money.amounts import Money
from runner.money.budget import Counter, Measure, ScopeLimit
from runner.money.estimate import estimate
from runner.money.prices import Price, PriceBook
from runner.money.scopes import Period
from runner.money.terms import Cap, Per, Plan, WalletTerms
from runner.money.usage import Usage
from runner.ports.books import Deposit, Quarantine
from runner.ports.observer import BoundBroken, Fault, LimitUsed
from runner.testing.clock import ManualClock
from runner.testing.model_script import Fault as Status
from runner.testing.model_script import Say
from runner.testing.provider import FakeProvider
from runner.testing.roster import FakeRoster
from runner.testing.scenes import CHOICE, RATES, a_book, a_bot, a_price
from tests.unit.agent.meter_world import ABOUT, COST, LARGEST, REQUEST, World, a_world

OTHER = ModelChoice("other", "model-2")
DEAR = Say("dear", usage=Usage(10**6, 10))
QUOTA = "plan-tokens:starter@2026-01"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with a_world(a_book(a_price(), Price(OTHER.model, OTHER.provider, RATES, version="test"))) as made:
        yield made


def against(*scopes: ScopeLimit) -> ScopesOf:
    return lambda _: scopes


def wallet(limit: int | None = None) -> ScopeLimit:
    return ScopeLimit("wallet", limit, funded=True)


async def paid_in(world: World, amount: int = LARGEST) -> None:
    await world.store.deposit(Deposit(f"receipt {amount}", Money(amount), 0))


async def told(world: World, turn: str = "t1", **changes: Any) -> list[LimitUsed]:
    """What is told of limits after one more call."""
    before = len(world.observer.of(LimitUsed))
    assert isinstance(await world.call(turn=turn, **changes), Metered)
    await world.meter.settled(turn)
    return world.observer.of(LimitUsed)[before:]


def restarted(world: World) -> Meter:
    """Another process on the same store."""
    book = a_book(a_price(), Price(OTHER.model, OTHER.provider, RATES, version="test"))
    return Meter(world.providers, lambda: book, world.store, world.clock, world.observer, world.tasks)


def hold_of_one() -> int:
    """What one call is held at, in full."""
    size = FakeProvider(ManualClock()).prepare(REQUEST).size
    return estimate(size, a_price(), REQUEST.max_output_tokens).amount(REQUEST.max_output_tokens)


FULL = hold_of_one()
"""In money; of it 4 for each token of output, 1 for each of input."""
FULL_TOKENS = FULL - 4 * 1000 + 1000


# ── how far limits are used ──────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("limit", "percent"),
    [(None, None), (2 * FULL + 1, None), (2 * FULL, 50), (FULL * 5 // 4, 80), (FULL + 1, 80), (FULL, 100)],
)
async def test_how_far_a_limit_is_used_is_told(world: World, limit: int | None, percent: int | None) -> None:
    world.provider.script(Say("no usage: the whole hold stays taken", tells_usage=False))
    found = await told(world, scopes=against(ScopeLimit("user:bot/fake/ada", limit)))
    assert found == (
        []
        if limit is None or percent is None
        else [LimitUsed("bot", "user:bot/fake/ada", percent, limit, FULL)]
    )


async def test_each_limit_of_a_call_is_told(world: World) -> None:
    world.provider.script(Say("", tells_usage=False))
    limits = [ScopeLimit("bot:bot", FULL), ScopeLimit("message:t1", FULL), ScopeLimit("team:bot", 2 * FULL)]
    assert [(one.scope, one.percent) for one in await told(world, scopes=against(*limits))] == [
        ("bot:bot", 100),
        ("team:bot", 50),
    ]


async def test_what_is_gone_is_told_and_not_what_is_only_held(world: World) -> None:
    found = await told(world, scopes=against(ScopeLimit("bot:bot", FULL)))
    assert found == [], "140 of what was held"
    world.provider.script(Status(429))
    assert isinstance(
        await world.call(turn="t2", scopes=against(ScopeLimit("x", FULL)), patient=False), Failed
    )
    await world.meter.settled("t2")
    assert world.observer.of(LimitUsed) == []


async def test_the_wallet_is_told_each_time(world: World) -> None:
    """Its soft limit is an amount and no percentage: who knows it decides."""
    await paid_in(world)
    assert await told(world, scopes=against(wallet())) == [LimitUsed("bot", "wallet", 0, LARGEST, COST)]
    assert await told(world, "t2", scopes=against(wallet(-5))) == [
        LimitUsed("bot", "wallet", 0, LARGEST - 5, 2 * COST)
    ]


async def test_without_a_wallet_nothing_is_told_of_it(world: World) -> None:
    assert await told(world, scopes=against(wallet())) == []


async def test_tokens_are_told_in_tokens(world: World) -> None:
    found = await told(world, scopes=against(ScopeLimit(QUOTA, 100_000, Measure.TOKENS)))
    assert found == []
    world.provider.script(Say("", usage=Usage(10, 990)))
    found = await told(world, "t2", scopes=against(ScopeLimit(QUOTA, 2_000, Measure.TOKENS)))
    assert found == [LimitUsed("bot", QUOTA, 50, 2_000, 1_110)]


# ── who pays ─────────────────────────────────────────────────────────────────────────────────────────────
async def test_the_wallet_pays_for_a_fallback_on_the_runners_key(world: World) -> None:
    await paid_in(world)
    roster, key = FakeRoster(), Secret("sk-own")
    bot = roster.add(a_bot(billing_mode=BillingMode.BYOK, llm_api_key=key, fallbacks=(OTHER,)))
    scopes = scopes_for(bot, roster)
    about = replace(ABOUT, billing_mode=BillingMode.BYOK)
    await world.call(scopes=scopes, key=key, about=about)
    about = replace(about, turn="t2")
    await world.call(scopes=scopes, request=replace(REQUEST, choice=OTHER), about=about)
    rows = await world.rows()
    assert [row.scopes for row in rows] == [("bot:bot",), ("bot:bot", "wallet")]
    assert [row.attempt.billing_mode for row in rows] == ["byok", "wallet"], "who paid is in the row"
    counters = await world.store.counters()
    assert counters == {"bot:bot": Counter(2 * COST), "wallet": Counter(COST)}


async def test_an_empty_wallet_calls_nobody_until_it_is_filled(world: World) -> None:
    roster = FakeRoster()
    roster.wallet_terms = WalletTerms()
    scopes = scopes_for(roster.add(a_bot()), roster)
    assert await world.call(scopes=scopes) == Refused("wallet", limit=True, attempts_used=0)
    assert world.provider.calls == []
    await paid_in(world)
    assert isinstance(await world.call(scopes=scopes), Metered)


async def test_a_plan_is_shared_by_its_bots(world: World) -> None:
    roster, plan = FakeRoster(), Plan("starter", monthly_tokens=FULL_TOKENS + 300)
    one, other = (
        roster.add(a_bot(name, billing_mode=BillingMode.PLAN_QUOTA, plan=plan)) for name in ("one", "other")
    )
    world.provider.script(Say("", tells_usage=False))
    about = replace(ABOUT, bot="one")
    assert isinstance(await world.call(scopes=scopes_for(one, roster), about=about), Metered)
    about = replace(ABOUT, bot="other", turn="t2")
    refused = await world.call(scopes=scopes_for(other, roster), about=about)
    assert isinstance(refused, Refused)
    assert (refused.scope.partition("@")[0], refused.limit) == ("plan-tokens:starter", True)


async def test_a_call_is_settled_in_the_day_it_was_held_in(world: World) -> None:
    """Another day is another scope."""
    roster = FakeRoster()
    scopes = scopes_for(roster.add(a_bot(caps=(Cap(Per.BOT, Period.DAY, Money(FULL)),))), roster)
    world.provider.script(Say("late", latency_s=20, usage=Usage(100, 10)))
    calling = world.tasks.create_task(world.call(scopes=scopes), name="call")
    await world.clock.asleep()
    [held] = [name for name in await world.store.counters() if "@" in name]
    world.clock.advance(20)
    assert isinstance(await calling, Metered)
    await world.meter.settled("t1")
    assert (await world.store.counters())[held] == Counter(COST)
    world.clock.advance(86_400)
    assert isinstance(await world.call(turn="t2", scopes=scopes), Metered)
    await world.meter.settled("t2")
    days = {name: counter for name, counter in (await world.store.counters()).items() if "@" in name}
    assert days == {held: Counter(COST), **{name: Counter(COST) for name in days}}
    assert len(days) == 2


# ── unpriced is not free ─────────────────────────────────────────────────────────────────────────────────
async def test_a_model_without_a_price_is_not_called_once_a_wallet_pays() -> None:
    async with a_world(PriceBook("empty")) as world:
        assert isinstance(await world.call(scopes=against(ScopeLimit("bot:bot", None), wallet())), Metered)
        await paid_in(world)
        refused = await world.call(turn="t2", scopes=against(ScopeLimit("bot:bot", None), wallet()))
        assert isinstance(refused, Failed)
        assert refused.unpriced
        assert isinstance(await world.call(turn="t3", scopes=against(ScopeLimit("bot:bot", None))), Metered)
        assert len(world.provider.calls) == 2


@pytest.mark.parametrize("scope", [wallet(0), ScopeLimit(QUOTA, 10**9, Measure.TOKENS)])
async def test_a_model_without_a_price_is_not_called_where_anything_limits_it(scope: ScopeLimit) -> None:
    async with a_world(PriceBook("empty")) as world:
        refused = await world.call(scopes=against(ScopeLimit("bot:bot", None), scope))
        assert isinstance(refused, Failed)
        assert refused.unpriced
        assert world.provider.calls == []


# ── a broken bound ───────────────────────────────────────────────────────────────────────────────────────
async def broken(world: World, **changes: Any) -> None:
    assert isinstance(await world.call(**changes), Metered)
    await world.meter.settled("t1")


async def test_a_model_set_aside_stays_so_over_a_restart(world: World) -> None:
    world.provider.script(DEAR)
    await broken(world)
    [row] = await world.rows()
    assert await world.store.quarantined() == [
        Quarantine("fake", "model-1", "t1-1", row.hold, row.cost, world.clock.now_ms())
    ]
    again = restarted(world)
    await again.open()
    refused = await again.call(world.ask(turn="t2"), world.store)
    assert isinstance(refused, Failed)
    assert "more than its bound" in refused.why
    assert (refused.elsewhere, refused.unpriced, refused.timed_out) == (False, False, False)
    other = await again.call(world.ask(turn="t3", request=replace(REQUEST, choice=OTHER)), world.store)
    assert isinstance(other, Metered), "the others answer"


async def test_an_operator_clears_it(world: World) -> None:
    world.provider.script(DEAR)
    await broken(world)
    assert await world.meter.clear(CHOICE)
    assert not await world.meter.clear(CHOICE)
    assert isinstance(await world.call(turn="t2"), Metered)
    again = restarted(world)
    await again.open()
    assert isinstance(await again.call(world.ask(turn="t3"), world.store), Metered)


async def test_a_store_that_cannot_remember_it_is_told_and_the_model_not_called(world: World) -> None:
    world.provider.script(DEAR)
    world.store_faults.append("quarantine")
    await broken(world)
    assert [fault.where for fault in world.observer.of(Fault)] == ["quarantine"]
    assert isinstance(await world.call(turn="t2"), Failed)
    await world.meter.open()  # as when another daemon has set one aside
    assert isinstance(await world.call(turn="t3"), Failed)
    await world.meter.clear(CHOICE)
    await world.meter.open()
    assert isinstance(await world.call(turn="t4"), Metered)


async def test_more_tokens_than_were_held_break_the_bound_of_a_quota(world: World) -> None:
    world.provider.script(Say("", usage=Usage(FULL_TOKENS, 1)))
    await broken(world, scopes=against(ScopeLimit(QUOTA, 10**6, Measure.TOKENS)))
    assert len(world.observer.of(BoundBroken)) == 1
    assert await world.store.quarantined() != []


@pytest.mark.parametrize(
    ("usage", "scope"),
    [
        (Usage(FULL_TOKENS, 0), ScopeLimit(QUOTA, 10**6, Measure.TOKENS)),
        (Usage(FULL_TOKENS, 1), ScopeLimit("bot:bot", None)),
        (Usage(FULL - 4000, 1000), ScopeLimit("bot:bot", FULL)),
    ],
)
async def test_what_is_within_its_bound_is_not_broken(world: World, usage: Usage, scope: ScopeLimit) -> None:
    world.provider.script(Say("", usage=usage))
    await broken(world, scopes=against(scope))
    assert world.observer.of(BoundBroken) == []
    assert await world.store.quarantined() == []
