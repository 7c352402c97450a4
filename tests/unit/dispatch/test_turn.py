"""The walk of one message, on fakes: each message ends in a reply, whatever goes wrong."""

import asyncio
import json
from typing import Any

import pytest

from adapters.contract import Capabilities, Delivery, DeliveryState
from adapters.messages import ChatKind, ChatRef, OutboundMessage, Sender, SendResult, inbound_to_json
from adapters.testing.fake import FakeAdapter
from runner.bots import BillingMode, ConversationRules, Limits, Secret, Texts
from runner.conversations.models import AssistantMessage, ToolCall, ToolMessage, ToolResult, UserMessage
from runner.dispatch import texts, working
from runner.errors import StoreError
from runner.money.amounts import Money
from runner.money.ledger import LedgerEntry, verify
from runner.money.prices import PriceBook
from runner.money.reservation import ReservationState
from runner.money.usage import Usage
from runner.ports.books import LedgerFilter
from runner.ports.dialogue import ModelRequest, StopReason
from runner.ports.mail import NewInbound
from runner.ports.observer import Fault as Faulty
from runner.ports.observer import TurnFinished
from runner.ports.provider import Prepared
from runner.store.memory import MemoryStore
from runner.testing.clock import ManualClock
from runner.testing.model_script import Fault, Say
from runner.testing.pipeline import INSTANT_S, Pipeline, pipeline
from runner.testing.provider import FakeProvider
from runner.testing.scenes import FunctionToolbox, a_bot, a_message

ADA = "bot|chat|ada|ada"


def echo(request: ModelRequest) -> Say:
    """Says which message it answers, and how many it sees."""
    last = request.messages[-1]
    assert isinstance(last, UserMessage)
    return Say(f"re {last.text} ({len(request.messages)})", usage=Usage(100, 10))


def answering(clock: ManualClock | None = None) -> FakeProvider:
    return FakeProvider(clock or ManualClock(instant_s=INSTANT_S), echo)


async def ask(walk: Pipeline, text: str, **more: Any) -> str:
    """Say something and wait for the next reply."""
    count = len(walk.adapter.sent)
    await walk.adapter.say(text, **more)
    return (await walk.adapter.replies(count + 1))[count].text


async def rows(store: MemoryStore) -> list[LedgerEntry]:
    found = [row async for row in store.ledger(LedgerFilter())]
    assert verify(await store.counters(), found) == []
    return found


async def test_one_message(provider: FakeProvider) -> None:
    async with pipeline(a_bot(), provider=provider) as walk:
        delivery = await walk.adapter.say("hello")
        assert delivery == Delivery(DeliveryState.ACCEPTED)
        [reply] = await walk.adapter.replies(1)
        assert (reply.text, reply.key, reply.in_reply_to, reply.report) == ("re hello (1)", "t1.1", "e1", {})
        [told] = await walk.observer.until(TurnFinished)
        assert (told.bot, told.turn, told.conversation, told.stop_reason) == ("bot", "t1", "c1", "answered")
        assert (told.iterations, told.tool_calls, told.cost) == (1, 0, 140)
        [row] = await rows(walk.store)
        attempt = row.attempt
        assert (attempt.turn, attempt.conversation, attempt.user, attempt.platform, attempt.channel) == (
            "t1",
            "c1",
            "ada",
            "fake",
            "chat",
        )
        record = await walk.store.turn("t1")
        assert record is not None
        assert json.loads(record.report)["tokens"]["input"] == 100


@pytest.fixture
def provider() -> FakeProvider:
    return answering()


async def test_a_conversation_goes_on_until_it_idles_out(provider: FakeProvider) -> None:
    async with pipeline(a_bot(), provider=provider) as walk:
        assert await ask(walk, "one") == "re one (1)"
        assert await ask(walk, "two") == "re two (3)"
        assert await ask(walk, "three", user="bob") == "re three (1)"
        walk.clock.advance(24 * 3600)
        assert await ask(walk, "four") == "re four (5)"
        walk.clock.advance(24 * 3600)
        assert await ask(walk, "five") == "re five (7)", "each message begins the time anew"
        walk.clock.advance(24 * 3600 + 1)
        assert await ask(walk, "six") == "re six (1)"
        told = await walk.observer.until(TurnFinished, 6)
        assert [event.conversation for event in told] == ["c1", "c1", "c3", "c1", "c1", "c6"]


