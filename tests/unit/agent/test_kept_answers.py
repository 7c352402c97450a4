"""Answers given again: to whom, to what, and what the ledger says of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from runner.agent.asks import Metered
from runner.agent.kept import MOST_CHARS, KeptAnswers, Question, keepable, question_of, terms_of
from runner.agent.loop import LoopResult
from runner.agent.replies import PaidReply, step_from_json
from runner.agent.route_words import normalised
from runner.bots import (
    Bot,
    HttpTool,
    Limits,
    ModelChoice,
    ResponseCache,
    RouteRule,
    Routing,
    Secret,
    Texts,
    Tier,
)
from runner.conversations.models import Picture, ToolCall, ToolResult, UserMessage
from runner.errors import StoreError
from runner.money.amounts import ZERO, Money
from runner.money.budget import ScopeLimit
from runner.money.ledger import Attempt, LedgerEntry, verify
from runner.money.reservation import ReservationState
from runner.money.usage import NO_USAGE, Usage
from runner.ports.books import LedgerFilter
from runner.ports.dialogue import FinishReason, ModelReply, StopReason, ToolSpec
from runner.ports.mail import ConversationState, NewInbound
from runner.ports.observer import Fault
from runner.ports.tools import ToolRun
from runner.store.memory import MemoryStore
from runner.testing.clock import ManualClock
from runner.testing.observer import RecordingObserver
from runner.testing.scenes import CHOICE, a_bot

TTL_MS = 3_600_000
BOT = a_bot(response_cache=ResponseCache(TTL_MS))
FRESH = ConversationState("c1", 0, 0)
ABOUT = Attempt("", 0, "bot", "fake", "chat", "c1", "ada", "t1", "other", "other", "", feature="test")
PAID = PaidReply(ModelReply("At nine."), Usage(100, 10), Money(140), CHOICE.provider, CHOICE.model)


def question(text: str = "When do you open?", bot: Bot = BOT, **others: Any) -> Question | None:
    asked: dict[str, Any] = {"state": FRESH, "message": UserMessage(text), "specs": (), "came_along": False}
    return question_of(bot, **{**asked, **others})


def answered(*replies: PaidReply, **others: Any) -> LoopResult:
    return LoopResult(StopReason.ANSWERED, "At nine.", replies=replies or (PAID,), **others)


@dataclass
class World:
    """Kept answers and what they stand on."""

    kept: KeptAnswers
    store: MemoryStore
    clock: ManualClock
    observer: RecordingObserver
    faults: list[str] = field(default_factory=list)

    async def find(
        self, asked: Question | None, choice: ModelChoice = CHOICE, limit: int | None = None, used: int = 0
    ) -> Metered | None:
        """Through the lane's session, as a turn does."""
        assert asked is not None
        async with self.store.lane("lane") as session:
            assert session is not None
            scopes = (ScopeLimit("bot:bot", limit),)
            return await self.kept.find(asked, choice, ABOUT, lambda _: scopes, session, 0, used)

    async def keep(self, asked: Question | None, result: LoopResult | None = None) -> None:
        assert asked is not None
        await self.kept.keep(asked, result or answered(), "t1")

    async def rows(self) -> list[LedgerEntry]:
        rows = [row async for row in self.store.ledger(LedgerFilter())]
        assert verify(await self.store.counters(), rows) == []
        return rows


@asynccontextmanager
async def a_world() -> AsyncIterator[World]:
    faults: list[str] = []

    def before(method: str) -> None:
        if method in faults:
            raise StoreError("the disk is full")

    store, clock, observer = MemoryStore(before), ManualClock(), RecordingObserver()
    await store.open()
    await store.accept(NewInbound("bot", "chat", "", "e1", "lane", "{}", 0))
    yield World(KeptAnswers(store, clock, observer), store, clock, observer, faults)


# ── the question ─────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "text",
    [
        "When do you open?",
        "  when do YOU\n\topen?  ",
        "When do you\u00a0open?",
        "\uff37hen do you open\uff1f",
        "WHEN DO YOU OPEN?",
    ],
)
def test_the_same_question_is_the_same_text_but_for_case_width_and_spacing(text: str) -> None:
    assert question(text) == question()


@pytest.mark.parametrize(
    "text", ["When do you open", "When do you close?", "Whendo you open?", "When do you öpen?"]
)
def test_any_other_text_is_another_question(text: str) -> None:
    asked, other = question(), question(text)
    assert asked is not None
    assert other is not None
    assert asked.key(CHOICE) != other.key(CHOICE)


