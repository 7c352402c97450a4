"""Conversations of a bot with tiers, through the whole walk on fakes: who answers, why, at what cost, after crashes."""

from typing import Any

from adapters.contract import Capabilities, Fetched
from adapters.messages import Attachment, AttachmentKind, Sender
from adapters.testing.fake import FakeAdapter
from runner.agent.classify import instructions
from runner.bots import (
    Bot,
    Classifier,
    ConversationRules,
    Escalation,
    Limits,
    ModelChoice,
    RouteRule,
    Routing,
    Signal,
    Tier,
)
from runner.conversations.models import ToolCall, UserMessage
from runner.money.amounts import Money
from runner.money.ledger import LedgerEntry, verify
from runner.money.prices import ModelLimits, Price, PriceBook, Rates
from runner.money.usage import Usage
from runner.ports.books import LedgerFilter
from runner.ports.dialogue import ModelRequest
from runner.store.memory import MemoryStore
from runner.testing.clock import ManualClock
from runner.testing.model_script import Behaviour, Fault, Hang, Say
from runner.testing.pipeline import INSTANT_S, Pipeline, pipeline
from runner.testing.provider import FakeProvider
from runner.testing.scenes import FunctionToolbox, a_book, a_bot, a_message

FREE, SMALL, STRONG = (ModelChoice("fake", name) for name in ("free-1", "small-1", "strong-1"))


def row_of(choice: ModelChoice, rate: int, **limits: Any) -> Price:
    """`rate` pico-dollars an input token, four times that an output token."""
    rates = Rates(rate * 1_000_000, rate * 4_000_000)
    return Price(choice.model, choice.provider, rates, limits=ModelLimits(**limits))


BOOK: PriceBook = a_book(row_of(FREE, 0), row_of(SMALL, 1), row_of(STRONG, 10, image_tokens=100))
TIERS = (Tier("free", FREE, free=True), Tier("small", SMALL), Tier("strong", STRONG))
ESCALATION = Escalation("strong", frozenset(Signal), ("that is wrong",))
CLASSIFIER = Classifier("How hard is this?", ("easy", "hard"), "small")
HARD = RouteRule("strong", labels=frozenset({"hard"}))
USED = Usage(100, 10)


def a_routed_bot(routing: Routing | None = None, **changes: Any) -> Bot:
    made = routing or Routing(TIERS, "small", escalation=ESCALATION)
    return a_bot(choice=SMALL, routing=made, **changes)


def classifying(**changes: Any) -> Bot:
    return a_routed_bot(Routing(TIERS, "small", rules=(HARD,), classifier=CLASSIFIER), **changes)


def model(request: ModelRequest) -> Behaviour:
    last = request.messages[-1]
    text = last.text if isinstance(last, UserMessage) else "done"
    if request.system == instructions(CLASSIFIER.prompt, CLASSIFIER.labels):
        return Say("hard" if "prove" in text else "easy", usage=Usage(20, 1))
    return Say(f"re {text}", usage=USED)


def a_model(*first: Behaviour, clock: ManualClock | None = None) -> FakeProvider:
    provider = FakeProvider(clock or ManualClock(instant_s=INSTANT_S), model)
    provider.script(*first)
    return provider


async def ask(walk: Pipeline, text: str, **more: Any) -> str:
    count = len(walk.adapter.sent)
    await walk.adapter.inject(a_message(text, f"e{count}", **more))
    return (await walk.adapter.replies(count + 1))[count].text


async def rows(store: MemoryStore) -> list[LedgerEntry]:
    found = [row async for row in store.ledger(LedgerFilter())]
    assert verify(await store.counters(), found) == []
    return found


async def routes_of(store: MemoryStore) -> list[tuple[str, str, str]]:
    return [(row.attempt.model, row.attempt.route, row.attempt.route_reason) for row in await rows(store)]


async def test_a_conversation_stays_until_it_is_raised_and_then_stays_up() -> None:
    async with pipeline(a_routed_bot(), provider=a_model(), book=BOOK) as walk:
        for text in ("one", "two", "No, THAT is wrong.", "three", "/reset", "four"):
            await ask(walk, text, command="reset" if text == "/reset" else None)
        assert await routes_of(walk.store) == [
            ("small-1", "small", "default"),
            ("small-1", "small", "stays with small"),
            ("strong-1", "strong", "escalated: keyword that is wrong"),
            ("strong-1", "strong", "stays with strong, escalated: keywords"),
            ("small-1", "small", "default"),
        ]
        assert [row.cost for row in await rows(walk.store)] == [140, 140, 1400, 1400, 140]


