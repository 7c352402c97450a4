"""Batches: kept with their holds or not at all; a start leaves what can still be learned."""

from dataclasses import replace
from typing import Any

import pytest

from runner.errors import IllegalStep
from runner.money.amounts import Money
from runner.money.budget import Busy, Counter, Exhausted, ScopeLimit
from runner.money.ledger import verify
from runner.money.reservation import ReservationState
from runner.money.usage import Usage
from runner.ports.batches import (
    FEATURE,
    Batch,
    BatchFigures,
    BatchLine,
    BatchState,
    Ending,
    Kept,
    LineEnd,
    OpenHold,
    attempt_id,
)
from runner.ports.books import Correction, Deposit, HoldRequest
from runner.ports.mail import StoredStep
from runner.ports.stores import Recovery, Store
from tests.contract.stores.conftest import Again
from tests.contract.stores.examples import (
    DAY,
    NOON,
    RELEASED,
    UNKNOWN,
    WANTED,
    attempt,
    held,
    quota,
    rows,
    scope,
    settled,
)

BOT = "bot:bot-1"
FULL = replace(WANTED, floor_tokens=WANTED.output_tokens)
"""1100 a line, and nothing less."""


def a_batch(name: str = "b1", lines: int = 3, **changes: Any) -> Batch:
    return replace(Batch(name, "bot-1", "openai", "small", NOON, lines), **changes)


def lines_of(batch: Batch) -> list[BatchLine]:
    return [BatchLine(n, f"mine {n}", f'{{"line":{n}}}', 1000) for n in range(1, batch.lines + 1)]


def holds_of(batch: Batch, *scopes: ScopeLimit) -> list[HoldRequest]:
    return [
        HoldRequest(
            attempt(attempt_id(batch.id, n), turn=batch.id, feature=FEATURE), scopes or (scope(),), FULL
        )
        for n in range(1, batch.lines + 1)
    ]


async def kept(store: Store, name: str = "b1", lines: int = 3, **changes: Any) -> Batch:
    """A batch that must be granted."""
    batch = a_batch(name, lines, **changes)
    made = await store.batches.add(batch, lines_of(batch), holds_of(batch))
    assert isinstance(made, Kept)
    assert made.fresh
    return made.batch


async def moved(store: Store, batch: Batch, *states: BatchState) -> Batch:
    for state in states:
        batch = await store.batches.save(replace(batch, state=state))
    return batch


async def books_are_right(store: Store) -> bool:
    return verify(await store.counters(), await rows(store)) == []


async def test_a_batch_is_kept_with_its_lines_and_holds(store: Store) -> None:
    made = await kept(store)
    assert made == a_batch(held=Money(3300))
    assert await store.batches.batch("b1") == made
    assert await store.batches.open_batches() == [made]
    assert await store.batches.lines("b1", 1, 10) == lines_of(made)[1:]
    assert await store.batches.lines("b1", 0, 1) == lines_of(made)[:1]
    assert await store.batches.open_holds("b1") == [OpenHold(n, Money(1100), 1100, 1000) for n in (1, 2, 3)]
    assert (await store.counters([BOT]))[BOT] == Counter(held=3300)
    assert await store.batches.figures(["b1", "b2"]) == {
        "b1": BatchFigures(open=3, held=Money(3300)),
        "b2": BatchFigures(),
    }
    assert await books_are_right(store)


@pytest.mark.parametrize(
    ("limit", "spent", "others", "refusal"),
    [
        (3299, 0, 0, Exhausted(BOT)),
        (1099, 0, 0, Exhausted(BOT)),
        (3499, 200, 0, Exhausted(BOT)),
        (4399, 0, 1, Busy(BOT)),
        (4599, 200, 1, Busy(BOT)),
        (3499, 200, 1, Exhausted(BOT)),
    ],
)
async def test_all_lines_are_held_or_none(
    store: Store, limit: int, spent: int, others: int, refusal: Busy | Exhausted
) -> None:
    if spent:
        await held(store, "a1")
        await store.settle(settled("a1", spent))
    for _ in range(others):
        await held(store, "a2")
    before = await store.counters(), await rows(store)
    batch = a_batch()
    result = await store.batches.add(batch, lines_of(batch), holds_of(batch, scope(limit=limit)))
    assert result == refusal
    if isinstance(result, Exhausted):
        assert (result.limit, result.gone) == (limit, spent)
    assert (await store.counters(), await rows(store)) == before
    assert await store.batches.batch("b1") is None
    assert await store.batches.lines("b1", 0, 10) == []


