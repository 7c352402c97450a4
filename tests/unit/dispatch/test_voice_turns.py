"""Voice messages through the whole walk, on fakes: heard, answered, paid once, within the limits."""

import json
from typing import Any

import pytest

from adapters.contract import Capabilities, Fetched
from adapters.messages import Attachment, AttachmentKind, InboundMessage
from adapters.testing.fake import FakeAdapter
from runner.bots import BillingMode, Bot, Limits, ModelChoice, Secret
from runner.conversations.models import ToolCall, UserMessage
from runner.dispatch import texts
from runner.dispatch.attachments import ALONE, NOT_NOW
from runner.money.amounts import Money
from runner.money.ledger import LedgerEntry, verify
from runner.money.prices import ModelLimits, Price, Rates
from runner.money.usage import Usage
from runner.ports.books import LedgerFilter
from runner.ports.dialogue import ModelRequest
from runner.store.memory import MemoryStore
from runner.testing.clock import ManualClock
from runner.testing.model_script import Behaviour, Fault, Hang, Say
from runner.testing.pipeline import INSTANT_S, Pipeline, pipeline
from runner.testing.provider import FakeProvider
from runner.testing.recordings import opus
from runner.testing.scenes import FunctionToolbox, a_book, a_bot, a_message, a_price

SPEECH = Price("speech-1", "fake", Rates(100_000_000, 0), limits=ModelLimits(min_audio_seconds=10))
BOOK = a_book(a_price(), SPEECH)
HEARD = 1_000
"""What five seconds cost where ten are billed."""
ANSWERED = 140
VOICE = Attachment(AttachmentKind.AUDIO, "a1", "audio/ogg")


def a_voice(text: str = "", event_id: str = "e1", command: str | None = None) -> InboundMessage:
    return a_message(text, event_id, attachments=(VOICE,), command=command)


def hearing(**changes: Any) -> Bot:
    return a_bot(transcription=ModelChoice("fake", "speech-1"), **changes)


def an_adapter() -> FakeAdapter:
    adapter = FakeAdapter(Capabilities(fetches=True, reports=True))
    adapter.files = {"a1": Fetched(opus(5), "audio/ogg")}
    return adapter


def model(request: ModelRequest) -> Behaviour:
    if request.recording is not None:
        return Say("where is my parcel?")
    last = request.messages[-1]
    assert isinstance(last, UserMessage)
    return Say(f"re {last.text} ({len(request.messages)})", usage=Usage(100, 10))


def a_model(*first: Behaviour, clock: ManualClock | None = None) -> FakeProvider:
    provider = FakeProvider(clock or ManualClock(instant_s=INSTANT_S), model)
    provider.script(*first)
    return provider


async def rows(store: MemoryStore) -> list[LedgerEntry]:
    found = [row async for row in store.ledger(LedgerFilter())]
    assert verify(await store.counters(), found) == []
    return found


async def hear(walk: Pipeline, message: InboundMessage) -> str:
    count = len(walk.adapter.sent)
    await walk.adapter.inject(message)
    return (await walk.adapter.replies(count + 1))[count].text


async def test_a_voice_message_is_answered_and_remembered() -> None:
    bot = hearing(limits=Limits(max_cost_per_message=Money(10**9)))
    async with pipeline(bot, adapter=an_adapter(), provider=a_model(), book=BOOK) as walk:
        assert await hear(walk, a_voice()) == "re [Voice message] where is my parcel? (1)"
        await walk.adapter.say("and now?", event_id="e2")
        assert (await walk.adapter.replies(2))[1].text == "re and now? (3)"
        heard, answered, _ = await rows(walk.store)
        assert (heard.attempt.id, heard.attempt.feature, heard.attempt.model) == (
            "t1-1",
            "transcribe",
            "speech-1",
        )
        assert (heard.usage, heard.cost) == (Usage(5), HEARD)
        assert (answered.attempt.id, answered.attempt.feature, answered.cost) == ("t1-2", "chat", ANSWERED)
        assert set(heard.scopes) == {"bot:bot", "message:t1"}
        record = await walk.store.turn("t1")
        assert record is not None
        report = json.loads(record.report)
        assert (report["tokens"]["input"], report["loop_iterations"]) == (100, 1)
        assert report["cost_usd"] == "0.00000000114", "hearing is part of what the message cost"
        remembered = walk.provider.calls[-1].request.messages[0]
        assert remembered == UserMessage("[Voice message] where is my parcel?")


