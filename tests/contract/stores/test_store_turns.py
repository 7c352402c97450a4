"""Turns: all of an end or nothing of it, once; what survives an interrupted one."""

from dataclasses import replace

import pytest

from runner.errors import IllegalStep
from runner.ports.mail import ConversationState, NewOutbound, OutboxState, StoredStep
from runner.ports.stores import Store, TurnRecord
from tests.contract.stores.conftest import Again
from tests.contract.stores.examples import NOON, answer, finished, held, inbound, settled, work_on


async def test_the_next_message_finds_what_was_said(store: Store) -> None:
    await answer(store, inbound("e1"), "hello", "hello you")
    await store.accept(inbound("e2"))
    work = await work_on(store)
    assert work.conversation == ConversationState("c1", NOON, NOON, first_seq=0, next_seq=2)
    assert work.history == ("hello", "hello you")


async def test_messages_are_numbered_on(store: Store) -> None:
    await answer(store, inbound("e1"), "1", "2")
    await answer(store, inbound("e2"), "3")
    await answer(store, inbound("e3"))
    await store.accept(inbound("e4"))
    work = await work_on(store)
    assert work.history == ("1", "2", "3")
    assert work.conversation is not None
    assert work.conversation.next_seq == 3


async def test_history_begins_where_the_window_does(store: Store) -> None:
    await answer(store, inbound("e1"), "1", "2", "3", "4")
    await store.accept(inbound("e2"))
    work = await work_on(store)
    assert work.conversation is not None
    moved = replace(work.conversation, first_seq=2, next_seq=5, last_ms=NOON + 5)
    async with store.lane("lane-1") as session:
        assert session is not None
        await session.finish(finished(work, "5", conversation=moved))
    await store.accept(inbound("e3"))
    work = await work_on(store)
    assert (work.conversation, work.history) == (moved, ("3", "4", "5"))


async def test_a_new_id_starts_a_new_conversation(store: Store) -> None:
    await answer(store, inbound("e1"), "old")
    fresh = ConversationState("another", NOON + 1, NOON + 1, next_seq=1)
    await answer(store, inbound("e2"), "new", conversation=fresh)
    await store.accept(inbound("e3"))
    work = await work_on(store)
    assert (work.conversation, work.history) == (fresh, ("new",))


async def test_lanes_have_conversations_of_their_own(store: Store) -> None:
    await answer(store, inbound("e1", lane="a"), "in a")
    await store.accept(inbound("e2", lane="b"))
    assert (await work_on(store, "b")).conversation is None


async def test_a_turn_is_finished_once(store: Store) -> None:
    await store.accept(inbound("e1"))
    work = await work_on(store)
    async with store.lane("lane-1") as session:
        assert session is not None
        await session.finish(finished(work, "said once", parts=1))
        with pytest.raises(IllegalStep):
            await session.finish(finished(work, "said twice", parts=1, report='{"second":1}'))
    await store.accept(inbound("e2"))
    assert (await work_on(store)).history == ("said once",)
    assert len(await store.answers(work.inbox_id)) == 1
    record = await store.turn(work.turn)
    assert record is not None
    assert record.report == "{}"


async def test_a_message_that_was_never_accepted_is_not_finished(store: Store) -> None:
    await store.accept(inbound("e1"))
    work = await work_on(store)
    async with store.lane("lane-1") as session:
        assert session is not None
        with pytest.raises(IllegalStep):
            await session.finish(finished(replace(work, inbox_id=77, turn="t77"), "x", parts=1))
    assert await store.turn("t77") is None
    assert await store.answers(77) == []
    assert (await work_on(store)).conversation is None


async def test_a_finished_turn_can_be_looked_up(store: Store) -> None:
    await answer(store, inbound("e1"), report='{"cost":1}', stop_reason="budget", at_ms=NOON + 3)
    assert await store.turn("t1") == TurnRecord(
        turn="t1",
        bot="bot-1",
        channel="telegram",
        conversation="c1",
        user="anna",
        stop_reason="budget",
        at_ms=NOON + 3,
        report='{"cost":1}',
    )
    assert await store.turn("t2") is None


async def test_an_interrupted_turn_finds_its_steps(store: Store, again: Again) -> None:
    await store.accept(inbound("e1"))
    work = await work_on(store)
    async with store.lane("lane-1") as session:
        assert session is not None
        await session.save_step(work.turn, StoredStep(0, "reply"))
        await session.save_step(work.turn, StoredStep(1, "tool results"))
    await held(store, "t1.a1", turn=work.turn)
    await held(store, "t1.a2", turn=work.turn)
    await held(store, "t2.a1", turn="t2")
    await store.close()
    later = again()
    await later.open()
    try:
        work = await work_on(later)
        assert work.steps == (StoredStep(0, "reply"), StoredStep(1, "tool results"))
        assert work.attempts_used == 2
    finally:
        await later.close()


async def test_a_step_is_saved_once(store: Store) -> None:
    await store.accept(inbound("e1"))
    async with store.lane("lane-1") as session:
        assert session is not None
        await session.save_step("t1", StoredStep(0, "first"))
        with pytest.raises(IllegalStep):
            await session.save_step("t1", StoredStep(0, "second"))
    assert (await work_on(store)).steps == (StoredStep(0, "first"),)


async def test_a_reply_is_stored_with_its_price(store: Store) -> None:
    await store.accept(inbound("e1"))
    async with store.lane("lane-1") as session:
        assert session is not None
        await held(store, "t1.a1")
        await session.settle(settled("t1.a1", step=StoredStep(0, "paid")))
    assert (await work_on(store)).steps == (StoredStep(0, "paid"),)


async def test_parts_of_a_reply_begin_in_the_state_asked_for(store: Store) -> None:
    begun = await answer(store, inbound("e1"), parts=2)
    collected = await answer(store, inbound("e2"), parts=1, first_state=OutboxState.SENT)
    later = await answer(store, inbound("e3"), parts=1, first_state=OutboxState.PENDING)
    assert [part.id for part in await store.outgoing(OutboxState.SENDING, 9)] == list(begun)
    assert [part.id for part in await store.outgoing(OutboxState.SENT, 9)] == list(collected)
    assert [part.id for part in await store.outgoing(OutboxState.PENDING, 9)] == list(later)


async def test_a_part_of_a_reply_is_kept_as_it_was_given(store: Store) -> None:
    given = NewOutbound("bot-9", "slack", "place-9", '{"text":"grüße 👋"}')
    [number] = await answer(store, inbound("e1"), outbox=(given,))
    [part] = await store.answers(1)
    assert (part.id, part.inbox_id, part.state, part.tries) == (number, 1, OutboxState.SENDING, 1)
    assert (part.bot, part.channel, part.place, part.payload) == ("bot-9", "slack", "place-9", given.payload)
    assert (part.crashes, part.due_ms, part.why) == (0, 0, "")