async def test_tokens_of_all_lines_are_held(store: Store) -> None:
    batch = a_batch()
    assert await store.batches.add(batch, lines_of(batch), holds_of(batch, quota(3299))) == Exhausted(
        quota(0).name
    )
    made = await store.batches.add(batch, lines_of(batch), holds_of(batch, quota(3300)))
    assert isinstance(made, Kept)


async def test_what_was_paid_in_holds_batches_too(store: Store) -> None:
    batch = a_batch()
    await store.deposit(Deposit("k", Money(3299), NOON))
    scopes = (scope(), ScopeLimit("wallet", None, funded=True))
    assert await store.batches.add(batch, lines_of(batch), holds_of(batch, *scopes)) == Exhausted("wallet")


async def test_the_same_key_is_one_batch(store: Store) -> None:
    first = await kept(store, key="digest@2026-01-01")
    again = a_batch("b2", 1, key="digest@2026-01-01")
    assert await store.batches.add(again, lines_of(again), holds_of(again)) == Kept(first, fresh=False)
    await kept(store, "b3", 1)
    await kept(store, "b4", 1)  # no key is no key
    assert [batch.id for batch in await store.batches.batches(None, 10)] == ["b4", "b3", "b1"]


async def test_an_id_is_used_once(store: Store) -> None:
    await kept(store)
    for other in (a_batch(), a_batch(lines=4)):
        with pytest.raises(IllegalStep):
            await store.batches.add(other, lines_of(other), holds_of(other))
    assert (await store.counters([BOT]))[BOT] == Counter(held=3300)
    assert len(await store.batches.lines("b1", 0, 10)) == 3


async def test_lines_without_a_hold_are_no_batch(store: Store) -> None:
    batch = a_batch()
    for lines, holds in (
        (lines_of(batch), holds_of(batch)[:2]),
        (lines_of(batch)[1:], holds_of(batch)),
        (lines_of(batch), [replace(each, attempt=attempt("x")) for each in holds_of(batch)]),
    ):
        with pytest.raises(ValueError, match="b1"):
            await store.batches.add(batch, lines, holds)
    assert await rows(store) == []


async def test_a_refused_batch_is_remembered_only(store: Store) -> None:
    refused = a_batch(state=BatchState.REFUSED, key="k", label="digest", why="no money", ended_ms=NOON)
    assert await store.batches.add(refused, [], []) == Kept(refused, fresh=True)
    assert await store.batches.open_batches() == []


async def test_a_batch_goes_the_way_of_its_table(store: Store) -> None:
    batch = await kept(store)
    for wrong in (BatchState.RUNNING, BatchState.DONE, BatchState.REFUSED):
        with pytest.raises(IllegalStep):
            await store.batches.save(replace(batch, state=wrong))
    batch = await moved(store, batch, BatchState.SUBMITTING, BatchState.HELD, BatchState.SUBMITTING)
    running = replace(batch, state=BatchState.RUNNING, remote="r1", submitted_ms=NOON + 1, why="")
    assert await store.batches.save(running) == running
    assert await store.batches.save(replace(running, reached=2)) == replace(running, reached=2)
    assert await store.batches.remotes() == {"r1"}
    ended = await store.batches.save(
        replace(running, state=BatchState.ENDED, ending=Ending.RESULTS, reached=3)
    )
    done = replace(ended, state=BatchState.DONE, ended_ms=NOON + 2)
    assert await store.batches.save(done) == done
    for wrong in BatchState:
        with pytest.raises(IllegalStep):
            await store.batches.save(replace(done, state=wrong))
    with pytest.raises(IllegalStep):
        await store.batches.save(a_batch("b9"))
    assert await store.batches.open_batches() == []


async def test_whoever_asks_to_stop_is_not_overwritten(store: Store) -> None:
    batch = await kept(store)
    assert await store.batches.ask_cancel("b1") == replace(batch, cancel=True)
    saved = await store.batches.save(replace(batch, state=BatchState.SUBMITTING))
    assert saved.cancel
    over = await moved(store, saved, BatchState.ENDED, BatchState.DONE)
    assert await store.batches.ask_cancel("b1") == over
    await kept(store, "b2", 1)
    done = await moved(store, (await store.batches.open_batches())[0], BatchState.ENDED, BatchState.DONE)
    assert await store.batches.ask_cancel("b2") == done
    assert not done.cancel
    assert await store.batches.ask_cancel("b9") is None


