"""Summaries are made ahead, beside everything: paid like any call, missed without harm."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from runner.agent.meter import Meter
from runner.bots import Bot, ConversationRules, Limits, ModelChoice, Routing, Tier
from runner.conversations.models import AssistantMessage, Message, UserMessage
from runner.conversations.summary import SUMMARY_PROMPT
from runner.conversations.window import Marks
from runner.dispatch.summaries import MAX_OUTPUT_TOKENS, MOST_AT_ONCE, SUMMARY_S, Summaries
from runner.errors import StoreError
from runner.money.amounts import Money
from runner.money.budget import ScopeLimit
from runner.money.estimate import Estimate
from runner.money.ledger import Attempt, LedgerEntry, verify
from runner.money.prices import Price
from runner.money.reservation import ReservationState
from runner.ports.books import HoldRequest, LedgerFilter
from runner.ports.mail import ConversationState, FinishedTurn, NewInbound, PreparedHead, StoredStep
from runner.ports.observer import Fault, SummaryMissed
from runner.store.memory import MemoryStore
from runner.testing.clock import ManualClock
from runner.testing.model_script import Fault as Refusal
from runner.testing.model_script import Say
from runner.testing.observer import RecordingObserver
from runner.testing.pipeline import OneProvider
from runner.testing.provider import FakeProvider
from runner.testing.roster import FakeRoster
from runner.testing.scenes import RATES, a_book, a_bot, a_price

MARKS = Marks(3, 4)
BOT = a_bot(conversations=ConversationRules(summarize=True))
ABOUT = Attempt("", 0, "bot", "fake", "chat", "c1", "ada", "t1", "fake", "model-1", "", task="faq")
HISTORY: tuple[Message, ...] = (
    UserMessage("Where is order 7?"),
    AssistantMessage("On its way."),
    UserMessage("When?"),
    AssistantMessage("On Monday."),
)
STATE = ConversationState("c1", 0, 0, first_seq=0, next_seq=4)
SUMMARY = Say("Ada waits for order 7.", latency_s=1)
BOOK = a_book(a_price(), Price("model-2", "fake", RATES, version="test"))


class AskedRoster(FakeRoster):
    """Knows how often a cap was asked for: once for each try to hold money."""

    asked = 0

    def cap(self, bot_id: str) -> Money | None:
        self.asked += 1
        return super().cap(bot_id)


@dataclass
class World:
    """Summaries and what they stand on."""

    summaries: Summaries
    provider: FakeProvider
    store: MemoryStore
    clock: ManualClock
    observer: RecordingObserver
    roster: AskedRoster
    meter: Meter
    faults: list[str]

    def after(self, bot: Bot = BOT, state: ConversationState = STATE, **others: Any) -> None:
        asked: dict[str, Any] = {"history": HISTORY, "marks": MARKS, "about": ABOUT}
        self.summaries.after(bot, state, **{**asked, **others})

    async def made(self) -> None:
        """Let all that runs answer and end."""
        while self.summaries.running:
            await self.clock.sleep(0)
            self.clock.advance(1 if self.clock.sleeping else 0)

    async def state(self, conversation: str = "c1") -> ConversationState:
        """As the lane's next message finds it."""
        await self.store.accept(NewInbound("bot", "chat", "", f"next {conversation}", conversation, "{}", 0))
        async with self.store.lane(conversation) as session:
            assert session is not None
            work = await session.next(0)
        assert work is not None
        assert work.conversation is not None
        return work.conversation

    async def talk(self, conversation: str = "c1") -> None:
        """A conversation in the store, four messages long."""
        inbox_id = (
            await self.store.accept(NewInbound("bot", "chat", "", conversation, conversation, "{}", 0))
        ).inbox_id
        async with self.store.lane(conversation) as session:
            assert session is not None
            state = ConversationState(conversation, 0, 0)
            await session.finish(
                FinishedTurn(
                    *(inbox_id, f"t{inbox_id}", "bot", "chat", conversation, "ada", state, "answered", 0),
                    messages=("1", "2", "3", "4"),
                )
            )

    async def rows(self) -> list[LedgerEntry]:
        rows = [row async for row in self.store.ledger(LedgerFilter())]
        assert verify(await self.store.counters(), rows) == []
        return rows

    def missed(self) -> list[str]:
        return [event.why for event in self.observer.of(SummaryMissed)]


