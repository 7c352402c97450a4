"""Two daemons on one store: whole walks, with what one of them does for the other."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from adapters.contract import Capabilities, DeliveryState
from adapters.messages import NotSent, OutboundMessage, SendResult, Sent
from adapters.testing.fake import FakeAdapter
from runner.bots import Bot
from runner.dispatch import lanes, outbox
from runner.ports.books import LedgerFilter
from runner.ports.mail import OutboxState
from runner.ports.observer import DaemonGone, Fault, SendEnded, TurnFinished
from runner.store.memory.fleet import MemoryFleet, MemoryMember
from runner.supervisor.fleet_watch import BURY_S
from runner.testing.clock import ManualClock
from runner.testing.model_script import Hang, Say
from runner.testing.pipeline import Pipeline, pipeline
from runner.testing.provider import FakeProvider
from runner.testing.scenes import a_bot

COLLECTS = Capabilities(collects=True, reports=True)


class House:
    """A fleet of two, with a provider that both ask."""

    def __init__(self) -> None:
        self.clock = ManualClock(instant_s=0.05)
        self.fleet = MemoryFleet(self.clock)
        self.provider = FakeProvider(self.clock)

    @asynccontextmanager
    async def daemon(
        self, name: str, bot: Bot, can: Capabilities | None = None, adapter: FakeAdapter | None = None
    ) -> AsyncIterator[Pipeline]:
        """One more; leaving it is a kill -9."""
        member = self.fleet.join(name)
        async with pipeline(
            bot,
            adapter=adapter or FakeAdapter(can),
            provider=self.provider,
            store=member,
            clock=self.clock,
        ) as walk:
            try:
                yield walk
            finally:
                self.fleet.kill(member)

    async def until(self, holds: Callable[[], object], step_s: float = 0.0) -> None:
        """Wait, while the clock is moved on by so much again and again."""
        async with asyncio.timeout(60):
            while not holds():
                self.clock.advance(step_s)
                await asyncio.sleep(0.002)  # noqa: TID251 - watches wait in real time


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setattr(lanes, "FLEET_LOOK_S", 0.01)
    monkeypatch.setattr(outbox, "FLEET_LOOK_S", 0.01)
    return House()


def finished(walk: Pipeline) -> list[str]:
    return [event.turn for event in walk.observer.of(TurnFinished)]


class Slow(FakeAdapter):
    """Sends when the test says so; `sent`: where all that do so write."""

    def __init__(self, sent: list[OutboundMessage]) -> None:
        super().__init__()
        self.sent = sent
        self.gate = asyncio.Event()

    async def send(self, message: OutboundMessage) -> SendResult:
        self.tried.append(message)
        await self.gate.wait()
        self.sent.append(message)
        return Sent("m")


def texts(walk: Pipeline) -> list[str]:
    return [message.text for message in walk.adapter.sent]


def quiet(*walks: Pipeline) -> bool:
    return not [fault for walk in walks for fault in walk.observer.of(Fault)]


async def test_what_comes_in_on_one_while_the_other_is_at_it_is_done_behind_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "FLEET_LOOK_S", 3600)  # by news alone
    house.provider.script(Say("first", latency_s=5), Say("second"))
    async with house.daemon("one", a_bot()) as one, house.daemon("two", a_bot()) as two:
        await one.adapter.say("hello", event_id="e1")
        await house.until(lambda: house.provider.calls)
        assert (await two.adapter.say("more", event_id="e2")).state is DeliveryState.ACCEPTED
        await house.until(lambda: two.lanes.running == 0)
        house.clock.advance(5)
        await house.until(lambda: len(one.adapter.sent) == 2)
        assert texts(one) == ["first", "second"]
        assert (finished(one), finished(two)) == (["t1", "t2"], [])
        assert quiet(one, two)


async def test_news_that_was_lost_costs_a_look(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.provider.script(Say("first", latency_s=5), Say("second"))
    async with house.daemon("one", a_bot()) as one, house.daemon("two", a_bot()) as two:

        async def lost(_: object) -> None:
            return None

        assert two.store.fleet is not None
        monkeypatch.setattr(two.store.fleet, "tell", lost)
        await one.adapter.say("hello", event_id="e1")
        await house.until(lambda: house.provider.calls)
        await two.adapter.say("more", event_id="e2")
        await house.until(lambda: two.lanes.running == 0)
        house.clock.advance(5)
        await house.until(lambda: len(one.adapter.sent) + len(two.adapter.sent) == 2)
        assert sorted(finished(one) + finished(two)) == ["t1", "t2"]
        assert quiet(one, two)


async def test_an_answer_is_collected_where_it_is_waited_for(house: House) -> None:
    house.provider.script(Say("first", latency_s=5), Say("second"))
    bot = a_bot()
    async with house.daemon("one", bot, COLLECTS) as one, house.daemon("two", bot, COLLECTS) as two:
        await one.adapter.say("hello", event_id="e1")
        await house.until(lambda: house.provider.calls)
        await two.adapter.say("more", event_id="e2")
        await house.until(lambda: two.lanes.running == 0)
        house.clock.advance(5)
        await house.until(lambda: two.adapter.sent)  # ANSWERED was told: no look was due
        assert finished(two) == []
        assert texts(two) == ["second"]
        assert quiet(one, two)


async def test_a_message_that_comes_to_both_is_answered_once_on_each(house: House) -> None:
    house.provider.script(Say("only", latency_s=5))
    bot = a_bot()
    async with house.daemon("one", bot, COLLECTS) as one, house.daemon("two", bot, COLLECTS) as two:
        first = await one.adapter.say("hello", event_id="e1")
        await house.until(lambda: house.provider.calls)
        again = await two.adapter.say("hello", event_id="e1")
        assert (first.state, again.state) == (DeliveryState.ACCEPTED, DeliveryState.DUPLICATE)
        house.clock.advance(5)
        await house.until(lambda: one.adapter.sent)
        await house.until(lambda: two.adapter.sent, step_s=0.1)
        assert (texts(one), texts(two)) == (["only"], ["only"])
        assert len(house.provider.calls) == 1
        assert finished(one) + finished(two) == ["t1"]


async def test_a_killed_daemons_turn_is_begun_again_and_its_call_is_of_unknown_fate(house: House) -> None:
    house.provider.script(Hang(), Say("at last"))
    async with AsyncExitStack() as first, house.daemon("two", a_bot()) as two:
        one = await first.enter_async_context(house.daemon("one", a_bot()))
        await one.adapter.say("hello")
        await house.until(lambda: house.provider.calls)
        await first.aclose()
        house.clock.advance(BURY_S)
        await house.until(lambda: two.adapter.sent)
        assert texts(two) == ["at last"]
        assert finished(two) == ["t1"]
        await two.observer.until(DaemonGone)
        assert two.observer.of(DaemonGone) == [DaemonGone(2, "one", holds_unknown=1)]
        states = [row.state async for row in two.store.ledger(LedgerFilter())]
        assert sorted(states) == ["settled", "unknown"]
        assert not one.adapter.sent


async def test_who_hung_says_and_sends_nothing_of_a_turn_that_another_has_done(house: House) -> None:
    house.provider.script(Say("too late", latency_s=5), Say("in time"))
    async with house.daemon("one", a_bot()) as one, house.daemon("two", a_bot()) as two:
        await one.adapter.say("hello")
        await house.until(lambda: house.provider.calls)
        assert isinstance(one.store, MemoryMember)
        house.fleet.hang(one.store)
        assert two.store.fleet is not None
        await two.store.fleet.bury()
        two.lanes.daemon_gone()
        await house.until(lambda: two.adapter.sent)
        house.clock.advance(5)
        await house.until(lambda: not one.meter.running and one.lanes.running == 0)
        assert (texts(one), texts(two)) == ([], ["in time"])
        assert finished(one) + finished(two) == ["t1"]
        rows = [(row.attempt.id, str(row.state)) async for row in two.store.ledger(LedgerFilter())]
        assert rows == [("t1-1", "unknown"), ("t1-2", "settled")]
        assert len(one.observer.of(Fault)) <= 1


async def test_replies_to_one_place_go_out_in_order_whoever_sends_them(house: House) -> None:
    house.provider.script(Say("first"), Say("second"))
    sent: list[OutboundMessage] = []
    slow, fast = Slow(sent), Slow(sent)
    fast.gate.set()
    async with (
        house.daemon("one", a_bot(), adapter=slow) as one,
        house.daemon("two", a_bot(), adapter=fast) as two,
    ):
        await one.adapter.say("hello", event_id="e1")
        await house.until(lambda: slow.tried)
        await two.adapter.say("more", event_id="e2")
        await house.until(lambda: finished(two))
        [waiting] = await two.store.outgoing(OutboxState.PENDING, 9)
        assert waiting.inbox_id == 2
        for _ in range(5):  # the second is tried for, and left, again and again
            house.clock.advance(1)
            await house.clock.asleep()
        assert two.adapter.tried == []
        slow.gate.set()
        await house.until(lambda: len(sent) == 2, step_s=1)
        assert [message.text for message in sent] == ["first", "second"]
        assert quiet(one, two)


async def test_what_a_killed_daemon_was_to_send_later_is_sent_by_another(house: House) -> None:
    async with AsyncExitStack() as first, house.daemon("two", a_bot()) as two:
        one = await first.enter_async_context(house.daemon("one", a_bot()))
        one.adapter.script(NotSent("slow down", retry_after_s=2))
        await one.adapter.say("hello")
        await one.adapter.attempts(1)
        await house.until(lambda: one.observer.of(SendEnded))
        await first.aclose()
        await house.until(lambda: two.adapter.sent, step_s=0.5)
        assert len(two.adapter.sent) == 1
