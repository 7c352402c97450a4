"""What goes out: stored first, sent in order for each place, each part's fate written down."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from adapters.contract import Capabilities
from adapters.messages import FateUnknown, NotSent, OutboundMessage, Rejected, SendResult
from adapters.testing.fake import FakeAdapter
from runner.dispatch import outbox
from runner.ports.mail import OutboxState, Outgoing
from runner.ports.observer import Fault, SendEnded
from runner.testing.scenes import a_bot
from tests.unit.dispatch.outbox_world import SlowAdapter, World, a_world


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(outbox, "LOOK_AGAIN_S", 0.005)  # the watch waits in real time
    monkeypatch.setattr(outbox, "FAULT_WAIT_S", 0.06)  # and at a fault by both
    async with a_world() as made:
        yield made


async def test_a_short_reply_goes_out_at_once(world: World) -> None:
    await world.started()
    await world.reply("a", "1")
    await world.observer.until(SendEnded)
    assert world.sent() == ["1"]
    assert await world.states() == {}
    assert [event.fate for event in world.observer.of(SendEnded)] == ["sent"]


async def test_parts_of_a_place_go_out_in_order(world: World) -> None:
    await world.started()
    for number in range(10):
        await world.reply("a", f"{number}.1", f"{number}.2", f"{number}.3")
        await world.reply("b", f"b{number}")
    await world.observer.until(SendEnded, 40)
    assert [text for text in world.sent() if text[0] != "b"] == [
        f"{n}.{part}" for n in range(10) for part in (1, 2, 3)
    ]
    assert [text for text in world.sent() if text[0] == "b"] == [f"b{n}" for n in range(10)]


async def test_before_the_store_was_read_nothing_overtakes_what_is_in_it(world: World) -> None:
    await world.store_reply("a", "old", state=OutboxState.PENDING)
    assert world.first_state("a") is OutboxState.PENDING
    await world.reply("a", "new")
    world.watch()
    await world.observer.until(SendEnded, 2)
    assert world.sent() == ["old", "new"]


async def test_a_short_reply_does_not_overtake_a_long_one_that_is_being_found(world: World) -> None:
    await world.started()
    await world.reply("a", "1.1", "1.2")
    assert world.first_state("a") is OutboxState.PENDING
    await world.reply("a", "2")
    await world.observer.until(SendEnded, 3)
    assert world.sent() == ["1.1", "1.2", "2"]


async def test_while_the_store_is_being_read_nobody_overtakes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.started()
    reading, go, read = asyncio.Event(), asyncio.Event(), world.store.outgoing

    async def slow(state: OutboxState, limit: int, after_id: int = 0) -> list[Outgoing]:
        reading.set()
        await go.wait()
        return await read(state, limit, after_id)

    monkeypatch.setattr(world.store, "outgoing", slow)
    await world.reply("a", "1.1", "1.2")
    await reading.wait()
    assert world.first_state("a") is OutboxState.PENDING
    assert world.first_state("b") is OutboxState.SENDING
    go.set()
    await world.observer.until(SendEnded, 2)


async def test_a_store_that_cannot_be_read_now_lets_nobody_overtake(world: World) -> None:
    await world.started()
    world.faults.append("outgoing")
    await world.reply("a", "1.1", "1.2")
    await world.observer.until(Fault)
    assert world.first_state("a") is OutboxState.PENDING
    await world.reply("a", "2")
    await world.observer.until(SendEnded, 3)
    assert world.sent() == ["1.1", "1.2", "2"]


async def test_a_place_that_is_sending_keeps_the_next_reply_behind(world: World) -> None:
    await world.started()
    world.adapter.go.clear()
    await world.reply("a", "1")
    await world.adapter.attempts(1)
    assert world.first_state("a") is OutboxState.PENDING
    assert world.first_state("b") is OutboxState.SENDING
    await world.reply("a", "2")
    world.adapter.go.set()
    await world.observer.until(SendEnded, 2)
    assert world.sent() == ["1", "2"]


@pytest.mark.parametrize(
    ("result", "state", "fate"),
    [
        (Rejected("blocked"), {"1": "rejected"}, "rejected"),
        (FateUnknown("cut"), {"1": "unknown"}, "unknown"),
    ],
)
async def test_a_part_that_will_never_arrive_holds_up_nobody(
    world: World, result: SendResult, state: dict[str, str], fate: str
) -> None:
    await world.started()
    world.adapter.script(result)
    await world.reply("a", "1", "2")
    [first, _] = await world.observer.until(SendEnded, 2)
    assert (first.fate, first.why) == (fate, result.why)  # type: ignore[union-attr]
    assert world.sent() == ["2"]
    assert await world.states() == state


async def test_where_a_nonce_makes_it_harmless_an_unknown_fate_is_tried_again(world: World) -> None:
    world.roster.add(a_bot(), adapter := SlowAdapter(Capabilities(resends_unknown=True)))
    await world.started()
    adapter.script(FateUnknown("cut"))
    await world.reply("a", "1")
    await world.observer.until(SendEnded)
    assert await world.states() == {"1": "pending"}
    world.clock.advance(2.0)
    await world.observer.until(SendEnded, 2)
    assert [message.key for message in adapter.tried] == ["1", "1"], "with the same nonce"


async def test_what_was_not_sent_waits_and_its_place_waits_behind_it(world: World) -> None:
    await world.started()
    world.adapter.script(NotSent("429", retry_after_s=30))
    await world.reply("a", "1")
    await world.observer.until(SendEnded)
    await world.reply("a", "2")
    await world.reply("b", "3")
    await world.observer.until(SendEnded, 2)
    assert world.sent() == ["3"]
    assert await world.states() == {"1": "pending", "2": "pending"}
    world.clock.advance(31)
    await world.adapter.replies(2)
    while world.clock.sleeping == 0:
        await world.clock.sleep(0)
    world.clock.advance(2)  # once it has complained, the chat is sent to slowly
    await world.adapter.replies(3)
    assert world.sent() == ["3", "1", "2"]


async def test_two_replies_in_hand_for_one_place_are_both_sent_after_a_fault(world: World) -> None:
    """Two turns of one group end together: both were told that the place is free."""
    await world.started()
    assert (world.first_state("a"), world.first_state("a")) == (OutboxState.SENDING,) * 2
    one = await world.store_reply("a", "1", state=OutboxState.SENDING)
    two = await world.store_reply("a", "2", state=OutboxState.SENDING)
    world.adapter.script(NotSent("away"))
    world.outbox.take(one)
    world.outbox.take(two)
    await world.observer.until(SendEnded)
    while (await world.states()).get("2") != "pending":
        await world.clock.sleep(0)
    world.clock.advance(2)
    await world.adapter.replies(2)
    assert world.sent() == ["1", "2"]


async def test_without_being_asked_the_waits_grow(world: World) -> None:
    await world.started()
    world.adapter.script(*[NotSent("away")] * 3)
    await world.reply("a", "1")
    waits = []
    for number in range(1, 4):
        await world.observer.until(SendEnded, number)
        [row] = await world.store.outgoing(OutboxState.PENDING, 10)
        waits.append((row.due_ms - world.clock.now_ms()) / 1000)
        world.clock.advance(waits[-1])
    assert waits == [1.0, 2.0, 4.0]
    await world.adapter.replies(1)


async def test_a_complaint_silences_even_those_who_had_a_place_in_the_queue(world: World) -> None:
    await world.started()
    world.adapter.clock, start = world.clock, world.clock.monotonic()
    world.adapter.script(
        NotSent("429", retry_after_s=1, whole_bot=True), NotSent("429", retry_after_s=10, whole_bot=True)
    )
    await world.reply("a", "1")
    await world.observer.until(SendEnded)
    world.clock.advance(0.75)
    for number, place in enumerate("bcd", 1):
        await world.reply(place, place)
        await world.clock.asleep(number)
    await pass_time(world, sent=4)
    first, second, *others = [at - start for at in world.adapter.tried_at]
    assert first == 0.0
    assert 1.0 <= second < 1.5
    assert all(at >= second + 10 for at in others), "the platform asked for ten seconds of silence"


async def pass_time(world: World, sent: int) -> None:
    """Let the time go on in small steps until that much is sent."""
    while len(world.adapter.sent) < sent:
        world.clock.advance(0.125)
        for _ in range(5):
            await world.clock.sleep(0)


async def test_a_store_that_fails_is_asked_until_it_knows(world: World) -> None:
    await world.started()
    world.faults += ["end_sending", "end_sending"]
    await world.reply("a", "1")
    for _ in range(2):
        await world.clock.asleep()
        world.clock.advance(0.5)
    await world.observer.until(SendEnded)
    assert world.sent() == ["1"], "once is enough"
    assert len(world.observer.of(Fault)) == 2


async def test_an_adapter_s_bug_is_an_unknown_fate(world: World) -> None:
    await world.started()

    class Broken(FakeAdapter):
        async def send(self, message: OutboundMessage) -> SendResult:
            raise RuntimeError("a bug")

    world.roster.add(a_bot(), Broken())
    await world.reply("a", "1")
    [told] = await world.observer.until(SendEnded)
    assert told.fate == "unknown"
    assert await world.states() == {"1": "unknown"}


async def test_a_part_that_cannot_be_read_holds_up_nobody(world: World) -> None:
    await world.started()
    one = await world.store_reply("a", "1", state=OutboxState.SENDING)
    two = await world.store_reply("a", "2", state=OutboxState.SENDING)
    world.outbox.take([replace(one[0], payload="{")])
    world.outbox.take(two)
    await world.adapter.replies(1)
    assert world.sent() == ["2"]
    assert len(world.observer.of(Fault)) == 1


async def test_a_bot_that_is_gone_keeps_its_replies(world: World) -> None:
    await world.started()
    world.roster.remove("bot")
    await world.reply("a", "1")
    while await world.states() != {"1": "pending"}:
        await world.clock.sleep(0)
    world.roster.add(a_bot(), world.adapter)
    world.clock.advance(2)
    await world.adapter.replies(1)


async def test_an_answer_is_handed_out_again(world: World) -> None:
    [row] = await world.store_reply("a", "1", state=OutboxState.SENT)
    await world.outbox.hand_out_again("bot", "chat", row.inbox_id)
    await world.outbox.hand_out_again("bot", "elsewhere", row.inbox_id)
    assert world.sent() == ["1"]


async def test_a_stop_lets_sends_end_and_leaves_the_rest_in_the_store(world: World) -> None:
    await world.started()
    world.adapter.go.clear()
    await world.reply("a", "1")
    await world.adapter.attempts(1)
    stopping = world.tasks.create_task(world.outbox.stop(30), name="stop")
    while world.first_state("z") is OutboxState.SENDING:
        await world.clock.sleep(0)
    await world.reply("b", "2")
    world.adapter.go.set()
    assert await stopping
    assert world.sent() == ["1"]
    assert await world.states() == {"2": "pending"}


async def test_a_stop_gives_up_a_send_that_hangs(world: World) -> None:
    await world.started()
    world.adapter.go.clear()
    await world.reply("a", "1")
    await world.adapter.attempts(1)
    assert not await world.outbox.stop(0.01)
    assert await world.states() == {"1": "sending"}, "perhaps it was sent"


async def test_the_end_of_what_a_bot_sends_now_is_waited_for(world: World) -> None:
    await world.started()
    world.adapter.go.clear()
    await world.reply("a", "1", "2", "3")
    await world.adapter.attempts(1)
    ending = world.tasks.create_task(world.outbox.ended("bot", 60), name="ending")
    await world.outbox.ended("another", 60)
    assert not ending.done()
    world.adapter.go.set()
    await ending
    assert world.sent() == ["1", "2", "3"], "all parts of it, those in the store too"


async def test_what_cannot_be_sent_now_is_not_waited_for(world: World) -> None:
    await world.started()
    world.adapter.script(NotSent("busy", retry_after_s=3600.0))
    await world.reply("a", "1")
    await world.adapter.attempts(1)
    await world.outbox.ended("bot", 60)
    assert await world.states() == {"1": "pending"}


async def test_a_send_that_hangs_is_waited_for_so_long_and_no_longer(world: World) -> None:
    await world.started()
    world.adapter.go.clear()
    await world.reply("a", "1")
    await world.adapter.attempts(1)
    await world.outbox.ended("bot", 0.01)
    assert world.sent() == []
    world.adapter.go.set()
    await world.adapter.replies(1)


async def test_a_part_that_had_to_wait_goes_out_by_the_connection_that_there_is_then(world: World) -> None:
    await world.started()
    world.adapter.script(NotSent("slow down", retry_after_s=30.0))
    await world.reply("a", "1")
    await world.adapter.attempts(1)
    await world.reply("a", "2")
    other = FakeAdapter()
    world.roster.add(a_bot(), other)
    while len(other.sent) < 2:
        world.clock.advance(30)
        await world.clock.sleep(0)
    assert [message.text for message in other.sent] == ["1", "2"]
    assert world.sent() == []
