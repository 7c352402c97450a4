"""One suite for everybody who runs batches: what each call and each line comes to, whatever the protocol.

A world is a server of batches and the fake behind it: `openai` and `anthropic` over real sockets, `fake` in process.
"""

import json
from collections.abc import AsyncIterator
from typing import cast

import pytest

from runner.money.estimate import input_bound
from runner.money.prices import Price, Rates
from runner.money.usage import Usage
from runner.ports.batch_server import NotTaken, RemoteBatch, RemoteState
from runner.ports.dialogue import FinishReason
from runner.ports.outcomes import Completed, FateUnknown, FaultKind, NotRun, Outcome
from runner.providers import batch_calls
from runner.testing.model_batches import Call, CutOff, Expired, Garbled, Trouble
from runner.testing.model_script import Drop, Fault, Say
from tests.contract.batch_worlds import (
    CALLS,
    CALLS_OF_ALL,
    KEY,
    PATIENCE_S,
    World,
    in_process,
    over_sockets,
)

FREE = Price("m", "p", Rates(0, 0))


@pytest.fixture(params=["openai", "anthropic", "fake"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    if request.param == "fake":
        async for made in in_process():
            yield made
    else:
        async for wired in over_sockets(request.param):
            yield wired


async def test_a_batch_from_end_to_end(world: World) -> None:
    used = Usage(40, 9, cache_read_tokens=20, cache_write_5m_tokens=10, reasoning_tokens=4)
    world.behind.book.fates["b-2"] = Say("Grüße ﷺ, you.", usage=used)
    made = await world.submit("a", "b-2", "C_3")
    assert (made.state, made.done, made.failed) == (RemoteState.RUNNING, 0, 0)
    assert made.ours == ("our-1" if world.keeps_marks else "")
    assert world.behind.bill == []
    ended = await world.look(made)
    assert (ended.state, ended.total, ended.done, ended.failed) == (RemoteState.ENDED, 3, 3, 0)
    told = cast("list[tuple[str, Outcome]]", await world.results(made))
    assert [custom_id for custom_id, _ in told] != ["a", "b-2", "C_3"]
    outcomes = dict(told)
    assert set(outcomes) == {"a", "b-2", "C_3"}
    answered = outcomes["b-2"]
    assert isinstance(answered, Completed)
    assert (answered.reply.text, answered.reply.finish) == ("Grüße ﷺ, you.", FinishReason.END)
    assert (answered.usage, answered.charged) == (used, None)
    assert [(row.batch, row.answered) for row in world.behind.bill] == [(True, True)] * 3
    billed = {row.request_id: row.usage for row in world.behind.bill}
    assert billed == {o.request_id: o.usage for o in outcomes.values() if isinstance(o, Completed)}


async def test_results_can_be_read_again(world: World) -> None:
    made = await world.submit("a", "b")
    await world.look(made)
    assert await world.results(made) == await world.results(made)
    assert len(world.behind.bill) == 2


async def test_how_far_it_is(world: World) -> None:
    world.behind.book.looks = 3
    made = await world.submit("a", "b", "c")
    seen = [await world.look(made) for _ in range(3)]
    assert [batch.state for batch in seen] == [RemoteState.RUNNING, RemoteState.RUNNING, RemoteState.ENDED]
    assert {batch.total for batch in seen} == {3}
    done = [batch.done for batch in seen]
    assert done == ([0, 0, 3] if world.name == "anthropic" else [1, 2, 3])


async def test_what_one_line_comes_to(world: World) -> None:
    no_usage = await world.outcome_of(Say("Hi.", tells_usage=False))
    assert isinstance(no_usage, FateUnknown)
    assert (no_usage.kind, no_usage.reply and no_usage.reply.text) == (FaultKind.NO_USAGE, "Hi.")
    tools = await world.outcome_of(Say("Let me look.", tools=CALLS))
    assert isinstance(tools, Completed)
    assert (tools.reply.text, tools.reply.finish) == ("Let me look.", FinishReason.TOOLS)
    assert [(c.id, c.name, json.loads(c.arguments)) for c in tools.reply.tool_calls] == [
        (c.id, c.name, json.loads(c.arguments)) for c in CALLS
    ]
    refused = await world.outcome_of(Fault(400, "because"))
    assert isinstance(refused, NotRun)
    assert refused.kind is FaultKind.REJECTED
    assert "because" in refused.why
    expired = await world.outcome_of(Expired())
    assert isinstance(expired, NotRun)
    garbled = await world.outcome_of(Garbled(b'{"custom_id":"a","result":', Usage(3, 4)))
    assert isinstance(garbled, FateUnknown)


async def test_an_error_on_the_way_is_billed_by_one_and_not_by_the_other(world: World) -> None:
    outcome = await world.outcome_of(Fault(500, "broke down"))
    assert isinstance(outcome, NotRun if world.name == "anthropic" else FateUnknown)
    assert outcome.kind is FaultKind.SERVER


async def test_the_most_that_a_line_can_use_is_within_the_bound(world: World) -> None:
    world.behind.book.standing = Say("on and on", at_bound=True)
    made = await world.submit("a")
    await world.look(made)
    ((_, outcome),) = cast("list[tuple[str, Outcome]]", await world.results(made))
    assert isinstance(outcome, Completed)
    assert outcome.usage.input_tokens <= input_bound(world.items("a")[0].prepared.size, FREE)
    assert (outcome.usage.output_tokens, outcome.reply.finish) == (500, FinishReason.LENGTH)


async def test_a_canceled_batch(world: World) -> None:
    world.behind.book.looks = 3
    made = await world.submit("a", "b", "c", "d")
    await world.look(made)
    canceled = await world.server.cancel(made.id, PATIENCE_S)
    assert isinstance(canceled, RemoteBatch)
    assert canceled.state is RemoteState.CANCELING
    ended = await world.look(made)
    assert (ended.state, ended.done, ended.failed) == (RemoteState.ENDED, 1, 3)
    outcomes = dict(cast("list[tuple[str, Outcome]]", await world.results(made)))
    assert isinstance(outcomes.pop("a"), Completed)
    assert [type(outcome) for outcome in outcomes.values()] == [NotRun] * 3
    assert len(world.behind.bill) == 1
    again = await world.server.cancel(made.id, PATIENCE_S)
    assert isinstance(again, NotTaken)
    assert (again.certain, again.again_s) == (True, None)


async def test_what_was_made_lately(world: World) -> None:
    made = [await world.submit("a", mark=f"our-{number}") for number in range(3)]
    lately = await world.server.recent(made[0].created_ms, PATIENCE_S)
    assert isinstance(lately, list)
    assert [batch.id for batch in lately] == [batch.id for batch in reversed(made)]
    assert [batch.ours for batch in lately] == (
        ["our-2", "our-1", "our-0"] if world.keeps_marks else [""] * 3
    )
    assert await world.server.recent(made[-1].created_ms + 2000, PATIENCE_S) == []


async def test_a_submission_that_was_cut_off_can_be_found(world: World) -> None:
    world.behind.book.script("submit", CutOff())
    outcome = await world.server.submit(world.items("a", "b"), "our-7", PATIENCE_S)
    assert isinstance(outcome, NotTaken)
    assert (outcome.certain, outcome.again_s) == (False, batch_calls.AGAIN_S)
    found = await world.server.recent(0, PATIENCE_S)
    assert isinstance(found, list)
    assert [(batch.total, batch.ours) for batch in found] == [(2, "our-7" if world.keeps_marks else "")]


@pytest.mark.parametrize("call", CALLS_OF_ALL)
async def test_a_call_that_comes_to_nothing(world: World, call: Call) -> None:
    made = await world.submit("a")
    await world.look(made)
    world.behind.book.script(call, Fault(429, f"slow down, {KEY}", retry_after="7"), Fault(400), Fault(503))
    too_many, wrong, busy = [await world.call(call) for _ in range(3)]
    assert isinstance(too_many, NotTaken)
    assert (too_many.certain, too_many.again_s) == (True, 7.0)
    assert world.name == "fake" or KEY not in too_many.why
    assert isinstance(wrong, NotTaken)
    assert (wrong.certain, wrong.again_s) == (True, None)
    assert isinstance(busy, NotTaken)
    assert (busy.certain, busy.again_s) == (True, batch_calls.AGAIN_S)
    assert len(world.behind.book.made) == 1


@pytest.mark.parametrize("call", CALLS_OF_ALL)
async def test_a_call_of_which_nobody_knows(world: World, call: Call) -> None:
    troubles: list[Trouble] = [Fault(500), Drop(), CutOff()]
    for made_so_far, trouble in enumerate(troubles):
        made = await world.submit("a")
        if call == "results":
            await world.look(made)
        world.behind.book.script(call, *[trouble] * world.asked(call, trouble))
        told = await world.call(call, made.id)
        assert isinstance(told, NotTaken)
        assert (told.certain, told.again_s) == (False, batch_calls.AGAIN_S)
        done = isinstance(trouble, CutOff)
        assert len(world.behind.book.made) == made_so_far + 1 + (done and call == "submit")
        canceled = world.behind.book.made[made.id].state is RemoteState.CANCELING
        assert canceled == (done and call == "cancel")


async def test_results_that_break_off_tell_what_came(world: World) -> None:
    made = await world.submit("a", "b", "c")
    await world.look(made)
    world.behind.book.script("results", CutOff(lines=2))
    *whole, last = await world.results(made)
    assert all(isinstance(told, tuple) for told in whole)
    assert isinstance(last, NotTaken)
    assert len(whole) <= 2
    assert len(await world.results(made)) == 3


async def test_a_batch_that_nobody_knows(world: World) -> None:
    unknown = RemoteBatch("batch/../7", RemoteState.ENDED)
    outcomes = [
        await world.server.look(unknown.id, PATIENCE_S),
        await world.server.cancel(unknown.id, PATIENCE_S),
        *await world.results(unknown),
    ]
    assert len(outcomes) == 3
    for outcome in outcomes:
        assert isinstance(outcome, NotTaken)
        assert (outcome.certain, outcome.again_s) == (True, None)


async def test_no_results_before_the_end(world: World) -> None:
    world.behind.book.looks = None
    made = await world.submit("a")
    (told,) = await world.results(made)
    assert isinstance(told, NotTaken)
    assert world.behind.bill == []
