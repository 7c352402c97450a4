"""The agent loop: model, tools, model, … until there is an answer or a limit."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from runner.agent.loop import INTERRUPTED, AgentLoop, LoopResult, LoopTask
from runner.agent.meter import Meter
from runner.agent.replies import ToolsDone, ToolsStarted, step_from_json
from runner.agent.routing import unrouted
from runner.bots import BillingMode, Limits, ModelChoice, Secret
from runner.conversations.models import AssistantMessage, ToolCall, ToolMessage, ToolResult, UserMessage
from runner.errors import StoreError
from runner.money.amounts import Money
from runner.money.budget import ScopeLimit
from runner.money.ledger import Attempt
from runner.money.usage import Usage
from runner.ports.books import LedgerFilter
from runner.ports.dialogue import StopReason
from runner.ports.mail import NewInbound
from runner.ports.provider import Provider
from runner.ports.tools import Toolbox
from runner.store.memory import MemoryStore
from runner.testing.clock import ManualClock
from runner.testing.model_script import Fault, Say
from runner.testing.observer import RecordingObserver
from runner.testing.provider import FakeProvider
from runner.testing.scenes import CHOICE, FunctionToolbox, a_book, a_bot, a_price

USED = Usage(100, 10)
COST = 140


def asks(*calls: str, text: str = "") -> Say:
    """A reply that calls tools; `name:arguments` each."""
    made = []
    for number, call in enumerate(calls):
        name, _, arguments = call.partition(":")
        made.append(ToolCall(f"{name}{number}", name, arguments or "{}"))
    return Say(text, tuple(made), usage=USED)


def says(text: str) -> Say:
    return Say(text, usage=USED)


@dataclass
class World:
    """A loop with a message of a lane to answer."""

    loop: AgentLoop
    provider: FakeProvider
    store: MemoryStore
    clock: ManualClock
    faults: list[str]
    keys: list[Secret | None]

    async def run(
        self, tools: Toolbox | None = None, limits: Limits | None = None, limit: int | None = None, **bot: Any
    ) -> LoopResult:
        """Answer the lane's message; begun again, it goes on from what is stored."""
        bot_now = a_bot(limits=limits or Limits(), **bot)
        async with self.store.lane("l") as session:
            assert session is not None
            work = await session.next(self.clock.now_ms())
            assert work is not None
            task = LoopTask(
                bot=bot_now,
                history=(UserMessage("hello"),),
                routes=unrouted(bot_now),
                about=Attempt(
                    "", 0, "bot", "fake", "chat", "c1", "ada", work.turn, CHOICE.provider, CHOICE.model, ""
                ),
                scopes=lambda _: (ScopeLimit("bot:bot", None if limit is None else Money(limit)),),
                done=tuple(step_from_json(step.payload) for step in work.steps),
                attempts_used=work.attempts_used,
                deadline=self.clock.monotonic() + bot_now.limits.timeout_s,
            )
            return await self.loop.run(task, tools or FunctionToolbox(), session)

    async def steps(self) -> list[Any]:
        work = await self.store.next_in("l", self.clock.now_ms())
        assert work is not None
        assert [step.number for step in work.steps] == list(range(len(work.steps))), "no gaps"
        return [step_from_json(step.payload) for step in work.steps]


@asynccontextmanager
async def a_world() -> AsyncIterator[World]:
    faults: list[str] = []
    keys: list[Secret | None] = []

    def before(method: str) -> None:
        if method in faults:
            faults.remove(method)
            raise StoreError("the disk is full")

    clock, store = ManualClock(), MemoryStore(before)
    await store.open()
    await store.accept(NewInbound("bot", "chat", "", "e1", "l", "{}", clock.now_ms()))
    provider = FakeProvider(clock, says("done"))

    class Shelf:
        def get(self, name: str, key: Secret | None = None) -> Provider:
            keys.append(key)
            return provider

        transcriber = get

    async with asyncio.TaskGroup() as tasks:
        rows = (
            replace(a_price(), provider=choice.provider, model=choice.model) for choice in (SECOND, THIRD)
        )
        book = a_book(a_price(), *rows)
        meter = Meter(Shelf(), lambda: book, store, clock, RecordingObserver(), tasks)
        yield World(AgentLoop(meter, lambda: book, clock), provider, store, clock, faults, keys)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with a_world() as made:
        yield made


