"""What a turn of a run has stored: written and read back, taken in order, passed over where it does not fit."""

import json
from dataclasses import replace

import pytest

from runner.agent.replies import NodeDone, PaidReply, Step, ToolsDone, step_from_json, step_to_json
from runner.agent.replies import ToolsStarted as Started
from runner.bots import Workflow
from runner.conversations.models import ToolCall, ToolResult
from runner.money.amounts import Money
from runner.money.usage import Usage
from runner.ports.dialogue import ModelReply
from runner.ports.mail import StoredStep
from runner.ports.observer import Fault
from runner.ports.runs import Errand, RunStatus
from runner.ports.tools import ToolRun
from runner.store.memory import MemoryStore
from runner.testing.clock import ManualClock
from runner.testing.pipeline import INSTANT_S, pipeline
from runner.testing.scenes import FunctionToolbox, a_bot, a_message
from runner.testing.workflows import ask, node, send, trigger, workflow
from runner.workflows.doing import Outcome
from runner.workflows.engine import Done, Failed, Paused
from runner.workflows.keeping import outcome_from_json, outcome_to_json
from runner.workflows.state import Wait

PAID = PaidReply(ModelReply("x"), Usage(3, 2), Money(11), "fake", "model-1", feature="workflow:a")
CALL = ToolCall("n3", "order", '{"id": 7}')
RUN = ToolRun(CALL, ToolResult("n3", "order", "äöü", ok=False), 12)
ERRAND = Errand("k", "bot", "chat", "lane", '{"errand":{}}', 17, "r1", "ada")


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(Done()),
        Outcome(
            Done({"text": "é", "n": [1, None, 2.5]}, "true", {"a": {"b": []}}, ("gone",)), say=("Hi", "Ho")
        ),
        Outcome(Failed("no"), replies=(PAID, replace(PAID, cost=Money(0))), tool_runs=(RUN,)),
        Outcome(Paused(Wait("reply", 17)), errands=(ERRAND,), say=("Who are you?",)),
        Outcome(Paused(Wait("decision"))),
    ],
)
def test_an_outcome_is_read_back_equal(outcome: Outcome) -> None:
    text = outcome_to_json(outcome)
    assert outcome_from_json(text) == outcome
    done = NodeDone("3.1", "a", text, 12)
    assert step_from_json(step_to_json(done)) == done


SOURCE = workflow(
    {
        "t": trigger(),
        "a": ask("{{message}}", "answer"),
        "o": node("mcp_tool", tool="order", arguments={}, outputVariable="order"),
        "s": send("{{answer.text}} {{order}}"),
        "bad": send("{{answer.text}}, {{error.message}}"),
    },
    "t > a",
    "a > o",
    "o > s",
    "o error> bad",
)
ANSWERED = NodeDone("2", "a", outcome_to_json(Outcome(Done({"text": "x"}))))
STARTED = Started(("n3",))
LOOKED_UP = ToolsDone((ToolRun(ToolCall("n3", "order", "{}"), ToolResult("n3", "order", "old"), 1),))


@pytest.mark.parametrize(
    ("stored", "said", "asked", "called"),
    [
        ([], "Hello from the fake model. new", 1, 1),
        ([PAID], "x new", 0, 1),
        ([PAID, ANSWERED], "x new", 0, 1),
        ([PAID, ANSWERED, LOOKED_UP], "x old", 0, 0),
        ([PAID, ANSWERED, STARTED, LOOKED_UP], "x old", 0, 0),
        ([PAID, ANSWERED, STARTED], "x, This call was interrupted by a restart.", 0, 0),
        ([replace(PAID, feature="workflow:other")], "Hello from the fake model. new", 1, 1),
        ([PAID, NodeDone("2", "other", ANSWERED.outcome)], "x new", 0, 1),
        ([PAID, ANSWERED, ToolsDone((RUN, RUN))], "x new", 0, 1),
    ],
)
async def test_what_fits_is_taken_and_the_rest_is_done(
    stored: list[Step], said: str, asked: int, called: int
) -> None:
    store, clock = MemoryStore(), ManualClock(instant_s=INSTANT_S)
    bot = a_bot(workflow=Workflow(json.dumps(SOURCE)))
    box = FunctionToolbox(order=lambda _: "new")
    await _earlier(store, clock, stored)
    async with pipeline(bot, box, store=store, clock=clock) as walk:
        [reply] = await walk.adapter.replies(1)
        assert reply.text.startswith(said)
        assert (len(walk.provider.calls), len(box.calls)) == (asked, called)


async def test_a_step_that_cannot_be_read_ends_the_run_and_nothing_else() -> None:
    store, clock = MemoryStore(), ManualClock(instant_s=INSTANT_S)
    bot = a_bot(workflow=Workflow(json.dumps(SOURCE)))
    await _earlier(store, clock, [PAID, NodeDone("2", "a", "not JSON")])
    async with pipeline(bot, store=store, clock=clock) as walk:
        [reply] = await walk.adapter.replies(1)
        assert reply.text == "Something went wrong on my side. Please try again."
        [run] = await store.runs.runs("bot", 5)
        assert run.status is RunStatus.FAILED
        assert [fault.where for fault in walk.observer.of(Fault)] == ["workflow"]


async def _earlier(store: MemoryStore, clock: ManualClock, steps: list[Step]) -> None:
    """A process that accepted a message, stored these steps of its turn, and is gone."""
    async with pipeline(a_bot(), store=store, clock=clock) as walk:
        await walk.lanes.stop(0)
        await walk.adapter.inject(a_message("hello"))
        [lane] = await store.waiting_lanes(["bot"], [], 5, clock.now_ms())
        async with store.lane(lane) as session:
            assert session is not None
            for number, step in enumerate(steps):
                await session.save_step("t1", StoredStep(number, step_to_json(step)))