@asynccontextmanager
async def a_world() -> AsyncIterator[World]:
    faults: list[str] = []

    def before(method: str) -> None:
        if method in faults:
            raise StoreError("the disk is full")

    clock, observer, store, roster = ManualClock(), RecordingObserver(), MemoryStore(before), AskedRoster()
    await store.open()
    roster.add(BOT)
    provider = FakeProvider(clock, SUMMARY)
    async with asyncio.TaskGroup() as tasks:
        meter = Meter(OneProvider(provider), lambda: BOOK, store, clock, observer, tasks)
        summaries = Summaries(meter, store, roster, clock, observer, tasks)
        world = World(summaries, provider, store, clock, observer, roster, meter, faults)
        await world.talk()
        yield world


async def test_a_head_stands_ready_for_the_window_that_is_about_to_move() -> None:
    async with a_world() as world:
        world.after()
        assert world.provider.calls == [], "nobody waits for it"
        await world.made()
        assert (await world.state()).prepared == PreparedHead(2, "Ada waits for order 7.")
        [call] = world.provider.calls
        assert call.request.system == SUMMARY_PROMPT
        assert call.request.messages == (
            UserMessage("The messages:\nUser: Where is order 7?\nAssistant: On its way."),
        )
        assert (call.request.tools, call.max_output_tokens) == ((), MAX_OUTPUT_TOKENS)
        assert world.missed() == []


async def test_it_is_a_call_like_any_other_and_no_step_of_the_turn() -> None:
    async with a_world() as world:
        world.after()
        await world.made()
        [row] = await world.rows()
        assert (row.attempt.id, row.attempt.turn) == ("t1.summary-1", "t1.summary")
        assert (row.attempt.feature, row.attempt.task, row.attempt.route) == ("summary", "", "default")
        assert (row.attempt.user, row.attempt.conversation) == ("ada", "c1")
        assert row.state is ReservationState.SETTLED
        assert 0 < row.cost <= row.hold
        assert row.scopes == ("bot:bot",)
        await world.store.save_step("t1.summary", StoredStep(0, "its place was free"))


async def test_the_head_before_goes_on_in_it() -> None:
    async with a_world() as world:
        state = replace(STATE, head="Ada is a customer.", first_seq=0)
        world.after(state=state)
        await world.made()
        [call] = world.provider.calls
        [asked] = call.request.messages
        assert isinstance(asked, UserMessage)
        assert asked.text.startswith("The earlier summary:\nAda is a customer.\n\nThe messages after it:")


async def test_the_small_tier_writes_it() -> None:
    small = Tier("small", ModelChoice("fake", "model-2"))
    bot = replace(BOT, routing=Routing((small,), "small"), limits=Limits(max_output_tokens=300))
    async with a_world() as world:
        world.after(bot)
        await world.made()
        [row] = await world.rows()
        assert (row.attempt.model, row.attempt.route) == ("model-2", "small")
        assert world.provider.calls[0].max_output_tokens == 300


@pytest.mark.parametrize(
    "others",
    [
        {"bot": a_bot()},
        {"history": ()},
        {"marks": Marks(5, 20)},
        {"state": replace(STATE, prepared=PreparedHead(2, "there"))},
    ],
    ids=["not wished for", "nothing said", "far from its mark", "ready already"],
)
async def test_nothing_is_asked_where_nothing_is_needed(others: dict[str, Any]) -> None:
    async with a_world() as world:
        world.after(**others)
        assert world.summaries.running == frozenset()


