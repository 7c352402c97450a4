"""What comes in: who may speak, how fast, and the one insert that makes a message ours."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from adapters.contract import Capabilities, Delivery, DeliveryState, Pressure
from adapters.messages import InboundMessage, Sender, inbound_from_json
from adapters.testing.fake import FakeAdapter
from runner.bots import Access, Bot
from runner.dispatch.inbox import MAX_WAITING_PER_BOT, Inbox, may_speak
from runner.dispatch.limits import OwnRates
from runner.errors import StoreError
from runner.ports.mail import ConversationState, FinishedTurn
from runner.ports.observer import Fault, MessageAccepted, MessageTurnedAway
from runner.ports.rates import Rate
from runner.store.memory import MemoryStore
from runner.testing.clock import ManualClock
from runner.testing.observer import RecordingObserver
from runner.testing.roster import FakeRoster
from runner.testing.scenes import a_bot, a_message

ACCEPTED, DUPLICATE = Delivery(DeliveryState.ACCEPTED), Delivery(DeliveryState.DUPLICATE)
IGNORED, OVERLOADED = Delivery(DeliveryState.IGNORED), Delivery(DeliveryState.OVERLOADED, 1.0)

REFUSING = Capabilities(pressure=Pressure.REFUSE)


@dataclass
class Behind:
    """What stands behind an inbox."""

    woken: list[str] = field(default_factory=list)
    count: int = 0

    def wake(self, lane: str) -> None:
        self.woken.append(lane)

    def waiting(self, bot: str) -> int:
        return self.count

    def accepted(self, bot: str) -> None:
        self.count += 1


class Counting(OwnRates):
    """A store's; `broken`: it cannot be reached. `asked`: for what."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.broken = False
        self.asked: list[Sequence[Rate]] = []

    async def take_all(self, rates: Sequence[Rate]) -> float:
        if self.broken:
            raise StoreError("the store cannot be reached")
        self.asked.append(rates)
        return await super().take_all(rates)


class World:
    """An inbox and all around it."""

    def __init__(self, bot: Bot, capabilities: Capabilities, beside: World | None = None) -> None:
        """`beside`: another daemon's, with which it shares the store and who counts."""
        self.faults: list[str] = []
        self.again: list[tuple[str, str, int]] = []
        self.store: MemoryStore = MemoryStore(self._before) if beside is None else beside.store
        self.clock: ManualClock = ManualClock() if beside is None else beside.clock
        self.observer, self.behind = RecordingObserver(), Behind()
        self.roster = FakeRoster()
        self.roster.add(bot, FakeAdapter(capabilities))
        self.inbox = self.an_inbox()

    def an_inbox(self) -> Inbox:
        return Inbox(self.store, self.roster, self.behind, self.clock, self.observer, self._again)

    def _before(self, method: str) -> None:
        if method in self.faults:
            self.faults.remove(method)
            raise StoreError("the disk is full")

    async def _again(self, bot: str, channel: str, inbox_id: int) -> None:
        self._before("answers")
        self.again.append((bot, channel, inbox_id))

    def count_for_all(self) -> Counting:
        """From now on the store counts, for all daemons that share it."""
        counting = Counting(self.clock)
        self.store.rates = counting
        self.inbox = self.an_inbox()
        return counting

    async def say(self, message: InboundMessage | None = None) -> Delivery:
        return await self.inbox.deliver("bot", "chat", message or a_message())


async def a_world(pressure: Pressure = Pressure.REFUSE, *, collects: bool = False, **bot: Any) -> World:
    world = World(a_bot(**bot), Capabilities(pressure=pressure, collects=collects))
    await world.store.open()
    return world


async def test_a_message_is_stored_before_it_is_acknowledged() -> None:
    world = await a_world()
    message = a_message("grüß", details={"x": [1]})
    assert await world.say(message) == ACCEPTED
    assert world.behind.woken == ["bot|chat|ada|ada"]
    work = await world.store.next_in("bot|chat|ada|ada", world.clock.now_ms())
    assert work is not None
    assert inbound_from_json(work.payload) == message
    assert (work.bot, work.channel, work.accepted_ms) == ("bot", "chat", world.clock.now_ms())
    assert world.observer.events == [MessageAccepted("bot", "chat", "t1", fresh=True)]


async def test_a_message_delivered_again_is_one_row() -> None:
    world = await a_world()
    one, other = await asyncio.gather(world.say(), world.say())
    assert {one.state, other.state} == {DeliveryState.ACCEPTED, DeliveryState.DUPLICATE}
    assert await world.say(a_message(account="another bot's token")) == ACCEPTED
    assert world.behind.count == 2