async def test_an_answer(world: World) -> None:
    result = await world.run()
    assert (result.stop, result.text, result.messages) == (StopReason.ANSWERED, "done", ())
    assert (result.cost, result.usage, len(result.replies)) == (COST, USED, 1)
    assert world.provider.calls[0].request.messages == (UserMessage("hello"),)


async def test_tools_then_an_answer(world: World) -> None:
    world.provider.script(asks("add:1", "add:2", text="Let me see."), says("3"))
    tools = FunctionToolbox(add=lambda n: f"+{n}")
    result = await world.run(tools)
    assert (result.stop, result.text) == (StopReason.ANSWERED, "3")
    assert (result.cost, result.usage) == (2 * COST, Usage(200, 20))
    calls = (ToolCall("add0", "add", "1"), ToolCall("add1", "add", "2"))
    said = (
        AssistantMessage("Let me see.", calls),
        ToolMessage((ToolResult("add0", "add", "+1"), ToolResult("add1", "add", "+2"))),
    )
    assert result.messages == said
    assert world.provider.calls[1].request.messages == (UserMessage("hello"), *said)
    assert [spec.name for spec in world.provider.calls[0].request.tools] == ["add"]
    rows = [row async for row in world.store.ledger(LedgerFilter())]
    assert [(row.attempt.id, row.attempt.iteration) for row in rows] == [("t1-1", 1), ("t1-2", 2)]


async def test_tools_of_one_reply_run_side_by_side(world: World) -> None:
    """Each waits for the other: one after the other they would never end."""
    met = asyncio.Barrier(2)

    class Meeting(FunctionToolbox):
        async def run(self, call: ToolCall, timeout_s: float) -> ToolResult:
            await met.wait()
            return ToolResult(call.id, call.name, "met")

    world.provider.script(asks("a", "b"))
    result = await asyncio.wait_for(world.run(Meeting(a=str, b=str)), 30)
    assert [run.result.text for run in result.tool_runs] == ["met", "met"]


@pytest.mark.parametrize(
    ("limits", "script", "stop", "calls", "made"),
    [
        (
            Limits(max_loop_iterations=2),
            [asks("a:1"), asks("a:2")],
            StopReason.LOOP_LIMIT,
            2,
            1,
        ),
        (Limits(max_tool_calls=2), [asks("a:1", "a:2", "a:3")], StopReason.TOOL_LIMIT, 1, 0),
        (Limits(max_tool_calls=0), [asks("a:1")], StopReason.TOOL_LIMIT, 1, 0),
        (Limits(), [asks("a:1"), asks("a: 1"), asks("a:1")], StopReason.SAME_CALL, 3, 2),
        (Limits(), [asks("bad:1"), asks("bad:2", "bad:3")], StopReason.FAILING_TOOLS, 2, 3),
    ],
)
async def test_each_limit_ends_the_loop(
    world: World, limits: Limits, script: list[Say], stop: StopReason, calls: int, made: int
) -> None:
    def bad(_: str) -> str:
        raise ValueError("broken")

    tools = FunctionToolbox(a=str, bad=bad)
    world.provider.script(*script)
    result = await world.run(tools, limits)
    assert result.stop is stop
    assert (len(world.provider.calls), len(tools.calls)) == (calls, made)
    assert_legal(result)


