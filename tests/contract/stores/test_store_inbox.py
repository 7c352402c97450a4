"""Messages in: once each, in order, one at a time in a lane."""

import asyncio

import pytest

from runner.errors import IllegalStep, StoreError
from runner.ports.books import LedgerFilter
from runner.ports.mail import Acceptance
from runner.ports.stores import Store
from tests.contract.stores.conftest import Again
from tests.contract.stores.examples import DAY, NOON, answer, finished, inbound, work_on

NOBODY: tuple[str, ...] = ()


async def test_a_message_is_accepted_once(store: Store) -> None:
    first = await store.accept(inbound("e1"))
    again = await store.accept(inbound("e1", payload="{}"))
    assert first.fresh
    assert again == Acceptance(first.inbox_id, fresh=False, finished=False)
    assert (await work_on(store)).payload == '{"event":"e1"}'


async def test_two_deliveries_at_one_moment_are_one_message(store: Store) -> None:
    both = await asyncio.gather(*(store.accept(inbound("e1")) for _ in range(20)))
    assert sum(one.fresh for one in both) == 1
    assert len({one.inbox_id for one in both}) == 1
    assert (await store.figures()).waiting == {"bot-1": 1}


async def test_figures_tell_how_long_the_oldest_waits(store: Store) -> None:
    for event, bot, at_ms in (("e1", "bot-1", NOON), ("e2", "bot-1", NOON + 5), ("e3", "bot-2", NOON + 7)):
        await store.accept(inbound(event, lane=f"lane-{event}", bot=bot, at_ms=at_ms))
    figures = await store.figures()
    assert figures.waiting == {"bot-1": 2, "bot-2": 1}
    assert figures.oldest_ms == {"bot-1": NOON, "bot-2": NOON + 7}
    async with store.lane("lane-e1") as session:
        assert session is not None
        work = await session.next(NOON + 9)
        assert work is not None
        await session.finish(finished(work))
    assert (await store.figures()).oldest_ms == {"bot-1": NOON + 5, "bot-2": NOON + 7}


@pytest.mark.parametrize("other", [{"bot": "bot-2"}, {"channel": "slack"}, {"account": "b"}, {"event": "e2"}])
async def test_messages_differ_by_bot_channel_account_and_event(store: Store, other: dict[str, str]) -> None:
    await store.accept(inbound())
    assert (await store.accept(inbound(**other))).fresh


async def test_seen_inserts_nothing(store: Store) -> None:
    assert await store.seen(inbound("e1")) is None
    first = await store.accept(inbound("e1"))
    assert await store.seen(inbound("e1")) == Acceptance(first.inbox_id, fresh=False, finished=False)


async def test_a_finished_message_is_told_as_finished(store: Store) -> None:
    await answer(store, inbound("e1"))
    for again in (await store.seen(inbound("e1")), await store.accept(inbound("e1"))):
        assert again is not None
        assert (again.fresh, again.finished) == (False, True)


async def test_a_message_brings_what_its_turn_needs(store: Store) -> None:
    accepted = await store.accept(inbound("e1", lane="lane-7", bot="bot-2", at_ms=17))
    work = await work_on(store, "lane-7")
    assert (work.inbox_id, work.turn) == (accepted.inbox_id, f"t{accepted.inbox_id}")
    assert (work.bot, work.channel, work.lane, work.accepted_ms) == ("bot-2", "telegram", "lane-7", 17)
    assert (work.conversation, work.history, work.steps, work.attempts_used) == (None, (), (), 0)


async def test_a_lane_goes_in_order(store: Store) -> None:
    for event in ("e1", "e2", "e3"):
        await store.accept(inbound(event))
    seen = []
    async with store.lane("lane-1") as session:
        assert session is not None
        while work := await session.next(NOON):
            seen.append(work.payload)
            assert await session.next(NOON) == work  # looking changes nothing
            await session.finish(finished(work))
    assert seen == [f'{{"event":"{event}"}}' for event in ("e1", "e2", "e3")]


async def test_a_postponed_message_holds_up_those_behind_it(store: Store) -> None:
    first = await store.accept(inbound("e1"))
    await store.accept(inbound("e2"))
    async with store.lane("lane-1") as session:
        assert session is not None
        await session.postpone(first.inbox_id, NOON + 1000)
        assert await session.next(NOON + 999) is None
        work = await session.next(NOON + 1000)
    assert work is not None
    assert work.inbox_id == first.inbox_id
    assert await store.waiting_lanes(["bot-1"], NOBODY, 10, NOON + 999) == []
    assert await store.waiting_lanes(["bot-1"], NOBODY, 10, NOON + 1000) == ["lane-1"]


async def test_a_clock_that_was_set_back_holds_nothing_up(store: Store) -> None:
    first = await store.accept(inbound("e1"))
    async with store.lane("lane-1") as session:
        assert session is not None
        await session.postpone(first.inbox_id, NOON + 60_000)
        assert await session.next(NOON) is None
        assert await session.next(NOON - DAY) is not None
    assert await store.waiting_lanes(["bot-1"], NOBODY, 10, NOON) == []
    assert await store.waiting_lanes(["bot-1"], NOBODY, 10, NOON - DAY) == ["lane-1"]