async def test_a_group_is_one_lane_for_each_user_or_one_for_all() -> None:
    world = await a_world(access=Access(groups="all"))
    for user in ("ada", "bob"):
        await world.say(a_message(event_id=user, user=user, chat="room"))
    assert world.behind.woken == ["bot|chat|room|ada", "bot|chat|room|bob"]


async def test_half_an_emoji_is_no_reason_to_lose_a_message() -> None:
    world = await a_world()
    assert await world.say(a_message("half \ud83d")) == ACCEPTED
    work = await world.store.next_in("bot|chat|ada|ada", world.clock.now_ms())
    assert work is not None
    assert inbound_from_json(work.payload).text == "half \ufffd"


@pytest.mark.parametrize(
    ("access", "message", "allowed"),
    [
        (Access(), a_message(), True),
        (Access(), a_message(sender=Sender("bot2", is_bot=True)), False),
        (Access(deny_users=frozenset({"ada"})), a_message(), False),
        (Access(frozenset({"bob"})), a_message(), False),
        (Access(frozenset({"ada"})), a_message(), True),
        (Access(frozenset({"ada"}), frozenset({"ada"})), a_message(), False),
        (Access(), a_message(chat="room"), True),
        (Access(), a_message(chat="room", addressed=False), False),
        (Access(groups="all"), a_message(chat="room", addressed=False), True),
        (Access(groups="off"), a_message(chat="room"), False),
        (Access(groups="off"), a_message(), True),
    ],
)
async def test_who_may_speak(access: Access, message: InboundMessage, *, allowed: bool) -> None:
    assert may_speak(message, access) is allowed
    world = await a_world(access=access)
    assert await world.say(message) == (ACCEPTED if allowed else IGNORED)
    assert bool(world.behind.woken) is allowed


# ── rates ────────────────────────────────────────────────────────────────────────────────────────────────
async def test_over_the_rate_an_entry_is_told_when_to_come_again() -> None:
    world = await a_world(rate_limit_per_minute=2)
    for event in ("e1", "e2"):
        assert await world.say(a_message(event_id=event)) == ACCEPTED
    world.clock.advance(10)
    assert await world.say(a_message(event_id="e3")) == Delivery(DeliveryState.LIMITED, 50.0)
    world.clock.advance(50)
    assert await world.say(a_message(event_id="e3")) == ACCEPTED


async def test_over_the_rate_a_poll_waits_and_drops_nothing() -> None:
    world = await a_world(Pressure.WAIT, rate_limit_per_minute=1)
    await world.say(a_message(event_id="e1"))
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(world.say(a_message(event_id="e2")), name="second")
        for _ in range(60):
            await world.clock.asleep()
            assert not waiting.done()
            world.clock.advance(1)
    assert waiting.result() == ACCEPTED


async def test_a_repeated_message_passes_and_makes_no_room_for_others() -> None:
    world = await a_world(rate_limit_per_minute=2)
    for event in ("e1", "e2"):
        await world.say(a_message(event_id=event))
    for _ in range(5):
        assert await world.say(a_message(event_id="e1")) == DUPLICATE
    assert (await world.say(a_message(event_id="e3"))).state is DeliveryState.LIMITED


async def test_a_repeated_message_takes_no_room_either() -> None:
    world = await a_world(rate_limit_per_minute=2, user_rate_limit_per_minute=2)
    await world.say(a_message(event_id="e1"))
    for _ in range(5):
        assert await world.say(a_message(event_id="e1")) == DUPLICATE
    assert await world.say(a_message(event_id="e2")) == ACCEPTED


async def test_one_loud_user_leaves_room_for_the_others() -> None:
    world = await a_world(rate_limit_per_minute=4, user_rate_limit_per_minute=1)
    assert await world.say(a_message(event_id="e0")) == ACCEPTED
    for number in range(10):
        assert (await world.say(a_message(event_id=f"more{number}"))).state is DeliveryState.LIMITED
    for user in ("bob", "eve", "kim"):
        assert await world.say(a_message(event_id=user, user=user)) == ACCEPTED
    assert (await world.say(a_message(event_id="late", user="lou"))).state is DeliveryState.LIMITED


async def test_what_has_no_limit_is_not_counted() -> None:
    world = await a_world(rate_limit_per_minute=None)
    counting = world.count_for_all()
    assert await world.say() == ACCEPTED
    assert await world.say() == DUPLICATE
    assert counting.asked == []
    limited = await a_world(rate_limit_per_minute=None, user_rate_limit_per_minute=3)
    counting = limited.count_for_all()
    assert await limited.say() == ACCEPTED
    assert counting.asked == [(("bot|chat|ada", 3),)]