async def test_the_time_of_the_message_ends_it_after_its_tools(world: World) -> None:
    def slow(_: str) -> str:
        world.clock.advance(31)
        return "late"

    world.provider.script(asks("slow"))
    result = await world.run(FunctionToolbox(slow=slow))
    assert result.stop is StopReason.TIMEOUT
    assert len(world.provider.calls) == 1
    assert result.tool_runs[0].latency_ms == 31_000
    assert_legal(result)


async def test_an_answer_at_the_output_limit_is_cut_and_its_tools_are_not_run(world: World) -> None:
    """Arguments that were cut must not be called with."""
    cut = asks("a:{", text="half an ans")
    world.provider.script(Say(cut.text, cut.tools, usage=Usage(100, 500)))
    tools = FunctionToolbox(a=str)
    result = await world.run(tools, Limits(max_output_tokens=500))
    assert (result.stop, result.text, tools.calls) == (StopReason.OUTPUT_LIMIT, "half an ans", [])
    assert_legal(result)


async def test_money_that_ends_in_the_middle(world: World) -> None:
    world.provider.script(asks("a"))
    probe = await _least_hold()
    result = await world.run(FunctionToolbox(a=str), limit=probe + 100)
    assert (result.stop, result.detail, len(result.replies)) == (StopReason.BUDGET, "bot:bot", 1)
    assert_legal(result)


async def _least_hold() -> int:
    """What the first call of these tests is held at, with the smallest output."""
    async with a_world() as world:
        await world.run(FunctionToolbox(a=str))
        [row] = [row async for row in world.store.ledger(LedgerFilter())]
        return row.hold - 4 * (8192 - 256)


async def test_a_provider_s_fault_is_an_end(world: World) -> None:
    world.provider.script(Fault(401, "no such key"))
    result = await world.run()
    assert (result.stop, result.text) == (StopReason.PROVIDER_ERROR, "")
    assert "401" in result.detail


async def test_a_model_without_a_price_is_an_end(world: World) -> None:
    result = await world.run(limit=10**12, choice=ModelChoice("fake", "unheard-of"))
    assert result.stop is StopReason.UNPRICED
    assert world.provider.calls == []


@pytest.mark.parametrize(("mode", "key"), [(BillingMode.BYOK, Secret("sk-own")), (BillingMode.WALLET, None)])
async def test_the_bot_s_own_key_is_used_where_it_pays(
    world: World, mode: BillingMode, key: Secret | None
) -> None:
    await world.run(billing_mode=mode, llm_api_key=Secret("sk-own"))
    assert world.keys == [key]


# ── fallbacks ────────────────────────────────────────────────────────────────────────────────────────────
SECOND, THIRD = ModelChoice("fake", "model-2"), ModelChoice("other", "model-3")


async def test_a_busy_model_s_place_is_taken_by_the_next_at_once(world: World) -> None:
    world.provider.script(Fault(529, "overloaded"), says("from the second"))
    result = await world.run(fallbacks=(SECOND, THIRD))
    assert (result.stop, result.text, result.cost) == (StopReason.ANSWERED, "from the second", COST)
    assert [call.request.choice for call in world.provider.calls] == [CHOICE, SECOND]
    rows = [row async for row in world.store.ledger(LedgerFilter())]
    assert [(row.attempt.id, row.attempt.model, row.attempt.route, row.state.value) for row in rows] == [
        ("t1-1", "model-1", "default", "released"),
        ("t1-2", "model-2", "fallback", "settled"),
    ]
    assert rows[1].attempt.route_reason == "fake/model-1: HTTP 529: overloaded"
    assert result.replies[0].route == "fallback"
    assert world.clock.sleeps == [], "nobody waits for a busy model while another stands ready"


async def test_the_last_one_is_worth_waiting_for(world: World) -> None:
    world.provider.script(Fault(529), Fault(529), says("at last"))
    async with asyncio.TaskGroup() as group:
        running = group.create_task(world.run(fallbacks=(SECOND,)), name="run")
        await world.clock.asleep()
        world.clock.advance(0.25)
    assert running.result().text == "at last"
    assert [call.request.choice for call in world.provider.calls] == [CHOICE, SECOND, SECOND]


