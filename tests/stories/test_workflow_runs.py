"""Messages answered by workflows, through the whole walk on fakes: what the user reads, what it costs, how runs end."""

import json
from dataclasses import replace
from typing import Any

import pytest

from adapters.contract import Capabilities
from adapters.testing.fake import FakeAdapter
from runner.bots import Limits, ModelChoice, Workflow
from runner.conversations.models import ToolCall, UserMessage
from runner.dispatch.flows import WAITS
from runner.ports.books import LedgerFilter
from runner.ports.dialogue import StopReason
from runner.ports.observer import TurnFinished
from runner.ports.runs import RunStatus
from runner.testing.model_script import Fault, Say
from runner.testing.pipeline import pipeline
from runner.testing.scenes import FunctionToolbox, a_book, a_bot, a_price, usd
from runner.testing.workflows import ask, choose, loop, node, send
from runner.workflows.expressions import Json
from tests.stories.workflow_walks import answers, flowing, the_run, written

COLLECTS = Capabilities(collects=True)


# ── the support interaction ──────────────────────────────────────────────────────────────────────────────
SUPPORT = flowing(
    {
        "classify": ask("Name the intent, billing or order: {{message}}", "intent"),
        "billing": choose("{{intent.text}} == billing"),
        "person": send("A person will look at your bill."),
        "look": node(
            "mcp_tool", tool="get_order", arguments={"id": "{{user_id}}"}, outputVariable="order_data"
        ),
        "eligible": node(
            "code_block",
            code="const order = ctx.variables.order_data; ctx.variables.is_eligible = "
            "order.status === 'delivered' && order.days_since_delivery < 30;",
        ),
        "respond": ask("Returnable: {{is_eligible}}. Answer: {{message}}", "reply"),
        "say": send("{{reply.text}}"),
    },
    "t > classify",
    "classify > billing",
    "billing true> person",
    "billing false> look",
    "look > eligible",
    "eligible > respond",
    "respond > say",
)


async def test_classify_look_up_respond() -> None:
    orders = FunctionToolbox(get_order=lambda _: '{"status": "delivered", "days_since_delivery": 12}')
    async with pipeline(SUPPORT, orders) as walk:
        walk.provider.script(Say("order"), Say("Yes, you may send it back."))
        assert await answers(walk, "may I return it?") == ["Yes, you may send it back."]
        asked = [call.request.messages[-1] for call in walk.provider.calls]
        assert asked == [
            UserMessage("Name the intent, billing or order: may I return it?"),
            UserMessage("Returnable: true. Answer: may I return it?"),
        ]
        assert [call.request.system for call in walk.provider.calls] == ["You are brief."] * 2
        assert [call.request.temperature for call in walk.provider.calls] == [0.3, 0.3]
        assert [json.loads(call.arguments) for call in orders.calls] == [{"id": "ada"}]
        run = await the_run(walk)
        assert run["status"] is RunStatus.FINISHED
        assert list(run["trace"]) == ["classify", "look", "eligible", "respond", "say"]
        assert run["trace"]["classify"]["tokens_output"] > 0
        assert run["trace"]["eligible"]["output"] == '{"is_eligible": true}'
        turn = await walk.store.turn("t1")
        assert turn is not None
        report = json.loads(turn.report)
        assert (report["run_id"], report["stop_reason"], report["loop_iterations"]) == ("rt1", "answered", 2)
        rows = [row async for row in walk.store.ledger(LedgerFilter())]
        assert [row.attempt.feature for row in rows] == ["workflow:classify", "workflow:respond"]


async def test_a_branch_costs_no_more_than_its_own_nodes() -> None:
    async with pipeline(SUPPORT, FunctionToolbox()) as walk:
        walk.provider.script(Say("billing"))
        assert await answers(walk) == ["A person will look at your bill."]
        assert len(walk.provider.calls) == 1


# ── what the user reads ──────────────────────────────────────────────────────────────────────────────────
async def test_what_is_said_is_remembered_in_order() -> None:
    bot = flowing({"one": send("One."), "two": send("Two.")}, "t > one", "one > two")
    async with pipeline(bot) as walk:
        assert await answers(walk) == ["One.", "Two."]
        assert (await answers(walk, "again"))[2:] == ["One.", "Two."]
        told = await walk.store.transcript("c1")
        assert told is not None
        assert [[json.loads(each)["text"] for each in turn.messages] for turn in told.turns] == [
            ["hello", "One.", "Two."],
            ["again", "One.", "Two."],
        ]


async def test_a_run_that_says_nothing_answers_with_its_last_text() -> None:
    async with pipeline(flowing({"a": ask()}, "t > a")) as walk:
        walk.provider.script(Say("From the model."))
        assert await answers(walk) == ["From the model."]


