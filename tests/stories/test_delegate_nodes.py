"""delegate_to_bot in a workflow: to an agent, to another workflow, through crashes and refusals."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from runner.bots import Bot, Workflow
from runner.conversations.models import UserMessage
from runner.errors import StoreError
from runner.money.amounts import Money
from runner.money.ledger import verify
from runner.ports.books import LedgerFilter
from runner.ports.dialogue import ModelRequest
from runner.store.memory import MemoryStore
from runner.teams.handoff import TOO_FAR
from runner.testing.clock import ManualClock
from runner.testing.model_script import Behaviour, Say
from runner.testing.pipeline import INSTANT_S, Pipeline, pipeline
from runner.testing.provider import FakeProvider
from runner.testing.scenes import a_bot
from runner.testing.workflows import ask, node, send, trigger, workflow

BILLING = a_bot("billing", system_prompt="You are billing.")


def a_flow(bot_id: str, nodes: Mapping[str, Any], *edges: str, **changes: Any) -> Bot:
    return a_bot(bot_id, workflow=Workflow(json.dumps(workflow(nodes, *edges))), **changes)


def hand_over(target: str = "billing", **context: Any) -> Mapping[str, Any]:
    return node("delegate_to_bot", target_bot_id=target, context=context, outputVariable="said")


RECEPTION = a_flow(
    "reception",
    {
        "t": trigger(),
        "kind": ask("What is this? {{message}}", "kind"),
        "hand": hand_over(kind="{{kind.text}}"),
        "out": send("Billing says: {{said}}"),
        "sorry": send("Nobody answers."),
    },
    "t > kind",
    "kind > hand",
    "hand > out",
    "hand error> sorry",
)


def house(request: ModelRequest) -> Behaviour:
    asked = request.messages[-1]
    text = asked.text if isinstance(asked, UserMessage) else ""
    return Say("an invoice" if text.startswith("What is this?") else f"[{text}]")


def a_house() -> FakeProvider:
    return FakeProvider(ManualClock(instant_s=INSTANT_S), house)


async def said(walk: Pipeline, text: str = "Where is it?") -> str:
    await walk.adapter.say(text)
    return (await walk.adapter.replies(1))[0].text


async def paid(store: MemoryStore) -> list[tuple[str, str, str]]:
    rows = [row async for row in store.ledger(LedgerFilter())]
    assert verify(await store.counters(), rows) == []
    return [(row.attempt.bot, row.attempt.id, row.state.value) for row in rows]


async def test_another_bot_answers_and_is_charged_for_it() -> None:
    async with pipeline(RECEPTION, provider=a_house()) as walk:
        walk.roster.add(BILLING)
        assert await said(walk) == 'Billing says: [{"kind":"an invoice"}\n\nWhere is it?]'
        assert [(bot, call) for bot, call, _ in await paid(walk.store)] == [
            ("reception", "t1-1"),
            ("billing", "t1.n3-1"),
        ]


async def test_the_context_becomes_variables_of_the_other_bots_workflow() -> None:
    nodes = {"t": trigger(), "out": send("A {{kind}}, you say: {{message}}")}
    async with pipeline(RECEPTION, provider=a_house()) as walk:
        walk.roster.add(a_flow("billing", nodes, "t > out"))
        assert await said(walk) == "Billing says: A an invoice, you say: Where is it?"
        assert len(await paid(walk.store)) == 1


async def test_a_bot_that_is_refused_money_fails_the_node_alone() -> None:
    async with pipeline(RECEPTION, provider=a_house()) as walk:
        walk.roster.add(a_bot("billing", cap=Money(1)))
        assert await said(walk) == "Nobody answers."
        assert {bot for bot, _, _ in await paid(walk.store)} == {"reception"}


async def test_a_workflow_that_would_have_to_wait_is_no_answer() -> None:
    nodes = {
        "t": trigger(),
        "ask": node("action", actionType="human_handoff", reason="x"),
        "a": send(),
        "b": send(),
    }
    async with pipeline(RECEPTION, provider=a_house()) as walk:
        walk.roster.add(a_flow("billing", nodes, "t > ask", "ask approved> a", "ask rejected> b"))
        assert await said(walk) == "Nobody answers."
        assert await walk.store.runs.next_errand_ms() is None


async def test_workflows_that_hand_to_one_another_come_to_an_end() -> None:
    nodes = {"t": trigger(), "hand": hand_over("two"), "out": send("one: {{said}}")}
    back = {
        "t": trigger(),
        "hand": hand_over("one"),
        "out": send("two: {{said}}"),
        "e": send("{{error.message}}"),
    }
    edges = ("t > hand", "hand > out")
    async with pipeline(a_flow("one", nodes, *edges), provider=a_house()) as walk:
        walk.roster.add(a_flow("two", back, *edges, "hand error> e"))
        text = await said(walk)
        assert text.startswith("one: two: one: ")
        assert "3 times" in text or TOO_FAR in text


class Dead:
    """Lets the n-th write of a store fail, and all after it."""

    WRITES = ("hold", "settle", "save_step", "steps", "finish")

    def __init__(self, nth: int) -> None:
        self.left = nth
        self.alive = False
        self.failed = asyncio.Event()

    def __call__(self, name: str) -> None:
        if self.alive or name not in self.WRITES:
            return
        if self.left == 0:
            self.failed.set()
            raise StoreError("the disk is full")
        self.left -= 1


@pytest.mark.parametrize("nth", range(8))
async def test_killed_between_any_two_writes_what_was_paid_is_not_paid_again(nth: int) -> None:
    fault, provider = Dead(nth), a_house()
    store = MemoryStore(fault)
    async with pipeline(RECEPTION, provider=provider, store=store) as walk:
        walk.roster.add(BILLING)
        await walk.adapter.say("Where is it?")
        await fault.failed.wait()
    fault.alive = True
    async with pipeline(RECEPTION, provider=provider, store=store) as walk:
        walk.roster.add(BILLING)
        [reply] = await walk.adapter.replies(1)
        assert reply.text == 'Billing says: [{"kind":"an invoice"}\n\nWhere is it?]'
        ends = [state for _, _, state in await paid(store)]
        assert ends.count("settled") == 2
        assert ends.count("unknown") <= 1
        assert len(provider.calls) == len(ends)
