"""Runs that wait: for a reviewer, for the clock, over restarts and changes of their workflow."""

import pytest

from adapters.testing.fake import FakeAdapter
from runner.ports.observer import HandoffAsked
from runner.ports.runs import Decision, RunStatus
from runner.store.memory import MemoryStore
from runner.testing.clock import ManualClock
from runner.testing.pipeline import INSTANT_S, pipeline
from runner.testing.workflows import node, send
from runner.workflows.nodes.talking import HANDOFF_TEXT
from tests.stories.workflow_walks import answers, flowing, texts, the_run

REVIEWED = flowing(
    {
        "h": node("action", actionType="human_handoff", reason="Refund {{message}}?"),
        "y": send("Approved by {{handoff.reviewer}}: {{handoff.comment}}"),
        "n": send("Rejected."),
    },
    "t > h",
    "h approved> y",
    "h rejected> n",
)


@pytest.mark.parametrize(
    ("decision", "said"), [(Decision.APPROVED, "Approved by bo: fine"), (Decision.REJECTED, "Rejected.")]
)
async def test_a_reviewer_decides_after_a_restart(decision: Decision, said: str) -> None:
    store, clock = MemoryStore(), ManualClock(instant_s=INSTANT_S)
    async with pipeline(REVIEWED, store=store, clock=clock) as walk:
        assert await answers(walk, "5 USD") == [HANDOFF_TEXT]
        assert len(walk.observer.of(HandoffAsked)) == 1
    async with pipeline(REVIEWED, store=store, clock=clock, adapter=FakeAdapter()) as walk:
        [asked] = await walk.handoffs.handoffs(Decision.PENDING, 5)
        assert asked.reason == "Refund 5 USD?"
        await walk.handoffs.decide(asked.id, decision, "bo", "fine")
        await walk.adapter.replies(1)
        assert texts(walk) == [said]
        assert (await the_run(walk))["status"] is RunStatus.FINISHED


async def test_one_reviewer_is_asked_at_a_time() -> None:
    hand = {"actionType": "human_handoff"}
    nodes = {
        "p": node("parallel", join="done"),
        "h1": node("action", reason="first", **hand),
        "h2": node("action", reason="second", **hand),
        "s1": send("1"),
        "s2": send("2"),
        "done": send("Done."),
    }
    ways = ["h1 approved> s1", "h1 rejected> s1", "h2 approved> s2", "h2 rejected> s2"]
    async with pipeline(flowing(nodes, "t > p", "p > h1", "p > h2", *ways)) as walk:
        assert await answers(walk) == [HANDOFF_TEXT]
        [first] = await walk.handoffs.handoffs(Decision.PENDING, 5)
        assert first.reason == "first"
        await walk.handoffs.decide(first.id, Decision.APPROVED, "bo", "")
        await walk.adapter.replies(3)
        [second] = await walk.handoffs.handoffs(Decision.PENDING, 5)
        assert second.reason == "second"
        await walk.handoffs.decide(second.id, Decision.APPROVED, "bo", "")
        await walk.adapter.replies(5)
        assert texts(walk) == [HANDOFF_TEXT, "1", HANDOFF_TEXT, "2", "Done."]


async def test_a_long_wait_ends_the_turn_and_goes_on_at_its_time() -> None:
    bot = flowing({"w": node("wait_delay", seconds=3600), "s": send("An hour later.")}, "t > w", "w > s")
    async with pipeline(bot) as walk:
        assert await answers(walk) == []
        assert (await walk.store.runs.next_errand_ms() or 0) - walk.clock.now_ms() == 3_600_000
        walk.clock.advance(3600)
        walk.errands.look()
        await walk.adapter.replies(1)
        assert texts(walk) == ["An hour later."]


async def test_a_workflow_that_was_changed_while_its_run_waited_fails_it() -> None:
    store, clock = MemoryStore(), ManualClock(instant_s=INSTANT_S)
    async with pipeline(REVIEWED, store=store, clock=clock) as walk:
        await answers(walk)
    async with pipeline(
        flowing({"s": send("New.")}, "t > s"), store=store, clock=clock, adapter=FakeAdapter()
    ) as walk:
        [asked] = await walk.handoffs.handoffs(Decision.PENDING, 5)
        await walk.handoffs.decide(asked.id, Decision.APPROVED, "bo", "")
        await walk.adapter.replies(1)
        assert texts(walk) == ["I stopped: I could not finish this. Please try again later."]
        run = await the_run(walk)
        assert (run["status"], run["failure"]) == (
            RunStatus.FAILED,
            "the workflow was changed while this run waited",
        )
