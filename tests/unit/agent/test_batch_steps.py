"""A batch's life, step by step: handed in once, found again, settled by its results, to the pico-dollar."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from runner.agent.batch_meter.opening import NotOpened
from runner.agent.batch_meter.steps import SUBMIT_S, SURE_S
from runner.bots import BillingMode, Secret
from runner.money.amounts import Money
from runner.money.budget import Counter
from runner.money.prices import PriceBook
from runner.money.reservation import ReservationState
from runner.money.scopes import Period
from runner.money.terms import Cap, Per
from runner.money.usage import Usage
from runner.ports.batches import Batch, BatchState, Kept
from runner.ports.dialogue import NO_CACHE
from runner.ports.observer import BoundBroken, CallEnded, LimitUsed, SpendRefused
from runner.store.memory import MemoryStore
from runner.testing.batch_server import FakeBatchServer
from runner.testing.clock import ManualClock
from runner.testing.model_batches import CutOff, Expired
from runner.testing.model_script import Drop, Fault, Hang, Say
from runner.testing.scenes import a_book, a_bot, a_price
from tests.unit.agent.batch_world import HALF, PRICE, BatchWorld, a_prompt

HELD, SUBMITTING, RUNNING, ENDED = (
    BatchState.HELD,
    BatchState.SUBMITTING,
    BatchState.RUNNING,
    BatchState.ENDED,
)
DONE, FAILED, CANCELED = BatchState.DONE, BatchState.FAILED, BatchState.CANCELED
SETTLED, RELEASED, UNKNOWN = ReservationState.SETTLED, ReservationState.RELEASED, ReservationState.UNKNOWN


async def a_world(*, marks: bool = True, **changes: Any) -> BatchWorld:
    clock, store = ManualClock(), MemoryStore()
    await store.open()
    return BatchWorld(store, FakeBatchServer(clock, keeps_marks=marks), clock, **changes)


@pytest.fixture
async def world() -> BatchWorld:
    return await a_world()


async def states(world: BatchWorld, name: str = "b0") -> list[ReservationState]:
    return [row.state for row in await world.rows() if row.attempt.turn == name]


async def test_a_batch_is_held_handed_in_and_settled(world: BatchWorld) -> None:
    world.server.book.looks = 2
    batch = await world.opened()
    rows = await world.rows()
    assert [row.attempt.id for row in rows] == ["b0-1", "b0-2", "b0-3"]
    assert {(row.attempt.feature, row.attempt.turn, row.attempt.route) for row in rows} == {
        ("batch", "b0", "default")
    }
    assert batch.held == sum(row.hold for row in rows)
    assert (await world.store.counters(["bot:bot"]))["bot:bot"] == Counter(held=batch.held)

    batch = await world.step(batch)
    assert (batch.state, batch.remote) == (RUNNING, "batch_1")
    [items] = world.server.submitted
    assert [item.custom_id for item in items] == ["b0-1", "b0-2", "b0-3"]
    request = items[0].prepared.body
    assert (request.system, request.temperature, request.tools) == ("You are brief.", 0.5, ())
    assert request.cache == NO_CACHE
    assert items[0].max_output_tokens == world.bot.limits.max_output_tokens

    batch = await world.step(batch)
    assert (batch.state, batch.reached) == (RUNNING, 1)
    batch = await world.through(batch)
    assert (batch.state, batch.reached, batch.why) == (DONE, 3, "")
    rows = await world.rows()
    assert [row.state for row in rows] == [SETTLED] * 3
    assert sum(row.cost for row in rows) == world.billed() > 0
    assert HALF is not None
    assert [row.cost for row in rows] == [HALF.cost(row.usage) for row in rows]
    ends = await world.store.batches.line_ends("b0", 0, 10)
    assert [end.custom_id for end in ends] == ["mine 1", "mine 2", "mine 3"]
    assert all(json.loads(end.reply)["reply"]["text"] for end in ends)
    assert [row.answered for row in world.server.bill] == [True] * 3
    assert len(world.observer.of(CallEnded)) == 3


async def test_what_a_line_sends_is_fixed_with_its_hold(world: BatchWorld) -> None:
    prompts = [a_prompt(1, system="Rhyme.", max_output_tokens=7)]
    kept = await world.open(prompts)
    assert isinstance(kept, Kept)
    world.roster.add(replace(world.bot, system_prompt="Something long." * 1000, temperature=None))
    world.book = PriceBook("empty")
    world.life()
    assert (await world.through(kept.batch)).state is DONE
    [[item]] = world.server.submitted
    assert (item.prepared.body.system, item.prepared.body.temperature) == ("Rhyme.", 0.5)
    assert item.max_output_tokens == 7
    [row] = await world.rows()
    assert row.cost == world.billed()


@pytest.mark.parametrize(("limit", "kind"), [(10, "limit"), (None, "")], ids=["too little", "enough"])
async def test_no_batch_without_money_for_all_of_it(world: BatchWorld, limit: int | None, kind: str) -> None:
    world.roster.caps["bot"] = None if limit is None else Money(limit)
    opened = await world.open([a_prompt(1), a_prompt(2)])
    if isinstance(opened, NotOpened):
        assert opened.kind == kind
        assert await world.rows() == []
        assert [told.kind for told in world.observer.of(SpendRefused)] == ["batch"]
    else:
        assert limit is None
    assert world.server.submitted == []


async def test_money_that_others_hold_is_not_spent_money(world: BatchWorld) -> None:
    first = await world.opened(1)
    world.roster.caps["bot"] = Money(first.held * 3 - 1)
    opened = await world.open([a_prompt(1), a_prompt(2)], "b1")
    assert isinstance(opened, NotOpened)
    assert opened.kind == "busy"
    assert [told.kind for told in world.observer.of(SpendRefused)] == ["busy"]
    await world.through(first)
    assert isinstance(await world.open([a_prompt(1), a_prompt(2)], "b1"), Kept)


@pytest.mark.parametrize(
    ("book", "why"),
    [
        (PriceBook("empty"), "fake/model-1 has no price"),
        (a_book(a_price()), "fake/model-1 has no price for batches"),
    ],
)
async def test_a_model_without_a_batch_price_is_refused(book: PriceBook, why: str) -> None:
    world = await a_world(book=book)
    assert await world.open([a_prompt(1)]) == NotOpened("unserved", why)


async def test_a_provider_without_batches_is_refused(world: BatchWorld) -> None:
    world.shelf.server = None
    assert await world.open([a_prompt(1)]) == NotOpened("unserved", "fake runs no batches")


async def test_caps_of_a_message_hold_for_each_line_by_itself(world: BatchWorld) -> None:
    one = (await world.opened(1)).held
    limits = replace(world.bot.limits, max_cost_per_message=Money(one + 100))
    users = (Cap(Per.USER, Period.DAY, Money(1)), Cap(Per.BOT, Period.MONTH, Money(one * 20)))
    world.roster.add(replace(world.bot, limits=limits, caps=users))
    world.bot = world.roster.bots["bot"]
    batch = await world.opened(5, "b1")
    row = next(row for row in await world.rows() if row.attempt.turn == "b1")
    assert [name.partition(":")[0] for name in row.scopes] == ["bot", "bot", "message"]
    assert row.scopes[2] == "message:b1-1"
    await world.through(batch)
    assert world.observer.of(LimitUsed) == []


async def test_an_operator_hears_how_far_the_limits_are_used(world: BatchWorld) -> None:
    batch = await world.opened(1)
    world.roster.caps["bot"] = batch.held
    world.server.book.standing = Fault(500)
    await world.through(batch)
    assert await states(world) == [UNKNOWN]
    [told] = world.observer.of(LimitUsed)
    assert (told.scope, told.percent, told.gone) == ("bot:bot", 100, batch.held)


async def test_lines_that_did_not_run_cost_nothing(world: BatchWorld) -> None:
    world.server.book.fates = {"b0-1": Expired(), "b0-2": Fault(400)}
    batch = await world.through(await world.opened())
    assert batch.state is DONE
    assert await states(world) == [RELEASED, RELEASED, SETTLED]
    assert (await world.store.counters(["bot:bot"]))["bot:bot"] == Counter(settled=world.billed())


async def test_a_line_without_a_usage_is_unknown_and_its_answer_is_kept(world: BatchWorld) -> None:
    world.server.book.fates = {"b0-1": Say("well", tells_usage=False)}
    batch = await world.through(await world.opened(1))
    [row] = await world.rows()
    assert (row.state, row.cost) == (UNKNOWN, batch.held)
    [end] = await world.store.batches.line_ends("b0", 0, 10)
    assert json.loads(end.reply)["reply"]["text"] == "well"


async def test_a_line_that_costs_more_than_was_held_is_recorded_and_its_model_set_aside(
    world: BatchWorld,
) -> None:
    world.server.book.fates = {"b0-1": Say("dear", usage=Usage(10_000_000, 10))}
    batch = await world.through(await world.opened(2))
    first, _ = await world.rows()
    assert (first.state, first.cost > first.hold) == (SETTLED, True)
    assert sum(row.cost for row in await world.rows()) == world.billed()
    assert [told.attempt for told in world.observer.of(BoundBroken)] == ["b0-1"]
    assert batch.state is DONE
    opened = await world.open([a_prompt(1)], "b1")
    assert opened == NotOpened("unserved", "fake/model-1 charged more than its bound")
    assert [aside.model for aside in await world.store.quarantined()] == ["model-1"]


# ── handing in ───────────────────────────────────────────────────────────────────────────────────────────
async def test_what_was_certainly_not_taken_is_handed_in_again_later(world: BatchWorld) -> None:
    world.server.book.script("submit", Fault(429, retry_after="7"), Fault(503))
    batch = await world.opened()
    stepped = await world.meter.step(batch)
    assert (stepped.batch.state, stepped.wait_s) == (HELD, 7.0)
    assert "429" in stepped.batch.why
    batch = await world.through(stepped.batch)
    assert (batch.state, batch.why) == (DONE, "")
    assert len(world.server.submitted) == 3
    assert len(world.server.bill) == 3


async def test_what_is_refused_for_good_is_let_go(world: BatchWorld) -> None:
    world.server.book.script("submit", Fault(400, message="no such model"))
    batch = await world.through(await world.opened())
    assert (batch.state, "no such model" in batch.why) == (FAILED, True)
    assert await states(world) == [RELEASED] * 3
    assert (await world.store.counters(["bot:bot"]))["bot:bot"] == Counter()


async def test_a_batch_that_fails_as_a_whole_is_let_go(world: BatchWorld) -> None:
    world.server.book.invalid = "line 2 is odd"
    batch = await world.through(await world.opened())
    assert (batch.state, batch.why) == (FAILED, "line 2 is odd")
    assert await states(world) == [RELEASED] * 3


@pytest.mark.parametrize("marks", [True, False])
async def test_what_arrived_unheard_is_found_again(*, marks: bool) -> None:
    world = await a_world(marks=marks)
    world.server.book.script("submit", CutOff())
    world.server.book.script("recent", Fault(500), Drop())
    batch = await world.step(await world.opened())
    assert (batch.state, "not known whether it arrived" in batch.why) == (SUBMITTING, True)
    batch = await world.through(batch)
    assert batch.state is DONE
    assert len(world.server.submitted) == 1
    assert sum(row.cost for row in await world.rows()) == world.billed()


@pytest.mark.parametrize("trouble", [Drop(), Hang()])
async def test_what_never_arrived_is_handed_in_again_once_that_is_certain(trouble: Drop | Hang) -> None:
    world = await a_world(marks=False)
    world.server.book.script("submit", trouble)
    batch = await world.opened()
    async with asyncio.TaskGroup() as tasks:
        stepping = tasks.create_task(world.step(batch), name="step")
        if isinstance(trouble, Hang):
            await world.clock.asleep()
            world.clock.advance(SUBMIT_S)
    batch = stepping.result()
    assert batch.state is SUBMITTING
    first = world.clock.monotonic()
    while batch.state is SUBMITTING:
        assert len(world.server.submitted) == 1
        batch = await world.step(batch)
    assert world.clock.monotonic() - first >= SURE_S
    assert (batch.state, batch.why) == (HELD, "it never arrived")
    assert (await world.through(batch)).state is DONE
    assert len(world.server.bill) == 3


async def test_a_stranger_of_the_same_size_is_not_taken_for_ours() -> None:
    world = await a_world(marks=False)
    other = await world.opened(3, "b9")
    await world.step(other)
    world.server.book.looks = None
    stranger = replace(await world.opened(3, "b8"), id="b8")
    await world.step(stranger)  # known to the store: no candidate
    world.server.book.made["batch_3"] = replace(
        world.server.book.made["batch_2"],
        id="batch_3",
        lines=[
            replace(line, custom_id=f"x-{n}")
            for n, line in enumerate(world.server.book.made["batch_2"].lines)
        ],
    )
    world.server.book.script("submit", Drop())
    batch = await world.step(await world.opened())
    for _ in range(20):
        batch = await world.step(batch)
    assert (batch.state, "may be it" in batch.why) == (SUBMITTING, True)
    assert len(world.server.submitted) == 3
    world.server.book.end("batch_3")
    world.server.book.looks = 1
    batch = await world.through(batch)
    assert (batch.state, batch.remote) == (DONE, "batch_4")
    assert len(world.server.submitted) == 4


# ── the end ──────────────────────────────────────────────────────────────────────────────────────────────
async def test_results_that_break_off_are_asked_for_again_and_settle_once(world: BatchWorld) -> None:
    world.server.book.script("results", CutOff(lines=2), Fault(500), CutOff(lines=1))
    batch = await world.opened()
    while batch.state is not ENDED:
        batch = await world.step(batch)
    batch = await world.step(batch)
    assert (await states(world)).count(SETTLED) == 2
    assert "its results could not be had" in batch.why
    assert (await world.through(batch)).state is DONE
    assert sum(row.cost for row in await world.rows()) == world.billed()
    assert len(world.observer.of(CallEnded)) == 3


async def test_lines_that_the_results_leave_out_are_unknown(world: BatchWorld) -> None:
    batch = await world.opened()
    while batch.state is not ENDED:
        batch = await world.step(batch)
    lost = world.server.book.made["batch_1"].lines.pop()
    batch = await world.through(batch)
    assert batch.state is DONE
    assert (lost.custom_id, await states(world)) == ("b0-3", [SETTLED, SETTLED, UNKNOWN])
    assert (await world.rows())[2].why == "the results tell nothing of this line"


async def test_a_batch_that_was_not_handed_in_is_canceled_without_a_word(world: BatchWorld) -> None:
    await world.opened()
    batch = await world.store.batches.ask_cancel("b0")
    assert batch is not None
    world.shelf.server = None
    batch = await world.through(batch)
    assert batch.state is CANCELED
    assert await states(world) == [RELEASED] * 3
    assert world.server.calls == []


async def test_a_running_batch_is_canceled_and_what_ran_is_paid(world: BatchWorld) -> None:
    world.server.book.looks = 3
    world.server.book.script("cancel", Fault(500))
    batch = await world.step(await world.opened())
    batch = await world.step(batch)
    await world.store.batches.ask_cancel("b0")
    batch = await world.through(await world.known("b0"))
    assert batch.state is CANCELED
    assert sorted(await states(world)) == [RELEASED, RELEASED, SETTLED] or batch.reached > 1
    assert sum(row.cost for row in await world.rows()) == world.billed() > 0


async def test_what_nobody_can_be_asked_about_is_unknown_once_it_is_canceled(world: BatchWorld) -> None:
    batch = await world.step(await world.opened())
    world.server.book.made.clear()
    batch = await world.step(batch)
    assert (batch.state, "could not be asked for" in batch.why) == (RUNNING, True)
    await world.store.batches.ask_cancel("b0")
    batch = await world.through(await world.known("b0"))
    assert batch.state is FAILED
    assert await states(world) == [UNKNOWN] * 3


async def test_a_bots_own_key_goes_with_its_batches(world: BatchWorld) -> None:
    key = Secret("sk-own")
    world.bot = world.roster.add(a_bot(billing_mode=BillingMode.BYOK, llm_api_key=key))
    batch = await world.opened(1)
    [row] = await world.rows()
    assert (row.attempt.billing_mode, row.scopes) == ("byok", ("bot:bot",))
    world.roster.remove("bot")
    batch = await world.step(batch)
    assert (batch.state, batch.why) == (HELD, "bot bot has no key of its own for fake any more")
    world.roster.add(world.bot)
    await world.through(batch)
    assert set(world.shelf.asked) == {key}


def test_the_price_of_the_tests_is_odd() -> None:
    assert HALF is not None
    assert HALF.rates.input * 2 != PRICE.rates.input


async def test_a_batch_of_thousands_ends_in_pieces(world: BatchWorld) -> None:
    batch = await world.through(await world.opened(250))
    assert batch.state is DONE
    assert sum(row.cost for row in await world.rows()) == world.billed()
    assert isinstance(batch, Batch)
