"""Each shipped template answers, through the whole walk on fakes, at the prices of the shipped book."""

import asyncio
from collections.abc import Mapping

import pytest

from adapters.testing.fake import FakeAdapter
from runner.bots import Bot
from runner.config.loader import parse
from runner.config.price_books import load_book
from runner.config.secrets import Sources
from runner.config.settings import Loaded
from runner.config.templates import template
from runner.conversations.models import UserMessage
from runner.errors import StoreError
from runner.money.reservation import ReservationState
from runner.ports.books import LedgerFilter
from runner.ports.dialogue import ModelRequest
from runner.ports.observer import TurnFinished
from runner.ports.runs import Decision
from runner.store.memory import MemoryStore
from runner.testing.clock import ManualClock
from runner.testing.model_script import Behaviour, Say
from runner.testing.pipeline import INSTANT_S, Pipeline, pipeline
from runner.testing.provider import FakeProvider
from runner.workflows.nodes.talking import HANDOFF_TEXT

BOOK = load_book("default")
ENVIRON = {
    "SUPPORT_TOKEN": "123456:ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghi",
    "SALES_TOKEN": "123457:ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghi",
    "COMMUNITY_TOKEN": "MTA5NzM0MDI0NjUxMjM0NTY3OA.GabcDE.abcdefghijklmnopqrstuvwxyz0123456789ABCD",
    "ANTHROPIC_API_KEY": "sk-ant-x",
}


def shipped(name: str) -> Bot:
    found = parse(template(name).text, "bots.yaml", Sources(ENVIRON))
    assert isinstance(found, Loaded), str(found)
    return found.settings.bots[0]


def model(words: Mapping[str, str]) -> FakeProvider:
    """Says what stands behind the first of these words that its prompt, or what it is told, has."""

    def says(request: ModelRequest) -> Behaviour:
        last = request.messages[-1]
        text = f"{request.system}\n{last.text if isinstance(last, UserMessage) else ''}"
        return Say(next((answer for word, answer in words.items() if word in text), "Hm."))

    return FakeProvider(ManualClock(instant_s=INSTANT_S), says)


class Dead:
    """Lets the n-th write of a store fail, and all after it; `alive` counts them only."""

    def __init__(self, nth: int = 0, *, alive: bool = False) -> None:
        self.nth = nth
        self.alive = alive
        self.writes = 0
        self.failed = asyncio.Event()

    def __call__(self, name: str) -> None:
        if name not in {"hold", "settle", "save_step", "finish"}:
            return
        self.writes += 1
        if not self.alive and self.writes > self.nth:
            self.failed.set()
            raise StoreError("the disk is full")


async def ask(walk: Pipeline, text: str) -> list[str]:
    count = len(walk.adapter.sent)
    await walk.adapter.say(text)
    return [message.text for message in (await walk.adapter.replies(count + 1))[count:]]


async def finished(walk: Pipeline) -> None:
    while not any(isinstance(event, TurnFinished) for event in walk.observer.events):
        await walk.clock.sleep(0)


async def calls(store: MemoryStore) -> list[tuple[str, str, str]]:
    rows = [row async for row in store.ledger(LedgerFilter())]
    return [(row.attempt.feature, row.attempt.model, row.attempt.route) for row in rows]


async def test_support_answers_a_question_with_two_small_calls() -> None:
    words = {"What is this message of a customer?": "question", "bicycles": "We open at nine."}
    async with pipeline(shipped("support"), provider=model(words), book=BOOK) as walk:
        assert await ask(walk, "When do you open?") == ["We open at nine."]
        assert [(feature, name) for feature, name, _ in await calls(walk.store)] == [
            ("workflow:kind", "claude-haiku-4-5"),
            ("workflow:answer", "claude-haiku-4-5"),
        ]
        assert walk.provider.calls[-1].request.messages[-1] == UserMessage("When do you open?")


async def test_support_asks_a_person_and_goes_on_with_what_they_say() -> None:
    words = {"What is this message of a customer?": "person"}
    async with pipeline(shipped("support"), provider=model(words), book=BOOK) as walk:
        assert await ask(walk, "I want to complain!") == [
            "I have escalated this to a reviewer. You will hear back shortly."
        ]
        [asked] = await walk.handoffs.handoffs(Decision.PENDING, 10)
        assert "I want to complain!" in asked.reason
        await walk.handoffs.decide(asked.id, Decision.APPROVED, by="ada", comment="You get a new one.")
        assert (await walk.adapter.replies(2))[1].text == "Thank you for waiting. You get a new one."
        assert len(await calls(walk.store)) == 1


async def test_support_says_so_where_its_model_cannot_sort() -> None:
    async with pipeline(shipped("support"), provider=model({}), book=BOOK) as walk:
        assert await ask(walk, "?") == ["That did not work just now. Please try again in a while."]


@pytest.mark.parametrize("kind", ["question", "person"])
async def test_support_is_killed_between_any_two_writes_and_pays_nothing_twice(kind: str) -> None:
    words = {"What is this message of a customer?": kind, "bicycles": "We open at nine."}
    expected = "We open at nine." if kind == "question" else HANDOFF_TEXT
    counting = Dead(alive=True)
    async with pipeline(
        shipped("support"), provider=model(words), book=BOOK, store=MemoryStore(counting)
    ) as walk:
        assert await ask(walk, "Hello?") == [expected]
        await finished(walk)
    assert counting.writes > 3
    for nth in range(counting.writes):
        dead, provider, adapter = Dead(nth), model(words), FakeAdapter()
        store = MemoryStore(dead)
        async with pipeline(
            shipped("support"), provider=provider, book=BOOK, store=store, adapter=adapter
        ) as walk:
            await adapter.say("Hello?")
            await dead.failed.wait()
        dead.alive = True
        async with pipeline(
            shipped("support"), provider=provider, book=BOOK, store=store, adapter=adapter
        ) as walk:
            assert {message.text for message in await adapter.replies(1)} == {expected}
            await finished(walk)
            rows = [row async for row in store.ledger(LedgerFilter())]
            settled = [row.attempt.feature for row in rows if row.state is ReservationState.SETTLED]
            assert settled == ["workflow:kind", *(["workflow:answer"] if kind == "question" else [])]
            assert len(provider.calls) == len(rows) <= len(settled) + 1


async def test_community_gives_a_kept_answer_again_for_nothing() -> None:
    words = {"Example Gardeners": "In the channel garden."}
    async with pipeline(shipped("community"), provider=model(words), book=BOOK) as walk:
        assert await ask(walk, "Where do pictures go?") == ["In the channel garden."]
        await ask(walk, "/new")
        assert await ask(walk, "where do pictures go?") == ["In the channel garden."]
        assert len(walk.provider.calls) == 1


async def test_sales_gives_who_buys_to_the_strong_model() -> None:
    words = {"about to buy": "buying", "Example Cycles": "Which one?"}
    adapter = FakeAdapter()
    async with pipeline(shipped("sales"), provider=model(words), book=BOOK, adapter=adapter) as walk:
        assert await ask(walk, "I take the touring bicycle.") == ["Which one?"]
        assert await calls(walk.store) == [
            ("classify", "claude-haiku-4-5", "small"),
            ("chat", "claude-sonnet-4-6", "strong"),
        ]