async def test_reset_starts_anew_and_no_model_is_asked(provider: FakeProvider) -> None:
    async with pipeline(a_bot(), provider=provider) as walk:
        await ask(walk, "one")
        assert await ask(walk, "/reset") == texts.NEW_CONVERSATION
        assert await ask(walk, "two") == "re two (1)"
        assert await ask(walk, "/help") == texts.help_text(walk.bot)
        assert await ask(walk, "three") == "re three (3)", "commands are not part of what was said"
        assert await ask(walk, "/dance") == "re /dance (5)"
        told = await walk.observer.until(TurnFinished, 6)
        assert [event.stop_reason for event in told].count("command") == 2
        assert len(provider.calls) == 4


async def test_the_window_moves_and_what_is_sent_stays_legal(provider: FakeProvider) -> None:
    rules = ConversationRules(max_messages=5, keep_messages=3)
    async with pipeline(a_bot(conversations=rules), provider=provider) as walk:
        seen = [await ask(walk, str(number)) for number in range(6)]
    assert seen == ["re 0 (1)", "re 1 (3)", "re 2 (5)", "re 3 (3)", "re 4 (5)", "re 5 (3)"]
    for call in provider.calls:
        assert isinstance(call.request.messages[0], UserMessage)


async def test_tools_and_their_results_are_remembered() -> None:
    call = ToolCall("c", "look", "{}")
    provider = answering()
    provider.script(Say("", (call,), usage=Usage(100, 10)), Say("seen", usage=Usage(200, 10)))
    async with pipeline(a_bot(), FunctionToolbox(look=lambda _: "tea"), provider=provider) as walk:
        assert await ask(walk, "one") == "seen"
        await ask(walk, "two")
        [told, _] = await walk.observer.until(TurnFinished, 2)
        assert (told.iterations, told.tool_calls, told.cost) == (2, 1, 140 + 240)
    assert provider.calls[2].request.messages == (
        UserMessage("one"),
        AssistantMessage("", (call,)),
        ToolMessage((ToolResult("c", "look", "tea"),)),
        AssistantMessage("seen"),
        UserMessage("two"),
    )


async def test_a_long_answer_goes_out_in_parts_and_in_order() -> None:
    provider = answering()
    provider.script(Say("one two three four", usage=Usage(1, 1)))
    adapter = FakeAdapter(Capabilities(max_text=8))
    async with pipeline(a_bot(), adapter=adapter, provider=provider) as walk:
        await walk.adapter.say("hello")
        sent = await walk.adapter.replies(3)
    assert [(message.key, message.text) for message in sent] == [
        ("t1.1", "one two"),
        ("t1.2", "three"),
        ("t1.3", "four"),
    ]


async def test_whoever_collects_gets_the_figures_and_gets_them_again(provider: FakeProvider) -> None:
    adapter = FakeAdapter(Capabilities(collects=True, reports=True))
    async with pipeline(a_bot(), adapter=adapter, provider=provider) as walk:
        await walk.adapter.say("hello", event_id="e1")
        [first] = await walk.adapter.replies(1)
        assert first.report["cost_usd"] == "0.00000000014"
        assert first.report["conversation_id"] == "c1"
        again = await walk.adapter.say("hello", event_id="e1")
        assert again == Delivery(DeliveryState.DUPLICATE)
        assert (await walk.adapter.replies(2))[1] == first
        assert len(provider.calls) == 1


async def test_an_answer_that_could_not_be_handed_out_is_kept(provider: FakeProvider) -> None:
    class Broken(FakeAdapter):
        broken = True

        async def send(self, message: OutboundMessage) -> SendResult:
            if self.broken:
                raise RuntimeError("a bug")
            return await super().send(message)

    adapter = Broken(Capabilities(collects=True))
    async with pipeline(a_bot(), adapter=adapter, provider=provider) as walk:
        await walk.adapter.say("hello", event_id="e1")
        [fault] = await walk.observer.until(Faulty)
        assert (fault.where, fault.turn) == ("send", "t1")
        adapter.broken = False
        assert await ask(walk, "more", event_id="e2") == "re more (3)"
        assert (await walk.adapter.say("hello", event_id="e1")).state is DeliveryState.DUPLICATE
        assert (await walk.adapter.replies(2))[1].text == "re hello (1)"