async def test_the_message_after_failing_tools_goes_to_the_stronger_tier() -> None:
    def broken(_: str) -> str:
        raise ValueError("out of order")

    calls = [Say("", (ToolCall(f"c{n}", "look", f'{{"n": {n}}}'),), usage=USED) for n in range(3)]
    async with pipeline(
        a_routed_bot(), FunctionToolbox(look=broken), provider=a_model(*calls), book=BOOK
    ) as walk:
        await ask(walk, "look")
        assert await ask(walk, "again") == "re again"
        found = await routes_of(walk.store)
        assert [route for _, route, _ in found] == ["small"] * 3 + ["strong"]
        assert found[-1][2] == "stays with strong, escalated: failing_tools"


async def test_an_answer_that_was_cut_raises_the_conversation() -> None:
    cut = Say("So ", usage=Usage(100, 50))
    bot = a_routed_bot(limits=Limits(max_output_tokens=50))
    async with pipeline(bot, provider=a_model(cut), book=BOOK) as walk:
        await ask(walk, "tell me")
        await ask(walk, "go on")
        assert (await routes_of(walk.store))[-1][2] == "stays with strong, escalated: output_limit"


async def test_who_asks_the_same_again_is_answered_by_the_stronger_tier() -> None:
    async with pipeline(a_routed_bot(), provider=a_model(), book=BOOK) as walk:
        await ask(walk, "Where is my parcel?")
        await ask(walk, "yes")
        await ask(walk, "where is my  PARCEL?")
        assert (await routes_of(walk.store))[-1] == ("strong-1", "strong", "escalated: repeated_question")


async def test_two_people_who_ask_the_same_in_a_channel_do_not_repeat_themselves() -> None:
    bot = a_routed_bot(conversations=ConversationRules(scope="channel"))
    async with pipeline(bot, provider=a_model(), book=BOOK) as walk:
        for user in ("ada", "bob", "ada"):
            who = Sender(user, user.capitalize())
            await ask(walk, "Where is the manual?", user=user, chat="room", sender=who)
        assert [reason for _, _, reason in await routes_of(walk.store)] == [
            "default",
            "stays with small",
            "escalated: repeated_question",
        ]


async def test_a_free_tier_that_is_busy_gives_way_to_the_next_one() -> None:
    bot = a_routed_bot(Routing(TIERS, "free"), cap=Money(10**9))
    async with pipeline(
        bot, provider=a_model(Say("free of charge", usage=USED), Fault(429)), book=BOOK
    ) as walk:
        assert await ask(walk, "one", user="ada") == "free of charge"
        assert await ask(walk, "one", user="bob") == "re one"
        assert await ask(walk, "two", user="bob") == "re two"
        found = await routes_of(walk.store)
        assert found[:2] == [("free-1", "free", "default"), ("free-1", "free", "default")]
        assert found[2][:2] == ("small-1", "small")
        assert found[2][2].startswith("behind the free tier free; fake/free-1: HTTP 429")
        assert found[3] == ("small-1", "small", "stays with small"), "with who answered first"
        assert [row.cost for row in await rows(walk.store)] == [0, 0, 140, 140]


async def test_a_label_is_asked_for_once_a_conversation_and_is_part_of_what_the_message_cost() -> None:
    async with pipeline(classifying(), provider=a_model(), book=BOOK) as walk:
        await ask(walk, "prove it")
        await ask(walk, "and prove that")
        [named, first, second] = await rows(walk.store)
        assert (named.attempt.feature, named.attempt.route, named.cost) == ("classify", "small", 24)
        assert named.attempt.route_reason == "names the message's kind: easy, hard"
        assert (first.attempt.feature, first.attempt.route, first.attempt.route_reason) == (
            "chat",
            "strong",
            "rule 1: label hard",
        )
        assert second.attempt.route_reason == "stays with strong"
        record = await walk.store.turn("t1")
        assert record is not None
        assert '"cost_usd":"0.000000001424"' in record.report
        [asked, *_] = walk.provider.calls
        assert (asked.request.messages, asked.max_output_tokens) == ((UserMessage("prove it"),), 256)


async def test_a_crash_does_not_pay_for_the_label_twice() -> None:
    store, clock = MemoryStore(), ManualClock(instant_s=INSTANT_S)
    first = a_model(Say("hard", usage=Usage(20, 1)), Hang(), clock=clock)
    async with pipeline(classifying(), provider=first, book=BOOK, store=store, clock=clock) as walk:
        await walk.adapter.say("what now?")
        await walk.clock.asleep()
    assert len(first.calls) == 2
    again = a_model()
    async with pipeline(classifying(), provider=again, book=BOOK, store=store) as walk:
        [reply] = await walk.adapter.replies(1)
        assert reply.text == "re what now?"
        assert [call.request.choice for call in again.calls] == [STRONG], "the label of the first try holds"
        found = await rows(store)
        assert [(row.attempt.id, row.attempt.feature, row.state.value) for row in found] == [
            ("t1-1", "classify", "settled"),
            ("t1-2", "chat", "unknown"),
            ("t1-3", "chat", "settled"),
        ]