async def test_what_is_done_is_not_postponed(store: Store) -> None:
    await answer(store, inbound("e1"))
    seen = await store.seen(inbound("e1"))
    assert seen is not None
    async with store.lane("lane-1") as session:
        assert session is not None
        for inbox_id in (seen.inbox_id, 999):
            with pytest.raises(IllegalStep):
                await session.postpone(inbox_id, NOON)


async def test_waiting_lanes_come_oldest_first(store: Store) -> None:
    for event, lane in (("e1", "b"), ("e2", "a"), ("e3", "b"), ("e4", "c")):
        await store.accept(inbound(event, lane=lane))
    assert await store.waiting_lanes(["bot-1"], NOBODY, 10, NOON) == ["b", "a", "c"]
    assert await store.waiting_lanes(["bot-1"], NOBODY, 2, NOON) == ["b", "a"]
    assert await store.waiting_lanes(["bot-1"], {"b"}, 2, NOON) == ["a", "c"]
    assert await store.waiting_lanes(["bot-1"], {"a", "b", "c"}, 2, NOON) == []


async def test_bots_have_their_turn(store: Store) -> None:
    for number in range(5):
        await store.accept(inbound(f"e{number}", lane=f"busy {number}", bot="busy"))
    for bot in ("late", "later"):
        for number in range(2):
            await store.accept(inbound(f"e{number}", lane=f"{bot} {number}", bot=bot))
    asked = ["later", "busy", "late"]
    wanted = ["busy 0", "late 0", "later 0", "busy 1", "late 1", "later 1", "busy 2", "busy 3", "busy 4"]
    assert await store.waiting_lanes(asked, NOBODY, 10, NOON) == wanted
    assert await store.waiting_lanes(asked, NOBODY, 4, NOON) == wanted[:4]
    assert await store.waiting_lanes(asked, {"busy 0"}, 2, NOON) == ["busy 1", "late 0"]


async def test_waiting_lanes_are_those_of_the_bots_asked_for(store: Store) -> None:
    await store.accept(inbound("e1", lane="a", bot="bot-1"))
    await store.accept(inbound("e2", lane="b", bot="bot-2"))
    assert await store.waiting_lanes(["bot-2", "no such bot"], NOBODY, 10, NOON) == ["b"]
    assert await store.waiting_lanes(NOBODY, NOBODY, 10, NOON) == []


async def test_the_latest_of_each_of_the_latest_lanes(store: Store) -> None:
    await answer(store, inbound("e1", lane="a"))
    for event, lane in (("e2", "b"), ("e3", "a"), ("e4", "c"), ("e5", "b")):
        await store.accept(inbound(event, lane=lane))
    await answer(store, inbound("e6", lane="d"))
    a, b, c, d = (f'{{"event":"{event}"}}' for event in ("e3", "e5", "e4", "e6"))
    assert await store.recent("bot-1", "telegram", 10) == [a, c, b, d]
    assert await store.recent("bot-1", "telegram", 2) == [b, d]
    assert await store.recent("bot-1", "telegram", 0) == []


async def test_what_is_recent_is_of_one_channel_of_one_bot(store: Store) -> None:
    await store.accept(inbound("e1", lane="a", bot="bot-2"))
    await store.accept(inbound("e2", lane="b", channel="discord"))
    assert await store.recent("bot-2", "telegram", 10) == ['{"event":"e1"}']
    assert await store.recent("bot-1", "discord", 10) == ['{"event":"e2"}']
    assert await store.recent("bot-1", "telegram", 10) == []


async def test_a_lane_whose_work_is_done_does_not_wait(store: Store) -> None:
    await answer(store, inbound("e1"))
    assert await store.waiting_lanes(["bot-1"], NOBODY, 10, NOON) == []


async def test_a_lane_is_held_by_one_at_a_time(store: Store) -> None:
    async with store.lane("a") as mine, store.lane("a") as second, store.lane("b") as other:
        assert mine is not None
        assert second is None
        assert other is not None
        async with store.lane("a") as third:  # leaving without having held it frees nothing
            assert third is None
    with pytest.raises(RuntimeError, match="broken work"):
        async with store.lane("a"):
            raise RuntimeError("broken work")
    async with store.lane("a") as later:
        assert later is not None


async def test_another_life_goes_on_where_this_one_stopped(store: Store, again: Again) -> None:
    first = await store.accept(inbound("e1"))
    await store.accept(inbound("e2"))
    await store.close()
    later = again()
    await later.open()
    try:
        assert (await later.accept(inbound("e1"))).inbox_id == first.inbox_id
        assert (await work_on(later)).inbox_id == first.inbox_id
        assert (await later.figures()).waiting == {"bot-1": 2}
    finally:
        await later.close()


async def test_a_closed_store_refuses(store: Store) -> None:
    await store.close()
    await store.close()
    with pytest.raises(StoreError):
        await store.accept(inbound())
    with pytest.raises(StoreError):
        [row async for row in store.ledger(LedgerFilter())]