async def test_a_run_without_any_text_answers_with_the_fallback() -> None:
    texts_of = a_bot().texts
    bot = flowing(
        {"a": node("data_transform", expression="message", outputVariable="x")},
        "t > a",
        texts=replace(texts_of, fallback="Nothing to say."),
    )
    async with pipeline(bot) as walk:
        assert await answers(walk) == ["Nothing to say."]


async def test_where_answers_are_collected_all_is_said_at_once() -> None:
    bot = flowing(
        {"one": send("One."), "a": ask(), "two": send("{{answer.text}}")}, "t > one", "one > a", "a > two"
    )
    async with pipeline(bot, adapter=FakeAdapter(COLLECTS)) as walk:
        walk.provider.script(Say("Two."))
        assert await answers(walk) == ["One.\n\nTwo."]


async def test_who_collects_an_answer_hears_that_the_run_waits() -> None:
    bot = flowing({"w": node("wait_delay", seconds=60), "s": send("Now.")}, "t > w", "w > s")
    async with pipeline(bot, adapter=FakeAdapter(COLLECTS)) as walk:
        assert await answers(walk) == [WAITS]


# ── nodes that ask ───────────────────────────────────────────────────────────────────────────────────────
ROUTED = {"yes": send("Yes."), "no": send("No."), "bad": send("{{error.message}}")}


@pytest.mark.parametrize(
    ("data", "handles", "said", "read"),
    [
        (("llm_router", {"prompt": "?", "routes": ["a", "b"]}), ("a", "b"), "**B**", "No."),
        (("llm_router", {"prompt": "?", "routes": ["a", "b"]}), ("a", "b"), "c", "chose none of the routes"),
        (("confidence_router", {"prompt": "?", "threshold": 0.7}), ("high", "low"), "0.7", "Yes."),
        (("confidence_router", {"prompt": "?", "threshold": 0.7}), ("high", "low"), "69 %", "No."),
        (("confidence_router", {"prompt": "?", "threshold": 0.7}), ("high", "low"), "very", "how sure it is"),
        (("guardrail", {"prompt": "Rude?"}), ("pass", "block"), "PASS", "Yes."),
        (("guardrail", {"prompt": "Rude?"}), ("pass", "block"), "block.", "No."),
        (("guardrail", {"prompt": "Rude?"}), ("pass", "block"), "maybe", "no verdict"),
    ],
)
async def test_a_model_chooses_the_way(
    data: tuple[str, dict[str, Json]], handles: tuple[str, str], said: str, read: str
) -> None:
    kind, fields = data
    nodes = {"r": node(kind, **fields), **ROUTED}
    bot = flowing(nodes, "t > r", f"r {handles[0]}> yes", f"r {handles[1]}> no", "r error> bad")
    async with pipeline(bot) as walk:
        walk.provider.script(Say(said))
        assert read in (await answers(walk))[0]


SCHEMA: dict[str, Json] = {
    "type": "object",
    "properties": {"n": {"type": "integer", "minimum": 1}},
    "required": ["n"],
}


@pytest.mark.parametrize(
    ("said", "read"),
    [
        (['{"n": 3}'], "3"),
        (['```json\n{"n": 4}\n```'], "4"),
        (["three", '{"n": 5}'], "5"),
        (['{"n": 0}', '{"n": 6}'], "6"),
        (["three", '{"n": 0}'], "cannot be used: $.n: 0 is less than the minimum of 1"),
    ],
)
async def test_json_of_a_schema_is_repaired_once(said: list[str], read: str) -> None:
    nodes = {
        "j": node("structured_output", prompt="How many?", schema=SCHEMA, outputVariable="found"),
        "s": send("{{found.n}}"),
        "bad": send("{{error.message}}"),
    }
    async with pipeline(flowing(nodes, "t > j", "j > s", "j error> bad")) as walk:
        walk.provider.script(*map(Say, said))
        assert read in (await answers(walk))[0]
        assert len(walk.provider.calls) == len(said)


async def test_the_agent_loop_as_a_node_has_the_tools_that_it_names() -> None:
    nodes = {
        "a": node("agent_loop", prompt="Find {{message}}", tools=["find"], outputVariable="found"),
        "s": send("{{found.text}}"),
    }
    box = FunctionToolbox(find=lambda _: "a shoe", destroy=lambda _: "gone")
    async with pipeline(flowing(nodes, "t > a", "a > s"), box) as walk:
        walk.provider.script(Say("", tools=(ToolCall("c1", "find", "{}"),)), Say("A shoe."))
        assert await answers(walk, "it") == ["A shoe."]
        assert [tool.name for tool in walk.provider.calls[0].request.tools] == ["find"]
        assert walk.provider.calls[0].request.messages == (UserMessage("Find it"),)
        assert len(box.calls) == 1
        run = await the_run(walk)
        assert run["trace"]["a"]["tokens_output"] == sum(
            bill.usage.output_tokens for bill in walk.provider.bill
        )


