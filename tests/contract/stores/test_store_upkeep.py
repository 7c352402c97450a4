"""Usage, leases, forgetting."""

import asyncio

import pytest

from runner.money.amounts import Money
from runner.money.reservation import ReservationState
from runner.money.usage import Usage
from runner.ports.books import GROUPINGS, LedgerFilter, Settlement, UsageSum
from runner.ports.mail import ConversationState, OutboxState, StoredStep
from runner.ports.stores import Lease, Store
from tests.contract.stores.conftest import Again
from tests.contract.stores.examples import (
    DAY,
    NOON,
    UNKNOWN,
    answer,
    attempt,
    held,
    inbound,
    rows,
    scope,
    settled,
    spent,
    work_on,
)

ALL = LedgerFilter()


# ── usage ────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("by", GROUPINGS)
async def test_usage_is_told_by_each_grouping(store: Store, by: str) -> None:
    cheap, dear = ("2026-01-01", "2026-01-02") if by == "day" else ("cheap", "dear")
    for name, key, cost in (("a1", cheap, 1), ("a2", dear, 5), ("a3", cheap, 2)):
        field = {"time_ms": NOON + (DAY if key == dear else 0)} if by == "day" else {by: key}
        await spent(store, name, cost, **field)
    tokens = Usage(100, 600)
    assert await store.usage(ALL, [by]) == [
        UsageSum((dear,), Money(5), 1, 0, tokens),
        UsageSum((cheap,), Money(3), 2, 0, tokens + tokens),
    ]


async def test_usage_by_several_keys_keeps_their_order(store: Store) -> None:
    await spent(store, "a1", 1, model="m", bot="b")
    await spent(store, "a2", 2, model="n", bot="b")
    found = await store.usage(ALL, ["model", "bot"])
    assert [group.key for group in found] == [("n", "b"), ("m", "b")]
    [everything] = await store.usage(ALL, [])
    assert (everything.key, everything.cost) == ((), 3)


async def test_usage_tells_retries_and_unknown_apart(store: Store) -> None:
    await spent(store, "a1", 7)
    await spent(store, "a2", 8, number=2)
    await held(store, "a3", scope("s"), number=3)
    await store.settle(Settlement("a3", UNKNOWN, usage=Usage(3, 0)))
    await held(store, "a4", scope("s"))
    await store.settle(Settlement("a4", ReservationState.RELEASED))
    [group] = await store.usage(ALL, ["bot"])
    assert (group.cost, group.unknown) == (15, 1100)
    assert (group.calls, group.retries) == (4, 2)
    assert group.usage == Usage(203, 1200)


async def test_usage_is_filtered(store: Store) -> None:
    await spent(store, "a1", 1, bot="b", time_ms=NOON)
    await spent(store, "a2", 2, bot="c", time_ms=NOON)
    await spent(store, "a3", 4, bot="b", time_ms=NOON + DAY, turn="t9")

    async def cost(which: LedgerFilter) -> int:
        return sum(group.cost for group in await store.usage(which, ["user"]))

    assert await cost(LedgerFilter(bot="b")) == 5
    assert await cost(LedgerFilter(from_ms=NOON + 1)) == 4
    assert await cost(LedgerFilter(to_ms=NOON + DAY)) == 3
    assert await cost(LedgerFilter(turn="t9")) == 4
    assert await store.usage(LedgerFilter(bot="nobody"), ["user"]) == []


async def test_usage_knows_its_groupings(store: Store) -> None:
    with pytest.raises(ValueError, match="price"):
        await store.usage(ALL, ["bot", "price"])


# ── leases ───────────────────────────────────────────────────────────────────────────────────────────────
async def test_a_name_has_one_holder(store: Store) -> None:
    assert await store.lease("bot-1/telegram", "me", 1000, NOON) == Lease(
        "bot-1/telegram", "me", 1, NOON + 1000
    )
    assert await store.lease("bot-1/telegram", "you", 1000, NOON + 999) is None
    assert await store.lease("bot-2/telegram", "you", 1000, NOON) == Lease(
        "bot-2/telegram", "you", 1, NOON + 1000
    )


async def test_its_holder_renews_a_lease(store: Store) -> None:
    await store.lease("n", "me", 1000, NOON)
    assert await store.lease("n", "me", 1000, NOON + 500) == Lease("n", "me", 1, NOON + 1500)
    assert await store.lease("n", "you", 1000, NOON + 1200) is None


