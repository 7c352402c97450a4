"""What a conversation carries beside its messages: its tier, its head, and the head made ahead for its window."""

from dataclasses import replace

import pytest

from runner.ports.mail import ConversationState, OutboxState, PreparedHead
from runner.ports.stores import Store
from tests.contract.stores.conftest import Again
from tests.contract.stores.examples import NOON, answer, finished, inbound, work_on

HEAD = PreparedHead(2, "Anna asked for a refund. 🙂")


async def talk(store: Store) -> None:
    """A conversation `c1` of four messages, answered by a tier."""
    state = ConversationState("c1", NOON, NOON, tier="small")
    await answer(store, inbound("e1"), "1", "2", "3", "4", conversation=state)


async def found(store: Store, event: str = "next") -> ConversationState:
    """The conversation as the lane's next message finds it."""
    await store.accept(inbound(event))
    work = await work_on(store)
    assert work.conversation is not None
    return work.conversation


async def then(store: Store, event: str, **changes: object) -> None:
    """A turn that ends with the conversation changed so."""
    await store.accept(inbound(event))
    work = await work_on(store)
    assert work.conversation is not None
    state = replace(work.conversation, **changes)  # type: ignore[arg-type]
    async with store.lane("lane-1") as session:
        assert session is not None
        await session.finish(finished(work, conversation=state))


async def test_a_conversation_has_no_head_and_keeps_its_tier(store: Store) -> None:
    await talk(store)
    assert await found(store) == ConversationState("c1", NOON, NOON, next_seq=4, tier="small")
    await then(store, "next", tier="strong")
    assert (await found(store, "e3")).tier == "strong"


async def test_a_prepared_head_is_found_by_the_next_message(store: Store, again: Again) -> None:
    await talk(store)
    await store.prepare_head("c1", PreparedHead(2, "an earlier one"))
    await store.prepare_head("c1", HEAD)
    await store.close()
    later = again()
    await later.open()
    try:
        assert await found(later) == ConversationState(
            "c1", NOON, NOON, next_seq=4, tier="small", prepared=HEAD
        )
        assert (await work_on(later)).history == ("1", "2", "3", "4")
    finally:
        await later.close()


@pytest.mark.parametrize(
    ("conversation", "first_seq"), [("c9", 2), ("c1", 0)], ids=["there is none", "not ahead"]
)
async def test_a_head_for_nothing_is_not_kept(store: Store, conversation: str, first_seq: int) -> None:
    await talk(store)
    await store.prepare_head(conversation, PreparedHead(first_seq, "of nothing"))
    assert (await found(store)).prepared is None


async def test_a_turn_that_leaves_the_window_leaves_what_is_prepared(store: Store) -> None:
    """Also what was prepared after the turn had looked."""
    await talk(store)
    await store.accept(inbound("e2"))
    work = await work_on(store)
    await store.prepare_head("c1", HEAD)
    async with store.lane("lane-1") as session:
        assert session is not None
        await session.finish(finished(work, "5"))
    state = await found(store)
    assert (state.head, state.prepared, state.next_seq) == ("", HEAD, 5)


async def test_the_prepared_head_is_taken_with_the_window(store: Store) -> None:
    await talk(store)
    await store.prepare_head("c1", HEAD)
    await then(store, "e2", first_seq=2, head=HEAD.text)
    state = await found(store)
    assert (state.first_seq, state.head, state.prepared) == (2, HEAD.text, None)
    assert (await work_on(store)).history == ("3", "4")
    await then(store, "next")
    assert (await found(store, "e4")).head == HEAD.text, "it goes on with the conversation"


@pytest.mark.parametrize(("first_seq", "prepared"), [(1, HEAD), (2, None), (3, None)])
async def test_a_prepared_head_goes_once_the_window_begins_there(
    store: Store, first_seq: int, prepared: PreparedHead | None
) -> None:
    await talk(store)
    await store.prepare_head("c1", HEAD)
    await then(store, "e2", first_seq=first_seq)
    assert (await found(store)).prepared == prepared


async def test_a_new_conversation_begins_without(store: Store) -> None:
    await talk(store)
    await store.prepare_head("c1", HEAD)
    fresh = ConversationState("c2", NOON, NOON)
    await answer(store, inbound("e2"), "new", conversation=fresh)
    assert await found(store) == replace(fresh, next_seq=1)


# ── forgetting ───────────────────────────────────────────────────────────────────────────────────────────
async def shared(store: Store) -> None:
    """A conversation of two users with a head, and one prepared."""
    for event, user in (("e1", "anna"), ("e2", "ben")):
        await answer(store, inbound(event), f"q {event}", f"a {event}", user=user)
    await store.prepare_head("c1", PreparedHead(1, "Anna is ill."))
    await then(store, "e3", first_seq=1, head="Anna is ill.")
    await store.prepare_head("c1", PreparedHead(3, "Anna is ill, Ben is not."))


async def test_summaries_go_with_part_of_what_they_sum_up(store: Store) -> None:
    await shared(store)
    assert (await found(store)).head == "Anna is ill."
    await store.forget_user("bot-1", "anna")
    state = (await work_on(store)).conversation
    assert state is not None
    assert (state.id, state.head, state.prepared) == ("c1", "", None)


async def test_a_turn_on_its_way_does_not_bring_a_forgotten_summary_back(store: Store) -> None:
    await shared(store)
    await store.accept(inbound("e4"))
    work = await work_on(store)
    await store.forget_user("bot-1", "anna")
    assert work.conversation is not None
    assert work.conversation.prepared is not None
    taken = replace(work.conversation, first_seq=3, head=work.conversation.prepared.text)
    async with store.lane("lane-1") as session:
        assert session is not None
        await session.finish(finished(work, "q e4", conversation=taken, user="ben"))
    state = await found(store)
    assert (state.first_seq, state.head, state.prepared) == (3, "", None)


async def test_a_conversation_that_was_emptied_has_no_summary(store: Store) -> None:
    await talk(store)
    await store.prepare_head("c1", HEAD)
    await store.accept(inbound("e2"))
    await store.forget_conversation("c1")
    state = (await work_on(store)).conversation
    assert state is not None
    assert (state.id, state.head, state.prepared) == ("c1", "", None)


async def test_heads_go_with_their_conversation(store: Store) -> None:
    """A later conversation of that lane has none, whatever took the first away."""
    await talk(store)
    await store.prepare_head("c1", HEAD)
    assert await store.prune(0, NOON + 1) == 1 + 4 + 1
    await store.prepare_head("c1", HEAD)
    await answer(store, inbound("e2"), "1", first_state=OutboxState.SENT)
    assert (await found(store)).prepared is None
