"""What a conversation goes on with when its window moves, and answers that are given again, on fakes."""

import asyncio

from runner.bots import ConversationRules, ResponseCache
from runner.conversations.models import UserMessage
from runner.conversations.summary import HEADING
from runner.money.ledger import LedgerEntry, verify
from runner.money.usage import Usage
from runner.ports.books import LedgerFilter
from runner.ports.dialogue import ModelRequest
from runner.ports.observer import SummaryMissed
from runner.store.memory import MemoryStore
from runner.testing.clock import ManualClock
from runner.testing.model_script import Behaviour, Fault, Say
from runner.testing.pipeline import INSTANT_S, Pipeline, pipeline
from runner.testing.provider import FakeProvider
from runner.testing.scenes import a_bot

SUMMING = ConversationRules(max_messages=6, keep_messages=2, context="blocks", summarize=True)


def is_summary(request: ModelRequest) -> bool:
    return "notes of a conversation" in request.system


def answering(request: ModelRequest) -> Behaviour:
    last = request.messages[-1]
    assert isinstance(last, UserMessage)
    text = "They like tea." if is_summary(request) else f"re {last.text.splitlines()[-1]}"
    return Say(text, usage=Usage(100, 10))


async def ask(walk: Pipeline, text: str, user: str = "ada") -> str:
    count = len(walk.adapter.sent)
    await walk.adapter.say(text, user=user)
    return (await walk.adapter.replies(count + 1))[count].text


async def rows(store: MemoryStore) -> list[LedgerEntry]:
    found = [row async for row in store.ledger(LedgerFilter())]
    assert verify(await store.counters(), found) == []
    return found


async def until_prepared(walk: Pipeline) -> None:
    """A summary is made beside everything: wait until it is kept."""
    if walk.summaries.running:
        await asyncio.wait(walk.summaries.running, timeout=30)


def first_texts(walk: Pipeline) -> list[str]:
    """What the window of each answer began with."""
    found = []
    for call in walk.provider.calls:
        first = call.request.messages[0]
        assert isinstance(first, UserMessage)
        if not is_summary(call.request):
            found.append(first.text)
    return found


async def test_what_the_window_drops_goes_on_in_its_head() -> None:
    clock = ManualClock(instant_s=INSTANT_S)
    provider = FakeProvider(clock, answering)
    async with pipeline(a_bot(conversations=SUMMING), provider=provider, clock=clock) as walk:
        for number in range(2):
            assert await ask(walk, f"question {number}") == f"re question {number}"
        await until_prepared(walk)
        for number in range(2, 5):
            assert await ask(walk, f"question {number}") == f"re question {number}"
        texts = first_texts(walk)
        assert texts[:3] == ["question 0"] * 3
        assert texts[3].startswith(f"{HEADING}\nThey like tea.")
        assert texts[3].endswith("question 2")
        assert texts[4] == texts[3], "the head stays the same to the byte until the window moves again"
        made = [row for row in await rows(walk.store) if row.attempt.feature == "summary"]
        assert made[0].attempt.turn.endswith(".summary")
        assert made[0].cost > 0


async def test_without_a_summary_the_window_moves_all_the_same() -> None:
    clock = ManualClock(instant_s=INSTANT_S)
    provider = FakeProvider(clock, lambda request: Fault(400) if is_summary(request) else answering(request))
    async with pipeline(a_bot(conversations=SUMMING), provider=provider, clock=clock) as walk:
        for number in range(5):
            assert await ask(walk, f"question {number}") == f"re question {number}"
        assert not any(HEADING in text for text in first_texts(walk))
        assert any(isinstance(event, SummaryMissed) for event in walk.observer.events)


async def test_the_same_question_is_answered_again_at_no_cost() -> None:
    clock = ManualClock(instant_s=INSTANT_S)
    provider = FakeProvider(clock, answering)
    bot = a_bot(response_cache=ResponseCache(ttl_ms=60_000))
    async with pipeline(bot, provider=provider, clock=clock) as walk:
        assert await ask(walk, "When do you open?", user="ada") == "re When do you open?"
        assert await ask(walk, "  when do you OPEN? ", user="ben") == "re When do you open?"
        assert await ask(walk, "When do you open?", user="ada") == "re When do you open?", (
            "not a first message"
        )
        assert len(provider.calls) == 2
        found = await rows(walk.store)
        assert [(row.attempt.route, row.cost > 0) for row in found] == [
            ("default", True),
            ("cache", False),
            ("default", True),
        ]
        assert "was answered" in found[1].attempt.route_reason