async def test_the_epoch_grows_with_each_holder(store: Store, again: Again) -> None:
    await store.lease("n", "me", 1000, NOON)
    assert await store.lease("n", "you", 1000, NOON + 1000) == Lease("n", "you", 2, NOON + 2000)
    assert await store.lease("n", "me", 1000, NOON + 1500) is None
    await store.release("n", "me")  # it is not theirs any more: nothing happens
    assert await store.lease("n", "me", 1000, NOON + 1500) is None
    await store.release("n", "you")
    await store.close()
    later = again()
    await later.open()
    try:
        assert await later.lease("n", "me", 1000, NOON + 1501) == Lease("n", "me", 3, NOON + 2501)
    finally:
        await later.close()


async def test_a_name_that_nobody_holds_can_be_let_go(store: Store) -> None:
    await store.release("never held", "me")
    assert await store.lease("never held", "me", 1, NOON) == Lease("never held", "me", 1, NOON + 1)


async def test_of_many_who_ask_one_gets_it(store: Store) -> None:
    found = await asyncio.gather(*(store.lease("n", f"holder {n}", 1000, NOON) for n in range(20)))
    assert sum(lease is not None for lease in found) == 1


# ── forgetting ───────────────────────────────────────────────────────────────────────────────────────────
async def test_what_is_finished_is_forgotten(store: Store) -> None:
    await answer(store, inbound("e1"), "hello", parts=2, first_state=OutboxState.SENT, at_ms=NOON)
    async with store.lane("lane-1") as session:
        assert session is not None
        await session.save_step("t1", StoredStep(0, "late"))
    assert await store.prune(NOON, 0) == 0
    assert await store.prune(NOON + 1, 0) == 4  # the message, two parts, a step
    assert await store.seen(inbound("e1")) is None
    assert await store.answers(1) == []
    assert await store.turn("t1") is not None
    fresh = await store.accept(inbound("e1"))
    assert (fresh.fresh, fresh.inbox_id) == (True, 2)  # an id never comes back: turns are named after it
    assert (await work_on(store)).history == ("hello",)


@pytest.mark.parametrize("state", [OutboxState.PENDING, OutboxState.SENDING, OutboxState.UNKNOWN])
async def test_a_reply_on_its_way_is_kept(store: Store, state: OutboxState) -> None:
    first = OutboxState.PENDING if state is OutboxState.PENDING else OutboxState.SENDING
    parts = await answer(store, inbound("e1"), parts=2, first_state=first)
    if state is OutboxState.UNKNOWN:
        await store.end_sending(parts[0], OutboxState.SENT)
        await store.end_sending(parts[1], state)
    assert await store.prune(NOON + 1, 0) == 0
    assert [part.id for part in await store.answers(1)] == list(parts)


async def test_a_message_that_waits_is_kept(store: Store) -> None:
    await store.accept(inbound("e1"))
    assert await store.prune(NOON * 2, NOON * 2) == 0
    assert (await work_on(store)).inbox_id == 1


async def test_idle_conversations_are_forgotten(store: Store) -> None:
    for lane, last_ms in (("old", NOON), ("new", NOON + 10)):
        state = ConversationState(f"c-{lane}", NOON, last_ms, next_seq=2)
        await answer(store, inbound(lane, lane=lane), "1", "2", conversation=state)
    assert await store.prune(0, NOON + 10) == 4  # a conversation, two messages, a turn
    assert await store.turn("t1") is None
    assert await store.turn("t2") is not None
    for lane, history in (("old", ()), ("new", ("1", "2"))):
        await store.accept(inbound(f"{lane} again", lane=lane))
        assert (await work_on(store, lane)).history == history


async def test_a_conversation_with_work_is_kept(store: Store) -> None:
    await answer(store, inbound("e1"), "1")
    await store.accept(inbound("e2"))
    assert await store.prune(0, NOON + 1) == 0
    assert (await work_on(store)).history == ("1",)


async def test_much_is_forgotten_in_one_call(store: Store) -> None:
    for n in range(120):
        await answer(store, inbound(f"e{n}", lane=f"lane {n}"), "x")
    assert await store.prune(NOON + 1, NOON + 1) == 120 * 4
    assert await store.prune(NOON + 1, NOON + 1) == 0


async def test_the_ledger_is_never_forgotten(store: Store) -> None:
    await answer(store, inbound("e1"))
    await held(store, "a1")
    await store.settle(settled("a1"))
    await store.prune(NOON * 2, NOON * 2)
    assert [row.attempt for row in await rows(store)] == [attempt("a1")]
    assert (await store.counters(["bot:bot-1"]))["bot:bot-1"].settled == 700
