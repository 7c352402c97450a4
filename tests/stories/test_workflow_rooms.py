"""Workflows that remember, look up, let in and write later, through the whole walk on fakes; and through restarts."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from adapters.messages import Rejected
from adapters.testing.fake import FakeAdapter
from runner.bots import Bot, Workflow
from runner.ports.knowledge import Collection
from runner.ports.observer import SendEnded, TurnFinished
from runner.ports.runs import RunStatus
from runner.store.memory import MemoryStore
from runner.testing.clock import ManualClock
from runner.testing.pipeline import INSTANT_S, Pipeline, pipeline
from runner.testing.scenes import a_bot, a_message
from runner.testing.workflows import node, send, trigger, workflow
from runner.workflows.doers.gate import ANSWER_WITHIN_MS, ASK_CODE, NO_MORE, WRONG
from runner.workflows.doers.passes import Passes
from runner.workflows.expressions import Json


def flowing(nodes: Mapping[str, Mapping[str, Json]], *edges: str) -> Bot:
    source = workflow({"t": trigger(), **nodes}, *edges)
    return a_bot(workflow=Workflow(json.dumps(source)))


async def say(walk: Pipeline, text: str, user: str = "ada") -> None:
    await walk.adapter.inject(a_message(text, f"{user}: {text}", user=user))


async def heard(walk: Pipeline, count: int) -> list[str]:
    return [reply.text for reply in await walk.adapter.replies(count)]


GATE = flowing(
    {
        "gate": node("auth_gate", mode="code"),
        "in": send("Welcome, {{verified_identity}}."),
        "out": send("No."),
        "late": send("Too late."),
    },
    "t > gate",
    "gate verified> in",
    "gate denied> out",
    "gate error> late",
)


async def test_a_user_is_let_in_by_a_code_even_over_a_restart() -> None:
    store, clock = MemoryStore(), ManualClock(instant_s=INSTANT_S)
    async with pipeline(GATE, store=store, clock=clock) as walk:
        await say(walk, "let me in")
        assert await heard(walk, 1) == [ASK_CODE]
        issued = await Passes(store.runs, clock).issue_code("bot", "ada", "Ada L.", 60)
    async with pipeline(GATE, store=store, clock=clock, adapter=FakeAdapter()) as walk:
        await say(walk, issued.text)
        assert await heard(walk, 1) == ["Welcome, Ada L.."]
        [run] = await store.runs.runs("bot", 5)
        assert (run.id, run.status) == ("rt1", RunStatus.FINISHED)


async def test_three_wrong_codes_are_too_many() -> None:
    async with pipeline(GATE) as walk:
        for number, answer in enumerate((ASK_CODE, WRONG, WRONG), 1):
            await say(walk, f"guess {number}")
            assert (await heard(walk, number))[-1] == answer
        await say(walk, "guess again")
        assert (await heard(walk, 5))[3:] == [NO_MORE, "No."]


async def test_who_does_not_answer_in_time_comes_too_late_and_a_try_gives_time_again() -> None:
    async with pipeline(GATE) as walk:
        await say(walk, "hello")
        await heard(walk, 1)
        await walk.clock.asleep()
        walk.clock.advance(ANSWER_WITHIN_MS / 1000 - 60)
        await say(walk, "000")
        assert (await heard(walk, 2))[1] == WRONG
        await walk.clock.asleep()
        walk.clock.advance(120)  # the first time is over, the second is not
        await walk.observer.until(TurnFinished, 3)
        assert len(walk.adapter.sent) == 2
        await walk.clock.asleep()
        walk.clock.advance(ANSWER_WITHIN_MS / 1000)
        assert (await heard(walk, 3))[2] == "Too late."


MEMORY = flowing(
    {
        "get": node("memory_store", op="get", key="visits", outputVariable="before"),
        "set": node("memory_store", op="set", key="visits", value="{{message}}"),
        "say": send("Last time you said: {{before}}"),
    },
    "t > get",
    "get > set",
    "set > say",
)


async def test_a_workflow_remembers_from_run_to_run_for_each_user() -> None:
    async with pipeline(MEMORY) as walk:
        for number, (text, user, before) in enumerate(
            (("tea", "ada", ""), ("milk", "ada", "tea"), ("rum", "bob", ""), ("jam", "ada", "milk")), 1
        ):
            await say(walk, text, user)
            assert (await heard(walk, number))[-1] == f"Last time you said: {before}".rstrip()


async def test_a_workflow_finds_what_is_in_the_files(tmp_path: Path) -> None:
    (tmp_path / "shop.md").write_text("# Returns\n\nWithin 30 days.\n\n# Opening\n\nFrom nine to five.\n")
    bot = flowing(
        {
            "find": node(
                "knowledge_retrieval", collection="shop", query="{{message}}", topK=1, outputVariable="found"
            ),
            "say": send("{{found[0].text}} ({{found[0].source}})"),
        },
        "t > find",
        "find > say",
    )
    async with pipeline(bot, collections={"shop": Collection("shop", tmp_path, ("*.md",))}) as walk:
        await say(walk, 'When are you opening? "OR')
        assert await heard(walk, 1) == ["From nine to five. (shop.md § Opening)"]


LATER = flowing(
    {
        "later": node("schedule_message", delay=3600, text="It is time, {{user_id}}."),
        "news": node("send_proactive", channel="G1", text="{{user_id}} asked: {{message}}"),
        "say": send("I will."),
    },
    "t > later",
    "later > news",
    "news > say",
)


@pytest.mark.parametrize("restarts", [False, True])
async def test_what_was_scheduled_is_said_once_at_its_time(restarts: bool) -> None:  # noqa: FBT001 - a case
    store, clock = MemoryStore(), ManualClock(instant_s=INSTANT_S)
    async with pipeline(LATER, store=store, clock=clock) as walk:
        await say(walk, "remind me")
        assert sorted(await heard(walk, 2)) == ["I will.", "ada asked: remind me"]
        assert {reply.chat.id for reply in walk.adapter.sent} == {"ada", "G1"}
        if not restarts:
            await walk.clock.asleep()
            walk.clock.advance(3600)
            assert (await heard(walk, 3))[2] == "It is time, ada."
            return
    clock.advance(7200)
    async with pipeline(LATER, store=store, clock=clock, adapter=FakeAdapter()) as walk:
        assert await heard(walk, 1) == ["It is time, ada."]
        assert await store.runs.next_errand_ms() is None


async def test_what_a_platform_refuses_because_it_comes_too_late_is_listed_and_told() -> None:
    why = "131047: more than 24 hours have passed since the customer last replied"
    async with pipeline(LATER) as walk:
        await say(walk, "remind me")
        await heard(walk, 2)
        walk.adapter.script(Rejected(why))
        await walk.clock.asleep()
        walk.clock.advance(3600)
        ended = (await walk.observer.until(SendEnded, 3))[2]
        assert (ended.fate, ended.why) == ("rejected", why)
        assert (await walk.store.figures()).outbox == {"rejected": 1}