@pytest.mark.parametrize(
    ("changes", "reply"),
    [
        ({"cap": Money(HEARD - 1)}, "Bot has reached its spending limit."),
        (
            {"limits": Limits(max_cost_per_message=Money(HEARD - 1))},
            "This message has reached its cost limit.",
        ),
    ],
)
async def test_no_money_to_hear_it(changes: dict[str, object], reply: str) -> None:
    async with pipeline(hearing(**changes), adapter=an_adapter(), provider=a_model(), book=BOOK) as walk:
        assert await hear(walk, a_voice()) == reply
        assert (walk.provider.calls, await rows(walk.store)) == ([], [])


async def test_money_to_hear_it_but_not_to_answer() -> None:
    async with pipeline(
        hearing(cap=Money(HEARD + 1)), adapter=an_adapter(), provider=a_model(), book=BOOK
    ) as walk:
        assert await hear(walk, a_voice()) == "Bot has reached its spending limit."
        [row] = await rows(walk.store)
        assert (row.attempt.feature, row.cost) == ("transcribe", HEARD)
        assert walk.adapter.sent[0].report["cost_usd"] == "0.000000001"


async def test_a_restart_does_not_pay_for_it_twice() -> None:
    store, clock = MemoryStore(), ManualClock(instant_s=INSTANT_S)
    first = a_model(Say("where is my parcel?"), Hang(), clock=clock)
    async with pipeline(
        hearing(), adapter=an_adapter(), provider=first, book=BOOK, store=store, clock=clock
    ) as walk:
        await walk.adapter.inject(a_voice())
        await walk.clock.asleep()
    assert [call.request.recording is not None for call in first.calls] == [True, False]
    gone = FakeAdapter(Capabilities(fetches=True))
    again = a_model()
    async with pipeline(a_bot(), adapter=gone, provider=again, book=BOOK, store=store) as walk:
        [reply] = await walk.adapter.replies(1)
        assert reply.text == "re [Voice message] where is my parcel? (1)"
        assert [call.request.recording for call in again.calls] == [None]
        found = await rows(store)
        assert [(row.attempt.id, row.state.value) for row in found] == [
            ("t1-1", "settled"),
            ("t1-2", "unknown"),
            ("t1-3", "settled"),
        ]


async def test_tools_go_on_behind_what_was_heard() -> None:
    store, tools = MemoryStore(), FunctionToolbox(repeatable=False, find=lambda _: "in the depot")
    asks = Say("", (ToolCall("c1", "find", "{}"),), usage=Usage(100, 10))
    clock = ManualClock(instant_s=INSTANT_S)
    first = a_model(Say("where is my parcel?"), asks, Hang(), clock=clock)
    async with pipeline(
        hearing(), tools, adapter=an_adapter(), provider=first, book=BOOK, store=store, clock=clock
    ) as walk:
        await walk.adapter.inject(a_voice())
        await walk.clock.asleep()
    again = a_model(Say("In the depot.", usage=Usage(100, 10)))
    async with pipeline(
        hearing(), tools, adapter=an_adapter(), provider=again, book=BOOK, store=store
    ) as walk:
        [reply] = await walk.adapter.replies(1)
        assert reply.text == "In the depot."
        assert (len(tools.calls), len(again.calls)) == (1, 1)
        assert [message.role for message in again.calls[0].request.messages] == ["user", "assistant", "tool"]


async def test_a_model_that_cannot_hear_right_now() -> None:
    provider = a_model(Fault(400))
    async with pipeline(hearing(), adapter=an_adapter(), provider=provider, book=BOOK) as walk:
        assert await hear(walk, a_voice()) == NOT_NOW
        provider.script(Fault(400))
        note = "[The user sent a voice message, which could not be heard just now.]"
        assert await hear(walk, a_voice("listen", "e2")) == f"re listen\n\n{note} (1)"


async def test_a_bot_that_does_not_listen_says_so() -> None:
    async with pipeline(a_bot(), adapter=an_adapter(), provider=a_model(), book=BOOK) as walk:
        assert await hear(walk, a_voice()) == ALONE[AttachmentKind.AUDIO]
        assert walk.provider.calls == []


async def test_a_command_is_answered_and_what_came_with_it_is_not_heard() -> None:
    async with pipeline(hearing(), adapter=an_adapter(), provider=a_model(), book=BOOK) as walk:
        assert await hear(walk, a_voice("/reset", command="reset")) == texts.NEW_CONVERSATION
        assert walk.provider.calls == []


@pytest.mark.parametrize(
    ("mode", "provider", "own"),
    [
        (BillingMode.BYOK, "fake", True),
        (BillingMode.BYOK, "openai", False),
        (BillingMode.WALLET, "fake", False),
    ],
)
def test_a_bots_own_key_is_for_its_own_provider(mode: BillingMode, provider: str, *, own: bool) -> None:
    bot = a_bot(billing_mode=mode, llm_api_key=Secret("k"))
    assert bot.key_for(provider) == (Secret("k") if own else None)