# ── who is who ───────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("chat", "scope", "reports", "named"),
    [
        (None, "user", False, False),
        ("room", "user", False, True),
        (None, "channel", False, True),
        (None, "user", True, True),
    ],
)
async def test_a_name_is_told_where_it_tells_something(
    provider: FakeProvider, chat: str | None, scope: Any, *, reports: bool, named: bool
) -> None:
    bot = a_bot(conversations=ConversationRules(scope=scope))
    adapter = FakeAdapter(Capabilities(reports=reports))
    async with pipeline(bot, adapter=adapter, provider=provider) as walk:
        await walk.adapter.inject(a_message(chat=chat, sender=Sender("ada", "Ada")))
        await walk.adapter.replies(1)
    assert provider.calls[0].request.messages == (UserMessage("hello", "Ada" if named else None),)


# ── every end is a reply ─────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("bot", "script", "stop", "text"),
    [
        ({"cap": Money(10)}, [], StopReason.BUDGET, "Bot has reached its spending limit."),
        (
            {"limits": Limits(max_cost_per_message=Money(10))},
            [],
            StopReason.BUDGET,
            "This message has reached its cost limit.",
        ),
        ({}, [Fault(401)], StopReason.PROVIDER_ERROR, None),
        ({"texts": Texts(fallback="Call us.")}, [Fault(401)], StopReason.PROVIDER_ERROR, "Call us."),
        (
            {"limits": Limits(max_output_tokens=300)},
            [Say("half", usage=Usage(9, 300))],
            StopReason.OUTPUT_LIMIT,
            None,
        ),
    ],
)
async def test_each_end_says_what_happened(
    provider: FakeProvider, bot: dict[str, Any], script: list[Any], stop: StopReason, text: str | None
) -> None:
    provider.script(*script)
    async with pipeline(a_bot(**bot), provider=provider) as walk:
        said = await ask(walk, "hello")
        [told] = await walk.observer.until(TurnFinished)
    assert told.stop_reason == stop
    assert said == text or (text is None and said)


async def test_a_fault_of_ours_is_answered_too() -> None:
    class Broken(FakeProvider):
        def prepare(self, request: ModelRequest) -> Prepared:
            raise RuntimeError("a bug")

    clock = ManualClock(instant_s=INSTANT_S)
    async with pipeline(a_bot(), provider=Broken(clock), clock=clock) as walk:
        assert await ask(walk, "hello") == "Something went wrong on my side. Please try again."
        [fault] = walk.observer.of(Faulty)
        assert isinstance(fault.error, RuntimeError)
        assert (await walk.store.figures()).waiting == {}


async def test_a_model_without_a_price_is_said(provider: FakeProvider) -> None:
    async with pipeline(a_bot(cap=Money(10**12)), provider=provider, book=PriceBook("empty")) as walk:
        assert "no price" in await ask(walk, "hello")
    assert provider.calls == []


async def test_a_refusal_for_money_is_nothing_that_was_said(provider: FakeProvider) -> None:
    async with pipeline(a_bot(cap=Money(10)), provider=provider) as walk:
        await ask(walk, "one")
        walk.roster.caps["bot"] = None
        assert await ask(walk, "two") == "re two (1)", "a raised cap holds at once"


async def test_whose_money_it_is_stands_on_the_row(provider: FakeProvider) -> None:
    bot = a_bot(billing_mode=BillingMode.BYOK, llm_api_key=Secret("sk-own"))
    async with pipeline(bot, provider=provider) as walk:
        await ask(walk, "one")
        assert [row.attempt.billing_mode for row in await rows(walk.store)] == ["byok"]


# ── faults on the way ────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("method", ["next", "hold", "settle", "finish", "end_sending"])
async def test_a_store_that_fails_once_doubles_nothing_and_loses_nothing(
    provider: FakeProvider, method: str
) -> None:
    faults = [method]

    def before(name: str) -> None:
        if name in faults:
            faults.remove(name)
            raise StoreError("the disk is full")

    async with pipeline(a_bot(), provider=provider, store=MemoryStore(before)) as walk:
        await walk.adapter.say("hello")
        await walk.clock.asleep()
        walk.clock.advance(0.5)
        await walk.adapter.replies(1)
        assert await ask(walk, "more") == "re more (3)"
        assert [message.text for message in walk.adapter.sent] == ["re hello (1)", "re more (3)"]
        assert len(await rows(walk.store)) == len(provider.calls) == 2


