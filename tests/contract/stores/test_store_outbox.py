"""Replies out: the table of legal steps, and what a restart does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from runner.errors import IllegalStep
from runner.ports.mail import LEGAL_OUTBOX_STEPS, NewOutbound, OutboxState
from runner.ports.stores import Recovery, Store
from runner.store.rules import MOST_CRASHES
from tests.contract.stores.conftest import Again
from tests.contract.stores.examples import answer, inbound

PENDING, SENDING, SENT, REJECTED, LOST = OutboxState


async def part_in(store: Store, state: OutboxState) -> int:
    """A stored part in that state."""
    first = {PENDING: PENDING, SENT: SENT}.get(state, SENDING)
    [part] = await answer(store, inbound(f"for {state}"), parts=1, first_state=first)
    if state in (REJECTED, LOST):
        await store.end_sending(part, state)
    return part


@asynccontextmanager
async def restarted(store: Store, again: Again) -> AsyncIterator[Store]:
    """The store as the next process finds it."""
    await store.close()
    later = again()
    await later.open()
    try:
        yield later
    finally:
        await later.close()


async def state_of(store: Store, part: int) -> OutboxState:
    [found] = [one for one in await store.answers(1) if one.id == part]
    return found.state


@pytest.mark.parametrize("then", [SENT, REJECTED, LOST, PENDING])
async def test_a_send_ends(store: Store, then: OutboxState) -> None:
    part = await part_in(store, SENDING)
    await store.end_sending(part, then, "so it is", 55)
    [found] = await store.outgoing(then, 9)
    assert (found.id, found.state, found.why) == (part, then, "so it is")
    assert found.due_ms == (55 if then is PENDING else 0)


@pytest.mark.parametrize("now", list(OutboxState))
@pytest.mark.parametrize("then", list(OutboxState))
async def test_only_steps_of_the_table_are_taken(store: Store, now: OutboxState, then: OutboxState) -> None:
    part = await part_in(store, now)
    ends = now in (PENDING, SENDING) and then is not SENDING
    if ends and then in LEGAL_OUTBOX_STEPS[now]:
        await store.end_sending(part, then)
        assert await state_of(store, part) is then
    else:
        with pytest.raises(IllegalStep):
            await store.end_sending(part, then)
        assert await state_of(store, part) is now


async def test_sending_begins_for_all_or_none(store: Store) -> None:
    outbox = [NewOutbound("bot-1", "telegram", place, "hello") for place in ("here", "there", "there")]
    parts = await answer(store, inbound(), outbox=tuple(outbox), first_state=PENDING)
    await store.begin_sending(parts[:1])
    with pytest.raises(IllegalStep):
        await store.begin_sending([parts[1], parts[0]])
    assert [part.id for part in await store.outgoing(PENDING, 9)] == list(parts[1:])
    await store.begin_sending(parts[1:])
    assert [(part.id, part.tries) for part in await store.outgoing(SENDING, 9)] == [(p, 1) for p in parts]


@pytest.mark.parametrize("ids", [[99], [1, 1]])
async def test_sending_begins_for_parts_that_wait(store: Store, ids: list[int]) -> None:
    await answer(store, inbound(), parts=1, first_state=PENDING)
    with pytest.raises(IllegalStep):
        await store.begin_sending(ids)
    assert len(await store.outgoing(PENDING, 9)) == 1


async def test_each_try_is_counted(store: Store) -> None:
    [part] = await answer(store, inbound(), parts=1)
    await store.end_sending(part, PENDING, "429", 5)
    await store.begin_sending([part])
    [found] = await store.outgoing(SENDING, 9)
    assert found.tries == 2


async def test_outgoing_comes_by_id_in_pages(store: Store) -> None:
    first = await answer(store, inbound("e1"), parts=3)
    second = await answer(store, inbound("e2"), parts=2)
    page = await store.outgoing(SENDING, 4)
    assert [part.id for part in page] == [*first, second[0]]
    assert [part.id for part in await store.outgoing(SENDING, 4, page[-1].id)] == [second[1]]


async def test_answers_are_all_parts_of_one_reply_in_order(store: Store) -> None:
    await answer(store, inbound("e1"), parts=1)
    parts = await answer(store, inbound("e2"), parts=3)
    await store.end_sending(parts[1], REJECTED)
    assert [(part.id, part.payload) for part in await store.answers(2)] == [
        (number, f"part {n}") for n, number in enumerate(parts)
    ]
    assert await store.answers(3) == []


async def test_an_operator_sends_what_was_lost_again(store: Store) -> None:
    part = await part_in(store, LOST)
    await store.resend(part)
    [found] = await store.outgoing(PENDING, 9)
    assert (found.id, found.due_ms) == (part, 0)
    for number in (part, 99):
        with pytest.raises(IllegalStep):
            await store.resend(number)


async def test_restarts_send_again_and_then_ask(store: Store, again: Again) -> None:
    [part] = await answer(store, inbound("e1"), parts=1)
    done = await part_in(store, SENT)
    async with restarted(store, again) as later:
        assert await later.recover() == Recovery(sends_again=1)
        [found] = await later.outgoing(PENDING, 9)
        assert (found.id, found.crashes) == (part, 1)
        assert (await later.figures()).possibly_doubled == 1
        assert await later.recover() == Recovery()
        await later.begin_sending([part])
    for _ in range(MOST_CRASHES - 2):
        async with restarted(store, again) as later:
            assert await later.recover() == Recovery(sends_again=1)
            await later.begin_sending([part])
    async with restarted(store, again) as later:
        assert await later.recover() == Recovery(sends_unknown=1)
        [found] = await later.outgoing(LOST, 9)
        assert (found.id, found.crashes) == (part, MOST_CRASHES)
        assert found.why
        assert [one.id for one in await later.outgoing(SENT, 9)] == [done]


async def test_figures_count_what_is_not_sent(store: Store) -> None:
    for state in OutboxState:
        await part_in(store, state)
    figures = await store.figures()
    assert figures.outbox == {"pending": 1, "sending": 1, "rejected": 1, "unknown": 1}
    assert (figures.waiting, figures.possibly_doubled) == ({}, 0)