async def test_one_at_a_time_and_once_for_each_window() -> None:
    async with a_world() as world:
        world.after()
        world.after()
        assert len(world.summaries.running) == 1
        await world.made()
        world.after()  # a turn that began before the head was there does not know of it
        assert world.summaries.running == frozenset()
        later = replace(STATE, first_seq=2, next_seq=6, head="Ada waits for order 7.")
        world.after(state=later, about=replace(ABOUT, turn="t3"))
        await world.made()
        assert (await world.state()).prepared == PreparedHead(4, "Ada waits for order 7.")


async def test_no_more_than_so_many_at_once() -> None:
    async with a_world() as world:
        for number in range(MOST_AT_ONCE + 1):
            state, about = replace(STATE, id=f"c{number}"), replace(ABOUT, turn=f"t{number}")
            world.after(state=state, about=about)
        assert len(world.summaries.running) == MOST_AT_ONCE
        [missed] = world.observer.of(SummaryMissed)
        assert (missed.bot, missed.conversation) == ("bot", f"c{MOST_AT_ONCE}")
        await world.made()
        assert len(world.provider.calls) == MOST_AT_ONCE
        world.after(state=replace(STATE, id="another"), about=replace(ABOUT, turn="t99"))
        assert len(world.summaries.running) == 1
        await world.made()


async def test_what_cannot_be_afforded_is_missed() -> None:
    async with a_world() as world:
        world.roster.caps["bot"] = Money(1)
        world.after()
        await world.made()
        assert world.missed() == ["no money left in bot:bot"]
        assert world.provider.calls == []
        assert await world.rows() == []


async def test_money_that_others_hold_is_waited_for_no_longer_than_a_minute() -> None:
    async with a_world() as world:
        world.roster.caps["bot"] = Money(20_000)
        others = Estimate(0, 0, 0, Money(19_000), 0)
        await world.store.hold(
            HoldRequest(replace(ABOUT, id="other"), (ScopeLimit("bot:bot", None),), others)
        )
        world.after()
        [task] = world.summaries.running
        while not world.roster.asked:
            await world.clock.sleep(0)
        world.clock.advance(SUMMARY_S)
        world.meter.limit_changed("bot:bot")
        await asyncio.wait([task])
        assert world.missed() == ["no money free in time in bot:bot"]
        assert world.provider.calls == []


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [(Refusal(400, "bad"), "HTTP 400: bad"), (Say("  "), "fake/model-1 wrote none (end)")],
)
async def test_what_fails_is_missed(behaviour: Any, why: str) -> None:
    async with a_world() as world:
        world.provider.script(behaviour)
        world.after()
        await world.made()
        assert world.missed() == [why]
        assert (await world.state()).prepared is None


@pytest.mark.parametrize("method", ["hold", "prepare_head"])
async def test_a_store_that_fails_loses_a_summary_and_nothing_else(method: str) -> None:
    async with a_world() as world:
        world.faults.append(method)
        world.after()
        await world.made()
        assert world.missed() == ["the disk is full"]
        world.faults.clear()
        world.after(about=replace(ABOUT, turn="t2"))
        await world.made()
        assert (await world.state()).prepared is not None


async def test_a_fault_of_our_own_ends_no_other_work(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    async with a_world() as world:
        monkeypatch.setattr(world.store, "prepare_head", broken)
        world.after()
        await world.made()
        [fault] = world.observer.of(Fault)
        assert (fault.where, fault.turn) == ("summary", "t1")
        assert world.missed() == ["a fault of our own"]


async def test_a_stop_gives_up_what_is_being_made_and_its_money_is_reckoned() -> None:
    async with a_world() as world:
        world.after()
        await world.clock.asleep()
        await world.summaries.stop()
        assert world.summaries.running == frozenset()
        world.after(state=replace(STATE, id="c2"))
        assert world.summaries.running == frozenset(), "no more are begun"
        world.clock.advance(1)  # the call that was under way ends
        while (await world.rows())[0].state is ReservationState.HELD:
            await world.clock.sleep(0)
        [row] = await world.rows()
        assert row.state is ReservationState.SETTLED
        assert (await world.state()).prepared is None
        await world.summaries.stop()