@pytest.mark.parametrize("fault", [Fault(400), Fault(401)])
async def test_a_request_that_is_rejected_is_not_sent_elsewhere(world: World, fault: Fault) -> None:
    world.provider.script(fault)
    result = await world.run(fallbacks=(SECOND,))
    assert result.stop is StopReason.PROVIDER_ERROR
    assert len(world.provider.calls) == 1


async def test_money_holds_for_fallbacks_too(world: World) -> None:
    world.provider.script(Fault(500))
    least = await _least_hold()
    result = await world.run(fallbacks=(SECOND,), limit=least + 100)
    assert (result.stop, result.detail) == (StopReason.BUDGET, "bot:bot")
    assert len(world.provider.calls) == 1, "what the first may have cost leaves no room for a second"


async def test_the_bot_s_own_key_goes_to_its_own_provider_only(world: World) -> None:
    world.provider.script(Fault(529), Fault(529))
    key = Secret("sk-own")
    await world.run(billing_mode=BillingMode.BYOK, llm_api_key=key, fallbacks=(SECOND, THIRD))
    assert world.keys == [key, key, None]


# ── begun again after a crash ────────────────────────────────────────────────────────────────────────────
async def test_what_is_paid_is_not_asked_for_again(world: World) -> None:
    world.provider.script(asks("a:1"), says("first"))
    first = await world.run(FunctionToolbox(a=str))
    tools = FunctionToolbox(a=str)
    again = await world.run(tools)
    assert again == first
    assert len(world.provider.calls) == 2
    assert tools.calls == []


@pytest.mark.parametrize(("repeatable", "made_again"), [(True, 1), (False, 0)])
async def test_a_call_under_way_is_made_again_only_where_that_is_harmless(
    world: World, made_again: int, *, repeatable: bool
) -> None:
    world.provider.script(asks("a:1"), says("end"))

    class Crash(BaseException):
        pass

    def crash(_: str) -> str:
        raise Crash

    with pytest.raises(BaseExceptionGroup):
        await world.run(FunctionToolbox(repeatable, a=crash))
    stored = await world.steps()
    assert [type(step) for step in stored[1:]] == ([] if repeatable else [ToolsStarted])
    tools = FunctionToolbox(repeatable, a=str)
    result = await world.run(tools)
    assert (result.stop, result.text, len(tools.calls)) == (StopReason.ANSWERED, "end", made_again)
    [run] = result.tool_runs
    assert run.result.text == ("1" if repeatable else INTERRUPTED)
    assert run.result.ok is repeatable
    assert len(world.provider.calls) == 2
    assert isinstance((await world.steps())[-2], ToolsDone)


@pytest.mark.parametrize("method", ["save_step", "hold"])
async def test_a_store_s_fault_goes_to_the_lane_and_nothing_is_paid_twice(world: World, method: str) -> None:
    world.provider.script(asks("a:1"), says("end"))

    def full(_: str) -> str:
        world.faults.append(method)
        return "1"

    with pytest.raises(StoreError):
        await world.run(FunctionToolbox(a=full))
    paid = len(world.provider.calls)
    result = await world.run(FunctionToolbox(a=str))
    assert (result.stop, result.text) == (StopReason.ANSWERED, "end")
    assert len(world.provider.calls) == paid + 1
    rows = [row async for row in world.store.ledger(LedgerFilter())]
    assert [row.attempt.id for row in rows] == ["t1-1", "t1-2"]


def assert_legal(result: LoopResult) -> None:
    """Every assistant message that calls tools is followed by a result for each."""
    messages = list(result.messages)
    while messages:
        said = messages.pop(0)
        assert isinstance(said, AssistantMessage)
        results = messages.pop(0)
        assert isinstance(results, ToolMessage)
        assert [r.call_id for r in results.results] == [c.id for c in said.tool_calls]