async def test_lines_end_once_each(store: Store) -> None:
    await kept(store)
    step = StoredStep(1, '{"kind":"reply"}')
    ends = [
        settled("b1-1", 300, step=step),
        replace(settled("b1-2"), state=RELEASED, cost=None, usage=Usage()),
    ]
    first = await store.batches.settle_lines(ends)
    assert [end and end.amount for end in first] == [300, 0]
    again = await store.batches.settle_lines([settled("b1-1", 999, step=step), settled("b1-3", 400)])
    assert [end and end.amount for end in again] == [None, 400]
    assert (await store.counters([BOT]))[BOT] == Counter(settled=700)
    assert await store.batches.open_holds("b1") == []
    one, two, three = await store.batches.line_ends("b1", 0, 10)
    assert one == LineEnd(
        1, "mine 1", ReservationState.SETTLED, Money(300), Usage(100, 600), "end", "", step.payload
    )
    assert (two.state, two.cost, two.reply) == (RELEASED, 0, "")
    assert (three.cost, three.reply) == (400, "")
    assert await store.batches.line_ends("b1", 2, 10) == [three]
    figures = (await store.batches.figures(["b1"]))["b1"]
    assert figures == BatchFigures(settled=2, released=1, cost=Money(700), usage=Usage(200, 1200))
    assert await books_are_right(store)


async def test_an_end_of_nothing_ends_nothing(store: Store) -> None:
    await kept(store)
    with pytest.raises(IllegalStep):
        await store.batches.settle_lines([settled("b1-1"), settled("b1-4")])
    assert len(await store.batches.open_holds("b1")) == 3
    assert (await store.counters([BOT]))[BOT] == Counter(held=3300)


async def test_corrections_count_in_a_batch_as_well(store: Store) -> None:
    await kept(store, lines=1)
    await store.batches.settle_lines([replace(settled("b1-1"), state=UNKNOWN, cost=None, usage=Usage())])
    await store.correct(Correction("b1-1", Money(7), "the bill", NOON))
    figures = (await store.batches.figures(["b1"]))["b1"]
    assert figures == BatchFigures(unknown=1, cost=Money(7))


@pytest.mark.parametrize(
    "states",
    [
        (),
        (BatchState.SUBMITTING,),
        (BatchState.SUBMITTING, BatchState.RUNNING),
        (BatchState.SUBMITTING, BatchState.RUNNING, BatchState.ENDED),
    ],
)
async def test_a_start_leaves_the_holds_of_open_batches(
    again: Again, store: Store, states: tuple[BatchState, ...]
) -> None:
    batch = await moved(store, await kept(store), *states)
    await held(store, "t1-1")
    await held(store, "t1-2", turn="b1")  # a chat's turn that is called like a batch
    await store.close()
    later = again()
    await later.open()
    assert await later.recover() == Recovery(holds_unknown=2)
    assert await later.batches.open_batches() == [batch]
    assert len(await later.batches.open_holds("b1")) == 3
    assert (await later.counters([BOT]))[BOT] == Counter(unknown=2200, held=3300)
    assert await books_are_right(later)
    await later.batches.settle_lines([settled("b1-2", 10)])
    assert await later.recover() == Recovery()
    await later.close()


async def test_what_a_batch_that_is_over_left_held_is_unknown(store: Store) -> None:
    await moved(store, await kept(store), BatchState.ENDED, BatchState.DONE)
    assert await store.recover() == Recovery(holds_unknown=3)
    assert await books_are_right(store)


async def test_what_was_said_in_old_batches_is_forgotten(store: Store) -> None:
    for name in ("b1", "b2"):
        await kept(store, name, 1)
        await store.batches.settle_lines([settled(f"{name}-1", step=StoredStep(1, "{}"))])
    over = replace((await store.batches.open_batches())[0], state=BatchState.ENDED, ended_ms=NOON)
    await moved(store, over, BatchState.ENDED, BatchState.DONE)
    assert await store.prune(0, NOON) == 0
    assert await store.prune(0, NOON + DAY) == 2
    assert await store.batches.lines("b1", 0, 10) == []
    assert await store.batches.line_ends("b1", 0, 10) == []
    assert len(await store.batches.line_ends("b2", 0, 10)) == 1  # it is open
    assert (await store.batches.figures(["b1"]))["b1"].settled == 1
    assert await store.prune(0, NOON + DAY) == 0


async def test_runs_of_schedules_are_remembered(again: Again, store: Store) -> None:
    assert await store.batches.last_run("bot-1", "digest") is None
    await store.batches.set_last_run("bot-1", "digest", NOON)
    await store.batches.set_last_run("bot-1", "digest", NOON + 1)
    await store.batches.set_last_run("bot-2", "digest", NOON)
    await store.close()
    later = again()
    await later.open()
    assert await later.batches.last_run("bot-1", "digest") == NOON + 1
    await later.close()