def test_texts_that_fold_together_are_one() -> None:
    assert normalised("STRASSE ﬁne") == normalised("straße  fine")


def test_a_key_is_of_bot_terms_model_and_text() -> None:
    """Parts do not run into one another, and nothing of the text can be read from it."""
    plain = Question("bot", "terms", "text", 1)
    others = [
        Question("bott", "erms", "text", 1),
        Question("bot", "termst", "ext", 1),
        Question("bot", "terms", "text2", 1),
        Question("bot2", "terms", "text", 1),
    ]
    keys = {one.key(CHOICE) for one in (plain, *others)} | {plain.key(ModelChoice("fake", "model-2"))}
    assert len(keys) == 6
    assert plain.key(CHOICE) == Question("bot", "terms", "text", 999).key(CHOICE)
    assert all(len(key) == 64 for key in keys)


@pytest.mark.parametrize(
    "others",
    [
        {"bot": replace(BOT, response_cache=None)},
        {"state": replace(FRESH, next_seq=2)},
        {"state": replace(FRESH, head="Ada waits.")},
        {"message": UserMessage("When do you open?", name="Ada")},
        {"message": UserMessage("What is this?", pictures=(Picture("image/png", "AA"),))},
        {"message": UserMessage(" \n ")},
        {"came_along": True},
    ],
    ids=["off", "earlier messages", "a head", "a name", "a picture", "nothing", "came along"],
)
def test_what_may_be_about_a_user_is_no_question(others: dict[str, Any]) -> None:
    assert question(**others) is None


LOOKUP = ToolSpec("lookup", "Looks up", {"type": "object", "properties": {"a": {}, "b": {}}})
ROUTING = Routing((Tier("small", CHOICE),), "small", rules=(RouteRule("small", users=frozenset("abc")),))


@pytest.mark.parametrize(
    ("changed", "specs"),
    [
        ({"system_prompt": "You are curt."}, ()),
        ({"choice": ModelChoice("fake", "model-2")}, ()),
        ({"temperature": 0.5}, ()),
        ({"limits": Limits(max_output_tokens=10)}, ()),
        ({"routing": ROUTING}, ()),
        ({"response_cache": ResponseCache(1)}, ()),
        ({}, (LOOKUP,)),
        ({}, (replace(LOOKUP, description="Finds"),)),
        ({}, (replace(LOOKUP, parameters={}),)),
    ],
)
def test_a_change_that_may_change_an_answer_finds_nothing_of_before(
    changed: dict[str, Any], specs: tuple[ToolSpec, ...]
) -> None:
    assert terms_of(replace(BOT, **changed), specs) != terms_of(BOT, ())


def test_a_change_of_a_secret_or_of_a_plain_text_changes_no_terms() -> None:
    tool = HttpTool("t", "t", "GET", "https://example.org", headers={"X-Key": Secret("hush")})
    other = replace(BOT, texts=Texts(welcome="Hi"), llm_api_key=Secret("hush"), tools=(tool,), name="B")
    assert terms_of(other, ()) == terms_of(BOT, ())


def test_terms_do_not_hang_on_the_order_of_sets_and_keys() -> None:
    rule = RouteRule("small", users=frozenset("cba"))
    spec = replace(LOOKUP, parameters={"properties": {"b": {}, "a": {}}, "type": "object"})
    one = terms_of(replace(BOT, routing=ROUTING), (LOOKUP,))
    assert terms_of(replace(BOT, routing=replace(ROUTING, rules=(rule,))), (spec,)) == one


def test_a_secret_is_no_term() -> None:
    with pytest.raises(TypeError, match="Secret"):
        terms_of(BOT, (ToolSpec("t", "t", {"default": Secret("hush")}),))


# ── what is kept ─────────────────────────────────────────────────────────────────────────────────────────
RUN = ToolRun(ToolCall("c", "t", "{}"), ToolResult("c", "t", "x"), 1)


@pytest.mark.parametrize(
    "result",
    [
        answered(PAID, PAID),
        answered(tool_runs=(RUN,)),
        answered(replace(PAID, route="cache")),
        answered(replace(PAID, reply=ModelReply("  "))),
        answered(replace(PAID, reply=ModelReply("x" * (MOST_CHARS + 1)))),
        answered(replace(PAID, reply=ModelReply("At ni", finish=FinishReason.LENGTH))),
        replace(answered(), stop=StopReason.OUTPUT_LIMIT),
        LoopResult(StopReason.BUDGET),
    ],
    ids=["two replies", "a tool", "kept already", "nothing", "too long", "cut", "cut turn", "no answer"],
)
async def test_only_a_plain_answer_is_kept(result: LoopResult) -> None:
    assert keepable(result) is None
    async with a_world() as world:
        await world.keep(question(), result)
        assert await world.store.forget_answers("bot") == 0