async def test_a_fallback_answers_where_the_bots_own_model_cannot() -> None:
    other = replace(a_price(), model="model-2")
    bot = flowing({"a": ask()}, "t > a", fallbacks=(ModelChoice("fake", "model-2"),))
    async with pipeline(bot, book=a_book(a_price(), other)) as walk:
        walk.provider.script(Fault(503), Say("From another."))
        assert await answers(walk) == ["From another."]
        rows = [row async for row in walk.store.ledger(LedgerFilter())]
        assert [(row.attempt.model, row.attempt.route) for row in rows] == [
            ("model-1", "default"),
            ("model-2", "fallback"),
        ]


async def test_a_part_is_a_workflow_of_its_own() -> None:
    part = written({"a": ask("Greet {{who}}", "greeting")}, "t > a")
    whole = written(
        {
            "g": node("sub_workflow", name="greet", input={"who": "{{message}}"}, outputVariable="part"),
            "s": send("{{part.greeting.text}}"),
        },
        "t > g",
        "g > s",
    )
    async with pipeline(a_bot(workflow=Workflow(whole, (("greet", part),)))) as walk:
        walk.provider.script(Say("Hello, Ada."))
        assert await answers(walk, "Ada") == ["Hello, Ada."]
        assert walk.provider.calls[0].request.messages == (UserMessage("Greet Ada"),)


async def test_a_loop_asks_once_for_each_item() -> None:
    nodes = {
        "l": loop(items=["a", "b"], maxIterations=5),
        "a": ask("Price of {{order}}", "price"),
        "s": send("{{price.text}}"),
    }
    async with pipeline(flowing(nodes, "t > l", "l body> a", "a > s")) as walk:
        walk.provider.script(Say("1"), Say("2"))
        assert await answers(walk) == ["1", "2"]


# ── how runs end ─────────────────────────────────────────────────────────────────────────────────────────
async def test_money_that_is_refused_ends_the_run_past_every_handler() -> None:
    nodes = {
        "one": send("One moment."),
        "a": ask(),
        "bad": send("Caught."),
        "h": node("error_handler"),
        "s": send("Caught."),
    }
    bot = flowing(nodes, "t > one", "one > a", "a error> bad", "h > s", cap=usd("0"))
    async with pipeline(bot) as walk:
        walk.roster.caps[bot.id] = usd("0")
        assert await answers(walk) == ["One moment.", bot.texts.cap_reached]
        assert walk.provider.calls == []
        [turn] = walk.observer.of(TurnFinished)
        assert (turn.stop_reason, turn.detail) == (StopReason.BUDGET, "bot:bot")
        assert (await the_run(walk))["status"] is RunStatus.FAILED


async def test_a_failing_node_leaves_by_its_error() -> None:
    nodes = {"a": ask(), "bad": send("Sorry: {{error.node}}.")}
    async with pipeline(flowing(nodes, "t > a", "a error> bad")) as walk:
        walk.provider.script(Fault(400))
        assert await answers(walk) == ["Sorry: a."]
        assert walk.observer.of(TurnFinished)[0].stop_reason is StopReason.ANSWERED


@pytest.mark.parametrize(
    ("nodes", "stop"),
    [
        ({"a": ask()}, StopReason.PROVIDER_ERROR),
        ({"a": node("mcp_tool", tool="gone")}, StopReason.WORKFLOW_FAILED),
        ({"a": node("mcp_tool", tool="bad")}, StopReason.WORKFLOW_FAILED),
    ],
)
async def test_a_run_that_failed_says_so(nodes: dict[str, Any], stop: StopReason) -> None:
    def bad(_: str) -> str:
        raise ValueError("the tool is broken")

    async with pipeline(flowing(nodes, "t > a"), FunctionToolbox(bad=bad)) as walk:
        walk.provider.script(Fault(400))
        [text] = await answers(walk)
        assert text
        assert walk.observer.of(TurnFinished)[0].stop_reason is stop
        run = await the_run(walk)
        assert run["status"] is RunStatus.FAILED
        assert run["trace"]["a"]["failure"]


async def test_a_run_has_the_messages_time_and_no_more() -> None:
    nodes = {"a": ask(), "h": node("error_handler"), "s": send("Caught.")}
    async with pipeline(flowing(nodes, "t > a", "h > s", limits=Limits(timeout_s=0.1))) as walk:
        walk.provider.script(Say("late", latency_s=60))
        assert await answers(walk) == ["I could not answer in time. Please try again."]
        assert walk.observer.of(TurnFinished)[0].stop_reason is StopReason.TIMEOUT
