"""A user is forgotten: what they said and were told goes, what others said and what it cost stays."""

import pytest

from runner.money.amounts import Money
from runner.ports.books import LedgerFilter
from runner.ports.mail import ConversationState, OutboxState, StoredStep
from runner.ports.stores import Store
from tests.contract.stores.examples import NOON, answer, inbound, rows, spent, work_on

SENT = OutboxState.SENT


async def test_all_that_a_user_said_goes(store: Store) -> None:
    await answer(store, inbound("e1"), "q", "a", parts=2, first_state=SENT)
    async with store.lane("lane-1") as session:
        assert session is not None
        await session.save_step("t1", StoredStep(0, "what the model said"))
    await spent(store, "t1.1", 5, conversation="c1")
    assert await store.forget_user(None, "anna") == 1 + 2 + 2 + 1 + 1 + 1
    assert await store.turn("t1") is None
    assert await store.seen(inbound("e1")) is None
    assert await store.answers(1) == []
    assert await store.transcript("c1") is None
    assert await store.conversations(None, 9) == []
    assert await store.recent("bot-1", "telegram", 9) == []
    await store.accept(inbound("e2"))
    work = await work_on(store)
    assert (work.conversation, work.history) == (None, ())
    assert await store.forget_user(None, "anna") == 0


async def test_money_and_counts_stay(store: Store) -> None:
    await answer(store, inbound("e1"), "q", "a", parts=1, first_state=SENT)
    await spent(store, "t1.1", 5)
    before = (
        await rows(store),
        await store.usage(LedgerFilter(), ["user"]),
        await store.traffic(None, "2026-01-01", "2026-01-01"),
        await store.unique_users(None, "2026-01-01", "2026-01-01"),
    )
    await store.forget_user(None, "anna")
    assert before == (
        await rows(store),
        await store.usage(LedgerFilter(), ["user"]),
        await store.traffic(None, "2026-01-01", "2026-01-01"),
        await store.unique_users(None, "2026-01-01", "2026-01-01"),
    )


async def test_others_keep_their_turns_whole(store: Store) -> None:
    """Where a channel shares one conversation, turns go whole: what is left is a history that a model may see."""
    for event, user in (("e1", "anna"), ("e2", "ben"), ("e3", "anna"), ("e4", "ben")):
        await answer(store, inbound(event), f"q {event}", f"tools {event}", f"a {event}", user=user, parts=1)
    assert await store.forget_user("bot-1", "anna") == 0  # each reply is still on its way
    for part in await store.outgoing(OutboxState.SENDING, 99):
        await store.end_sending(part.id, SENT)
    assert await store.forget_user("bot-1", "anna") == 2 * (1 + 3 + 1 + 1)
    found = await store.transcript("c1")
    assert found is not None
    assert (found.line.turns, found.line.messages) == (2, 6)
    assert [turn.messages[0] for turn in found.turns] == ["q e2", "q e4"]
    await store.accept(inbound("e5"))
    work = await work_on(store)
    assert work.history == ("q e2", "tools e2", "a e2", "q e4", "tools e4", "a e4")
    await answer(store, inbound("e5"), "q e5", "a e5", user="ben")
    await store.accept(inbound("e6"))
    assert (await work_on(store)).history[-2:] == ("q e5", "a e5")


async def test_of_one_bot_only(store: Store) -> None:
    for bot in ("bot-1", "bot-2"):
        message = inbound("e", lane=bot, bot=bot)
        await answer(store, message, "q", "a")
    assert await store.forget_user("bot-2", "anna") == 5
    assert [line.bot for line in await store.conversations(None, 9)] == ["bot-1"]
    assert await store.forget_user(None, "somebody else") == 0


@pytest.mark.parametrize("state", [OutboxState.PENDING, OutboxState.SENDING])
async def test_a_reply_on_its_way_is_still_sent(store: Store, state: OutboxState) -> None:
    [part] = await answer(store, inbound("e1"), "q", "a", parts=1, first_state=state)
    assert await store.forget_user(None, "anna") == 0
    assert await store.turn("t1") is not None
    await store.end_sending(part, OutboxState.REJECTED)
    assert await store.forget_user(None, "anna") == 6
    assert await store.answers(1) == []