async def test_an_answer_is_kept_under_the_model_that_gave_it() -> None:
    async with a_world() as world:
        await world.keep(question(), answered(replace(PAID, model="model-2", route="fallback")))
        assert await world.find(question()) is None
        assert await world.find(question(), ModelChoice("fake", "model-2")) is not None


async def test_keeping_never_fails_a_turn() -> None:
    async with a_world() as world:
        world.faults.append("keep_answer")
        await world.keep(question())
        [fault] = world.observer.of(Fault)
        assert (fault.where, fault.bot, fault.turn) == ("keep answer", "bot", "t1")


# ── a hit ────────────────────────────────────────────────────────────────────────────────────────────────
async def test_a_hit_is_a_row_that_costs_nothing_and_the_turns_step() -> None:
    async with a_world() as world:
        await world.keep(question())
        world.clock.advance(1800)
        hit = await world.find(question("when do you OPEN?"), limit=1, used=2)
        assert hit is not None
        assert hit.attempts_used == 3
        reason = "the same question was answered 30 min ago for 0.00000000014 USD"
        assert hit.paid == PaidReply(
            ModelReply("At nine."), NO_USAGE, ZERO, "fake", "model-1", "cache", reason, "test"
        )
        [row] = await world.rows()
        assert (row.attempt.id, row.attempt.time_ms) == ("t1-3", world.clock.now_ms())
        assert (row.attempt.provider, row.attempt.model) == ("fake", "model-1")
        assert (row.attempt.route, row.attempt.route_reason) == ("cache", reason)
        assert (row.state, row.hold, row.cost) == (ReservationState.SETTLED, ZERO, ZERO)
        assert (row.usage, row.scopes, row.stop_reason) == (NO_USAGE, ("bot:bot",), "end")
        async with world.store.lane("lane") as session:
            assert session is not None
            work = await session.next(0)
        assert work is not None
        assert [step_from_json(step.payload) for step in work.steps] == [hit.paid]
        assert work.attempts_used == 1


async def test_a_miss_writes_nothing() -> None:
    async with a_world() as world:
        await world.keep(question())
        assert await world.find(question("Something else?")) is None
        assert await world.find(question(bot=replace(BOT, system_prompt="You are curt."))) is None
        world.clock.advance(TTL_MS / 1000)
        assert await world.find(question()) is None
        assert await world.rows() == []


async def test_a_hit_does_not_prolong_itself() -> None:
    async with a_world() as world:
        await world.keep(question())
        world.clock.advance(TTL_MS / 1000 - 1)
        hit = await world.find(question())
        assert hit is not None
        await world.keep(question(), answered(hit.paid))
        world.clock.advance(1)
        assert await world.find(question(), used=1) is None


async def test_a_limit_that_is_overdrawn_refuses_it() -> None:
    """The model's own hold then says which limit it is."""
    async with a_world() as world:
        await world.keep(question())
        assert await world.find(question(), limit=-1) is None
        assert await world.rows() == []


async def test_a_store_that_cannot_be_read_is_a_miss() -> None:
    async with a_world() as world:
        await world.keep(question())
        world.faults.append("kept_answer")
        assert await world.find(question()) is None
        [fault] = world.observer.of(Fault)
        assert (fault.where, fault.bot, fault.turn) == ("kept answer", "bot", "t1")


@pytest.mark.parametrize("method", ["hold", "settle"])
async def test_a_ledger_that_cannot_be_written_is_the_turns_fault_as_with_a_call(method: str) -> None:
    async with a_world() as world:
        await world.keep(question())
        world.faults.append(method)
        with pytest.raises(StoreError):
            await world.find(question())
        world.faults.clear()
        again = await world.find(question(), used=1)
        assert again is not None
        assert again.attempts_used == 2


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "less than a minute"), (60, "1 min"), (7_300, "2 h"), (200_000, "2 d")]
)
async def test_the_ledger_says_how_long_ago_it_was(seconds: int, words: str) -> None:
    async with a_world() as world:
        asked = replace(question() or Question("", "", "", 0), ttl_ms=10**9)
        await world.keep(asked)
        world.clock.advance(seconds)
        hit = await world.find(asked)
        assert hit is not None
        assert f"answered {words} ago" in hit.paid.route_reason