async def test_a_crash_behind_tools_goes_on_behind_the_label() -> None:
    store, clock = MemoryStore(), ManualClock(instant_s=INSTANT_S)
    tools = FunctionToolbox(repeatable=False, find=lambda _: "in the depot")
    asks = Say("", (ToolCall("c1", "find", "{}"),), usage=USED)
    first = a_model(Say("hard", usage=Usage(20, 1)), asks, Hang(), clock=clock)
    async with pipeline(classifying(), tools, provider=first, book=BOOK, store=store, clock=clock) as walk:
        await walk.adapter.say("what now?")
        await walk.clock.asleep()
    again = a_model()
    async with pipeline(classifying(), tools, provider=again, book=BOOK, store=store) as walk:
        await walk.adapter.replies(1)
        assert (len(tools.calls), [call.request.choice for call in again.calls]) == (1, [STRONG])


async def test_whatever_keeps_the_classifier_from_naming_a_label_the_message_is_answered() -> None:
    provider = a_model(Fault(500), Say("re one", usage=USED), Say("Hm, tricky.", usage=Usage(20, 1)))
    async with pipeline(classifying(), provider=provider, book=BOOK) as walk:
        assert await ask(walk, "one", user="ada") == "re one"
        assert await ask(walk, "two", user="bob") == "re two"
        reasons = [reason for _, route, reason in await routes_of(walk.store) if reason.startswith("default")]
        assert reasons[0].startswith("default; no label: the classifier could not be asked: HTTP 500")
        assert reasons[1] == "default; no label: the classifier named none"


async def test_no_money_for_the_classifier_is_no_money_for_the_answer_and_both_are_told() -> None:
    async with pipeline(classifying(cap=Money(0)), provider=a_model(), book=BOOK) as walk:
        assert await ask(walk, "one") == walk.bot.texts.cap_reached
        assert walk.provider.calls == []


async def test_a_task_is_declared_with_a_message_or_by_the_bot() -> None:
    bot = a_routed_bot(Routing(TIERS, "small", tasks={"refund": "strong"}, sticky=False), task="faq")
    async with pipeline(bot, provider=a_model(), book=BOOK) as walk:
        await ask(walk, "one")
        await ask(walk, "two", task="refund")
        await ask(walk, "three")
        assert [(row.attempt.task, row.attempt.route_reason) for row in await rows(walk.store)] == [
            ("faq", "default"),
            ("refund", "task refund"),
            ("faq", "default"),
        ]


async def test_in_a_channel_of_many_a_rule_about_one_user_holds_for_that_user_only() -> None:
    routing = Routing(TIERS, "strong", rules=(RouteRule("small", users=frozenset({"eve"})),))
    bot = a_routed_bot(routing, conversations=ConversationRules(scope="channel"))
    async with pipeline(bot, provider=a_model(), book=BOOK) as walk:
        for user in ("eve", "ada", "eve", "ada"):
            await ask(walk, f"I am {user}", user=user, chat="room")
        assert [reason for _, _, reason in await routes_of(walk.store)] == [
            "rule 1: user eve",
            "default",
            "rule 1: user eve",
            "stays with strong",
        ]


async def test_a_picture_goes_to_the_tier_that_sees_and_the_conversation_does_not_stay_there() -> None:
    adapter = FakeAdapter(Capabilities(fetches=True))
    adapter.files = {"a1": Fetched(b"a picture", "image/png")}
    picture = Attachment(AttachmentKind.IMAGE, "a1", "image/png")
    async with pipeline(a_routed_bot(), adapter=adapter, provider=a_model(), book=BOOK) as walk:
        assert await ask(walk, "what is it?", attachments=(picture,)) == "re what is it?"
        await ask(walk, "thank you")
        assert await routes_of(walk.store) == [
            ("strong-1", "strong", "default; small takes no pictures"),
            ("small-1", "small", "default"),
        ]


async def test_a_file_that_nobody_can_open_asks_no_classifier() -> None:
    file = Attachment(AttachmentKind.OTHER, "a1")
    async with pipeline(classifying(), provider=a_model(), book=BOOK) as walk:
        await ask(walk, "", attachments=(file,))
        assert walk.provider.calls == []