async def test_a_reply_that_was_given_up_goes(store: Store) -> None:
    [part] = await answer(store, inbound("e1"), "q", parts=1)
    await store.end_sending(part, OutboxState.UNKNOWN)
    assert await store.forget_user(None, "anna") == 5
    assert await store.outgoing(OutboxState.UNKNOWN, 9) == []


async def test_a_turn_that_is_not_done_goes_on(store: Store) -> None:
    await answer(store, inbound("e1"), "q1", "a1")
    await store.accept(inbound("e2"))
    async with store.lane("lane-1") as session:
        assert session is not None
        await session.save_step("t2", StoredStep(0, "paid"))
        assert await store.forget_user(None, "anna") == 4  # the conversation itself is still needed
        work = await session.next(NOON)
        assert work is not None
        assert (work.turn, work.history, work.steps) == ("t2", (), (StoredStep(0, "paid"),))
    await answer(store, inbound("e2"), "q2", "a2")
    found = await store.transcript("c1")
    assert found is not None
    assert [turn.messages for turn in found.turns] == [("q2", "a2")]
    assert (await store.bot_facts(["bot-1"]))["bot-1"].conversations == 1
    await store.accept(inbound("e3"))
    assert (await work_on(store)).history == ("q2", "a2")


async def test_an_older_conversation_of_others_is_the_latest_again(store: Store) -> None:
    await answer(store, inbound("e1"), "old", user="ben")
    await answer(store, inbound("e2"), "new", conversation=ConversationState("c2", NOON, NOON))
    await store.forget_user(None, "anna")
    await store.accept(inbound("e3"))
    work = await work_on(store)
    assert work.conversation is not None
    assert (work.conversation.id, work.history) == ("c1", ("old",))


async def test_much_is_forgotten_in_one_call(store: Store) -> None:
    for n in range(250):
        await answer(store, inbound(f"e{n}", lane=f"lane {n % 3}"), "q")
    assert await store.forget_user(None, "anna") == 250 * 3 + 3
    assert await store.conversations(None, 9) == []


async def test_what_a_conversation_cost_goes_with_it(store: Store) -> None:
    await spent(store, "t1.1", 5, conversation="c1")
    await answer(store, inbound("e1"), "q")
    assert [line.cost for line in await store.conversations(None, 9)] == [Money(5)]
    await store.forget_user(None, "anna")
    assert await store.conversations(None, 9) == []


async def test_one_conversation_goes_whoever_spoke_in_it(store: Store) -> None:
    for event, user in (("e1", "anna"), ("e2", "ben")):
        await answer(store, inbound(event), "q", "a", user=user, parts=1, first_state=SENT)
    await answer(store, inbound("e3"), "other", conversation=ConversationState("c9", NOON, NOON))
    await spent(store, "t1.1", 5, conversation="c1")
    assert await store.forget_conversation("c1") == 2 * (1 + 2 + 1 + 1) + 1
    assert await store.transcript("c1") is None
    assert [line.id for line in await store.conversations(None, 9)] == ["c9"]
    assert await store.answers(1) == []
    assert len(await rows(store)) == 1
    assert await store.forget_conversation("c1") == 0


async def test_a_conversation_with_work_is_emptied_and_goes_later(store: Store) -> None:
    [part] = await answer(store, inbound("e1"), "q1", "a1", parts=1)
    await answer(store, inbound("e2"), "q2", "a2")
    await store.accept(inbound("e3"))
    assert await store.forget_conversation("c1") == 4
    found = await store.transcript("c1")
    assert found is not None
    assert [turn.messages for turn in found.turns] == [("q1", "a1")]  # its answer is on its way
    await store.end_sending(part, SENT)
    assert await store.forget_conversation("c1") == 5
    assert (await work_on(store)).history == ()
    await answer(store, inbound("e3"), "q3")
    assert await store.forget_conversation("c1") == 4
    assert await store.transcript("c1") is None


async def test_a_conversation_that_was_emptied_before_goes_too(store: Store) -> None:
    await answer(store, inbound("e1"), "q1")
    await store.accept(inbound("e2"))
    await store.forget_user(None, "anna")
    assert await store.transcript("c1") is not None  # a turn on its way goes on with it
    await answer(store, inbound("e2"), "q2", conversation=ConversationState("c2", NOON, NOON))
    assert await store.forget_conversation("c1") == 1
    assert await store.transcript("c1") is None