async def test_killed_after_the_money_was_paid_the_answer_is_not_bought_again(provider: FakeProvider) -> None:
    full = False

    def before(name: str) -> None:
        if full and name == "finish":
            raise StoreError("the disk is full")

    store = MemoryStore(before)
    full = True
    async with pipeline(a_bot(), provider=provider, store=store) as walk:
        await walk.adapter.say("hello")
        await walk.clock.asleep()
    full = False
    async with pipeline(a_bot(), provider=provider, store=store) as walk:
        [reply] = await walk.adapter.replies(1)
    assert reply.text == "re hello (1)"
    assert len(await rows(store)) == len(provider.calls) == 1


async def test_killed_during_a_call_its_money_is_unknown_and_it_is_made_anew() -> None:
    store, clock = MemoryStore(), ManualClock(instant_s=INSTANT_S)
    slow = FakeProvider(clock, Say("never heard", latency_s=20, usage=Usage(100, 10)))
    async with pipeline(a_bot(), provider=slow, store=store, clock=clock) as walk:
        await walk.adapter.say("hello")
        await clock.asleep()
    async with pipeline(a_bot(), provider=answering(), store=store) as walk:
        assert (await walk.adapter.replies(1))[0].text == "re hello (1)"
    first, second = await rows(store)
    assert (first.attempt.id, first.state.value, first.cost) == ("t1-1", "unknown", first.hold)
    assert (second.attempt.id, second.state.value) == ("t1-2", "settled")


async def test_a_bot_that_is_gone_finds_its_messages_again(provider: FakeProvider) -> None:
    async with pipeline(a_bot(), provider=provider) as walk:
        bot = walk.roster.bots.pop("bot")
        await walk.store.accept(_row("hello", walk))
        walk.lanes.wake(ADA)
        while walk.lanes.running:
            await walk.clock.sleep(0)
        assert (await walk.store.figures()).waiting == {"bot": 1}
        walk.roster.add(bot)
        walk.clock.advance(60)
        walk.lanes.wake(ADA)
        assert (await walk.adapter.replies(1))[0].text == "re hello (1)"


def _row(text: str, walk: Pipeline) -> NewInbound:
    return NewInbound("bot", "chat", "", "e1", ADA, inbound_to_json(a_message(text)), walk.clock.now_ms())


async def test_an_answer_takes_a_while_and_that_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "FIRST_S", 0.001)
    provider = FakeProvider(clock := ManualClock(instant_s=INSTANT_S), Say("late", latency_s=5))
    shown = asyncio.Event()

    class Shows(FakeAdapter):
        async def show_working(self, chat: ChatRef) -> None:
            await super().show_working(chat)
            if len(self.working) == 3:
                shown.set()
            raise RuntimeError("a hint that did not come through")

    adapter = Shows(Capabilities(shows_working=True, working_every_s=0.001))
    async with pipeline(a_bot(), adapter=adapter, provider=provider, clock=clock) as walk:
        await walk.adapter.say("hello")
        await clock.asleep()
        await shown.wait()
        clock.advance(5)
        await walk.adapter.replies(1)
    assert adapter.working[0] == ChatRef("ada", ChatKind.DIRECT)


async def test_a_store_that_fails_in_the_end_makes_no_second_call(provider: FakeProvider) -> None:
    """The settlement is asked for and not waited for: a turn begun again must find what it paid all the same."""
    faults = ["settle", "settle", "finish"]

    def before(method: str) -> None:
        if method in faults:
            faults.remove(method)
            raise StoreError("the disk is full")

    async with pipeline(a_bot(), provider=provider, store=MemoryStore(before)) as walk:
        await walk.adapter.say("one")
        for _ in range(3):
            await walk.clock.asleep()
            walk.clock.advance(0.5)
        assert [message.text for message in await walk.adapter.replies(1)] == ["re one (1)"]
        assert faults == []
        assert len(provider.calls) == 1
        [row] = await rows(walk.store)
        assert row.state is ReservationState.SETTLED
