"""A reception and its specialists, through the whole walk on fakes: who pays, how far, and what a crash leaves."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from runner.bots import Bot, Limits, Teammate
from runner.conversations.models import ToolCall, ToolMessage, UserMessage
from runner.errors import StoreError
from runner.money.amounts import Money
from runner.money.ledger import LedgerEntry, verify
from runner.money.scopes import Period
from runner.money.terms import Cap, Per
from runner.ports.books import LedgerFilter
from runner.ports.dialogue import ModelRequest
from runner.store.memory import MemoryStore
from runner.teams.handoff import TOO_FAR
from runner.testing.clock import ManualClock
from runner.testing.model_script import Behaviour, Hang, Say
from runner.testing.pipeline import INSTANT_S, Pipeline, pipeline
from runner.testing.provider import FakeProvider
from runner.testing.scenes import FunctionToolbox, a_bot, a_message

BILLING = a_bot("billing", system_prompt="You are billing.")
REPAIRS = a_bot("repairs", system_prompt="You are repairs.")
TEAM = (Teammate("repairs", "broken devices"), Teammate("billing", "invoices and refunds"))
RECEPTION = a_bot("reception", system_prompt="You are reception.", team=TEAM)


def hand(bot: str, message: str, call: str = "c1", **context: Any) -> ToolCall:
    arguments = {"message": message, **({"context": context} if context else {})}
    return ToolCall(call, f"delegate_to_{bot}", json.dumps(arguments))


def house(request: ModelRequest) -> Behaviour:
    """The reception hands over what it has not handed over yet; the others answer."""
    last = request.messages[-1]
    if isinstance(last, ToolMessage):
        return Say(f"They say: {'; '.join(result.text for result in last.results)}")
    asked = last.text if isinstance(last, UserMessage) else ""
    if request.system != RECEPTION.system_prompt:
        return Say(f"{request.system} You asked: {asked}")
    return Say("", (hand("billing", f"Look at {asked}", invoice=7),))


async def ask(walk: Pipeline, text: str = "my invoice") -> str:
    count = len(walk.adapter.sent)
    await walk.adapter.inject(a_message(text, f"e{count}"))
    return (await walk.adapter.replies(count + 1))[count].text


async def rows(store: MemoryStore) -> list[LedgerEntry]:
    found = [row async for row in store.ledger(LedgerFilter())]
    assert verify(await store.counters(), found) == []
    return found


async def paid(store: MemoryStore) -> list[tuple[str, str]]:
    """Whose call, in which part of the turn, in the order of the ledger."""
    return [(row.attempt.bot, row.attempt.id) for row in await rows(store)]


def add(walk: Pipeline, *bots: Bot) -> None:
    for bot in bots:
        walk.roster.add(bot)


def a_house(*first: Behaviour, clock: ManualClock | None = None) -> FakeProvider:
    provider = FakeProvider(clock or ManualClock(instant_s=INSTANT_S), house)
    provider.script(*first)
    return provider


async def test_the_reception_hands_over_and_tells_what_the_specialist_says() -> None:
    async with pipeline(RECEPTION, provider=a_house()) as walk:
        add(walk, BILLING, REPAIRS)
        said = await ask(walk)
        assert said == 'They say: You are billing. You asked: {"invoice":7}\n\nLook at my invoice'
        assert await paid(walk.store) == [
            ("reception", "t1-1"),
            ("billing", "t1.d1-1"),
            ("reception", "t1-2"),
        ]
        [first, asked, _] = [call.request for call in walk.provider.calls]
        assert [tool.name for tool in first.tools] == ["delegate_to_billing", "delegate_to_repairs"]
        assert "It is for: invoices and refunds" in first.tools[0].description
        assert asked.messages == (UserMessage('{"invoice":7}\n\nLook at my invoice'),)
        assert (asked.system, asked.tools) == ("You are billing.", ())


async def test_the_ledger_says_who_asked_and_for_whom() -> None:
    async with pipeline(RECEPTION, provider=a_house()) as walk:
        add(walk, BILLING, REPAIRS)
        await ask(walk)
        [first, asked, _] = [row.attempt for row in await rows(walk.store)]
        assert (asked.turn, asked.route_reason, asked.feature) == ("t1.d1", "asked by reception", "chat")
        assert (asked.user, asked.platform, asked.channel) == ("ada", "fake", "chat")
        assert asked.conversation == first.conversation
        assert first.route_reason == ""


async def test_two_specialists_are_asked_side_by_side() -> None:
    both = Say("", (hand("billing", "one", "c1"), hand("repairs", "two", "c2")))
    async with pipeline(RECEPTION, provider=a_house(both)) as walk:
        add(walk, BILLING, REPAIRS)
        said = await ask(walk)
        assert said == "They say: You are billing. You asked: one; You are repairs. You asked: two"
        assert sorted(await paid(walk.store)) == [
            ("billing", "t1.d1-1"),
            ("reception", "t1-1"),
            ("reception", "t1-2"),
            ("repairs", "t1.d2-1"),
        ]


async def test_the_specialist_has_its_own_tools() -> None:
    lookup = Say("", (ToolCall("l1", "look_up", "{}"),))
    first = Say("", (hand("billing", "look"),))
    async with pipeline(RECEPTION, provider=a_house(first, lookup)) as walk:
        walk.roster.add(BILLING, toolbox=FunctionToolbox(look_up=lambda _: "paid on Monday"))
        assert await ask(walk) == "They say: They say: paid on Monday"


async def test_the_cap_of_the_specialist_refuses_the_specialist_alone() -> None:
    async with pipeline(RECEPTION, provider=a_house()) as walk:
        add(walk, replace(BILLING, cap=Money(1)))
        assert await ask(walk) == (
            "They say: The bot billing gave no answer (budget): Bot has reached its spending limit."
        )
        assert {bot for bot, _ in await paid(walk.store)} == {"reception"}
        assert [run.ok for run in _results(walk)] == [False]


async def test_the_specialists_spending_counts_for_its_own_cap_and_for_the_teams() -> None:
    teams = Cap(Per.TEAM, Period.LIFETIME, Money(10_000_000_000_000))
    async with pipeline(replace(RECEPTION, caps=(teams,)), provider=a_house()) as walk:
        add(walk, replace(BILLING, cap=Money(10_000_000_000_000)))
        await ask(walk)
        [first, asked, last] = [row.cost or 0 for row in await rows(walk.store)]
        counters = await walk.store.counters()
        assert counters["bot:billing"].settled == asked > 0
        assert counters["bot:reception"].settled == first + last
        assert counters["team:reception"].settled == first + asked + last


async def test_three_hops_and_no_further() -> None:
    pairs = (("a", "b"), ("b", "c"), ("c", "d"))
    ring = [a_bot(name, team=(Teammate(after, "more"),)) for name, after in pairs]
    hops = [Say("", (hand(name, "on"),)) for name in "bcd"]
    stubborn = Say("", (hand("a", "on"),))
    async with pipeline(ring[0], provider=a_house(*hops, stubborn)) as walk:
        add(walk, *ring[1:], a_bot("d", team=(Teammate("a", "again"),)))
        assert await ask(walk) == f"They say: They say: They say: They say: {TOO_FAR}"
        assert [[tool.name for tool in call.request.tools] for call in walk.provider.calls[:4]] == [
            ["delegate_to_b"],
            ["delegate_to_c"],
            ["delegate_to_d"],
            [],
        ]
        assert ("d", "t1.d1.d1.d1-1") in await paid(walk.store)


async def test_two_bots_that_hand_to_one_another_come_to_an_end() -> None:
    """The loop guard: a ring of two ends after three hops, whatever the models want."""
    one, two = a_bot("one", team=(Teammate("two", "all"),)), a_bot("two", team=(Teammate("one", "all"),))

    def lazy(request: ModelRequest) -> Behaviour:
        last = request.messages[-1]
        if isinstance(last, ToolMessage) or not request.tools:
            return Say("enough")
        return Say("", (hand(request.tools[0].name.removeprefix("delegate_to_"), "you do it"),))

    provider = FakeProvider(ManualClock(instant_s=INSTANT_S), lazy)
    async with pipeline(one, provider=provider) as walk:
        add(walk, two)
        assert await ask(walk) == "enough"
        assert len(await rows(walk.store)) == 7


async def test_the_askers_time_holds_for_the_specialist() -> None:
    clock = ManualClock(instant_s=INSTANT_S)
    provider = a_house(Say("", (hand("billing", "slow"),)), Hang(), clock=clock)
    quick = replace(RECEPTION, limits=Limits(timeout_s=5.0))
    async with pipeline(quick, provider=provider, clock=clock) as walk:
        walk.roster.add(replace(BILLING, limits=Limits(timeout_s=50.0)))
        await walk.adapter.inject(a_message("hello", "e0"))
        while len(provider.calls) < 2:
            await clock.sleep(0)
        assert provider.calls[1].timeout_s == pytest.approx(65.0)  # 5 s, and 60 s to learn what was used


async def test_a_specialist_that_is_not_there_is_told_to_the_model() -> None:
    async with pipeline(RECEPTION, provider=a_house()) as walk:
        assert await ask(walk) == "They say: The bot billing is not there now."


async def test_arguments_that_cannot_be_read_are_told_to_the_model() -> None:
    bad = Say("", (ToolCall("c1", "delegate_to_billing", '{"msg": "x"}'),))
    async with pipeline(RECEPTION, provider=a_house(bad)) as walk:
        add(walk, BILLING)
        assert "They say: The call was not made: " in await ask(walk)
        assert {bot for bot, _ in await paid(walk.store)} == {"reception"}


# ── crashes in the middle of a request ───────────────────────────────────────────────────────────────────
WRITES = ("hold", "settle", "save_step", "steps", "finish")
LOOKS = Say("", (ToolCall("l1", "refund", "{}"),))
"""The specialist's first reply: it asks for a tool that must not be used twice."""