async def test_daemons_that_share_a_store_count_together() -> None:
    one = await a_world(rate_limit_per_minute=5, user_rate_limit_per_minute=3)
    one.count_for_all()
    both = [one, World(a_bot(rate_limit_per_minute=5, user_rate_limit_per_minute=3), REFUSING, one)]
    said = [
        await both[number % 2].say(a_message(event_id=f"e{number}", user=user))
        for user in ("ada", "bob")
        for number in range(4 if user == "ada" else 10, 14)
    ]
    assert said.count(ACCEPTED) == 5
    assert said[:10].count(ACCEPTED) == 3, "of one user"


async def test_what_comes_to_both_at_once_is_counted_once() -> None:
    one = await a_world(rate_limit_per_minute=4)
    one.count_for_all()
    both = one, World(a_bot(rate_limit_per_minute=4), REFUSING, one)
    for number in (1, 2):
        said = await asyncio.gather(*(world.say(a_message(event_id=f"e{number}")) for world in both))
        assert set(said) == {ACCEPTED, DUPLICATE}
    one.clock.advance(1)
    assert await one.say(a_message(event_id="e3")) == ACCEPTED
    assert await both[1].say(a_message(event_id="e4")) == ACCEPTED
    assert (await one.say(a_message(event_id="e5"))).state is DeliveryState.LIMITED


# ── what cannot be taken ─────────────────────────────────────────────────────────────────────────────────
async def test_a_full_backlog_turns_away_and_counts_nothing() -> None:
    world = await a_world(rate_limit_per_minute=1)
    world.behind.count = MAX_WAITING_PER_BOT
    assert await world.say() == OVERLOADED
    world.behind.count = 0
    assert await world.say() == ACCEPTED


@pytest.mark.parametrize("method", ["accept", "seen"])
async def test_a_failing_store_loses_nothing(method: str) -> None:
    world = await a_world(rate_limit_per_minute=1)
    if method == "seen":
        await world.say(a_message(event_id="e0"))
    world.faults.append(method)
    assert await world.say() == OVERLOADED
    assert len(world.observer.of(Fault)) == 1
    world.clock.advance(60)
    assert await world.say() == ACCEPTED


async def test_what_cannot_be_counted_is_not_taken() -> None:
    world = await a_world(rate_limit_per_minute=1)
    counting = world.count_for_all()
    counting.broken = True
    assert await world.say() == OVERLOADED
    assert len(world.observer.of(Fault)) == 1
    assert (await world.store.figures()).waiting == {}
    counting.broken = False
    assert await world.say() == ACCEPTED


async def test_what_may_have_been_taken_stays_counted() -> None:
    world = await a_world(rate_limit_per_minute=2)
    world.faults.append("accept")
    assert await world.say() == OVERLOADED
    assert await world.say() == ACCEPTED
    assert (await world.say(a_message(event_id="e2"))).state is DeliveryState.LIMITED


async def test_while_stopping_nothing_is_taken() -> None:
    world = await a_world()
    world.inbox.close()
    assert await world.say() == OVERLOADED
    assert (await world.store.figures()).waiting == {}


async def test_who_waits_for_a_rate_is_sent_away_by_a_stop() -> None:
    world = await a_world(Pressure.WAIT, rate_limit_per_minute=1)
    await world.say(a_message(event_id="e1"))
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(world.say(a_message(event_id="e2")), name="second")
        await world.clock.asleep()
        world.inbox.close()
        world.clock.advance(1)
    assert waiting.result() == OVERLOADED


@pytest.mark.parametrize(("bot", "channel"), [("nobody", "chat"), ("bot", "elsewhere")])
async def test_a_bot_that_is_gone_keeps_its_messages_at_the_platform(bot: str, channel: str) -> None:
    world = await a_world()
    assert await world.inbox.deliver(bot, channel, a_message()) == OVERLOADED
    assert world.observer.events == [MessageTurnedAway(bot, channel, "overloaded")]


# ── answers that are collected ───────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("collects", "finished", "again"), [(True, True, 1), (True, False, 0), (False, True, 0)]
)
async def test_an_answer_asked_for_again_is_handed_out_again(
    again: int, *, collects: bool, finished: bool
) -> None:
    world = await a_world(collects=collects)
    await world.say()
    if finished:
        await _finish(world)
    assert await world.say() == DUPLICATE
    assert world.again == [("bot", "chat", 1)] * again


async def test_an_answer_that_cannot_be_read_now_is_asked_for_later() -> None:
    world = await a_world(collects=True)
    await world.say()
    await _finish(world)
    world.faults.append("answers")
    assert await world.say() == OVERLOADED
    assert await world.say() == DUPLICATE


async def _finish(world: World) -> None:
    turn = FinishedTurn(
        1, "t1", "bot", "chat", "bot|chat|ada|ada", "ada", ConversationState("c1", 0, 0), "answered", 0
    )
    await world.store.finish(turn)