class Failing:
    """Lets the n-th write of a store fail; from then on all of them where it is `dead`."""

    def __init__(self, nth: int, *, dead: bool) -> None:
        self.left = nth
        self.dead = dead
        self.failed = asyncio.Event()

    def __call__(self, name: str) -> None:
        if name not in WRITES or self.left < 0:
            return
        if self.left == 0:
            self.failed.set()
            self.left = 0 if self.dead else -1
            raise StoreError("the disk is full")
        self.left -= 1


def a_refund() -> tuple[FakeProvider, FunctionToolbox]:
    def by_system(request: ModelRequest) -> Behaviour:
        from_tool = isinstance(request.messages[-1], ToolMessage)
        return LOOKS if request.system == BILLING.system_prompt and not from_tool else house(request)

    provider = FakeProvider(ManualClock(instant_s=INSTANT_S), by_system)
    return provider, FunctionToolbox(repeatable=False, refund=lambda _: "refunded")


@pytest.mark.parametrize("nth", range(12))
async def test_a_store_that_fails_once_pays_nothing_twice_and_refunds_once(nth: int) -> None:
    fault = Failing(nth, dead=False)
    provider, tools = a_refund()
    async with pipeline(RECEPTION, provider=provider, store=MemoryStore(fault)) as walk:
        walk.roster.add(BILLING, toolbox=tools)
        await walk.adapter.inject(a_message("my invoice", "e0"))
        await fault.failed.wait()
        await walk.clock.asleep()
        walk.clock.advance(0.5)
        [reply] = await walk.adapter.replies(1)
        assert reply.text.startswith("They say: They say: ")
        assert len(provider.calls) == len(await rows(walk.store)) == 4
        assert len(tools.calls) == 1


@pytest.mark.parametrize("nth", range(12))
async def test_killed_between_any_two_writes_what_was_paid_is_not_paid_again(nth: int) -> None:
    fault = Failing(nth, dead=True)
    provider, tools = a_refund()
    store = MemoryStore(fault)
    async with pipeline(RECEPTION, provider=provider, store=store) as walk:
        walk.roster.add(BILLING, toolbox=tools)
        await walk.adapter.inject(a_message("my invoice", "e0"))
        await fault.failed.wait()
    fault.left = -1
    async with pipeline(RECEPTION, provider=provider, store=store) as walk:
        walk.roster.add(BILLING, toolbox=tools)
        [reply] = await walk.adapter.replies(1)
        assert reply.text.startswith("They say: They say: ")
        ends = [row.state.value for row in await rows(store)]
        assert ends.count("settled") == 4
        assert ends.count("unknown") <= 1  # the call whose end was never written down
        assert len(provider.calls) == len(ends)
        assert len(tools.calls) == 1


def _results(walk: Pipeline) -> list[Any]:
    last = walk.provider.calls[-1].request.messages[-1]
    assert isinstance(last, ToolMessage)
    return list(last.results)
