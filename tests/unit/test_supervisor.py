"""Connections: refused is final, a fault is waited out and touches no other, a lease comes first."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from adapters.contract import Capabilities, ConnectionState, Deliver, Delivery, DeliveryState, Report
from adapters.errors import RefusedConnection
from adapters.messages import ChatKind, ChatRef, InboundMessage, Sender, inbound_to_json
from adapters.testing.fake import FakeAdapter
from runner.agent.tools import EmptyToolbox
from runner.dispatch.console import CONSOLE, Console
from runner.errors import StoreError
from runner.money.amounts import from_cents
from runner.ports.mail import NewInbound
from runner.ports.observer import ConnectionChanged, Fault
from runner.ports.stores import Lease
from runner.store.memory import MemoryStore
from runner.store.memory.fleet import MemoryFleet
from runner.supervisor import LiveBot, LiveRoster, Supervisor
from runner.supervisor.connections import ELSEWHERE, FIRST_WAIT_S, LONGEST_WAIT_S, readable
from runner.supervisor.leases import Leases as FleetLeases
from runner.testing.clock import ManualClock
from runner.testing.observer import RecordingObserver
from runner.testing.scenes import a_bot, a_message

S = ConnectionState


class Failing(FakeAdapter):
    """Fails each time it runs, so long as there is something to fail with."""

    def __init__(self, *faults: BaseException | None, can: Capabilities | None = None) -> None:
        super().__init__(can)
        self.faults = list(faults)
        self.up_s: Callable[[], None] = lambda: None

    async def run(self, deliver: Deliver, report: Report) -> None:
        if not self.faults:
            return await super().run(deliver, report)
        self.connects += 1
        report(S.CONNECTING)
        report(S.UP)
        self.up_s()
        fault = self.faults.pop(0)
        if fault is not None:
            raise fault
        return None


class Leases(MemoryStore):
    """Says of leases what it is told to, then as ever."""

    def __init__(self, *answers: StoreError | None) -> None:
        super().__init__()
        self.replies = list(answers)
        self.asked: list[tuple[str, str, int]] = []

    async def lease(self, name: str, holder: str, ttl_ms: int, now_ms: int) -> Lease | None:
        self.asked.append((name, holder, ttl_ms))
        answer = self.replies.pop(0) if self.replies else await super().lease(name, holder, ttl_ms, now_ms)
        if isinstance(answer, StoreError):
            raise answer
        return answer


class Forgetful(MemoryStore):
    """Cannot say at first what is recent."""

    def __init__(self) -> None:
        super().__init__(self.fail)
        self.faults = 2

    def fail(self, method: str) -> None:
        if method == "recent" and self.faults:
            self.faults -= 1
            raise StoreError("the disk is slow")


def said(number: int, chat: ChatRef) -> InboundMessage:
    return InboundMessage(f"e{number}", chat, Sender("ada"), "hi")


def in_store(number: int, chat: ChatRef, bot: str = "bot", channel: str = "chat") -> NewInbound:
    payload = inbound_to_json(said(number, chat))
    return NewInbound(bot, channel, "", f"e{number}", f"lane of {chat.id}", payload, number)


class House:
    """Bots with one adapter each, under a supervisor."""

    def __init__(self, store: MemoryStore | None = None, **adapters: FakeAdapter) -> None:
        self.clock, self.observer = ManualClock(), RecordingObserver()
        self.store = store or MemoryStore()
        self.console = Console(lambda: "c")
        self.delivered: list[tuple[str, str, InboundMessage]] = []
        live = [
            LiveBot(a_bot(name, cap=from_cents(7)), {"chat": adapter}, EmptyToolbox())
            for name, adapter in adapters.items()
        ]
        self.roster = LiveRoster(live, self.console, self.clock, self.observer)
        self.asked_to_end: list[str] = []
        self.at_work: dict[str, asyncio.Event] = {}

    async def deliver(self, bot: str, channel: str, message: InboundMessage) -> Delivery:
        self.delivered.append((bot, channel, message))
        return Delivery(DeliveryState.ACCEPTED)

    async def ended(self, bot: str) -> None:
        self.asked_to_end.append(bot)
        if bot in self.at_work:
            await self.at_work[bot].wait()

    def states(self, bot: str) -> list[str]:
        return [event.state for event in self.observer.of(ConnectionChanged) if event.bot == bot]

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Supervisor]:
        await self.store.open()
        supervisor = Supervisor(self.roster, self, self.store, self.clock, self.observer, holder="me")
        async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
            running = tasks.create_task(supervisor.run())
            yield supervisor
            running.cancel()


async def test_each_connection_is_up_and_delivers_as_its_bot() -> None:
    ada, eve = FakeAdapter(), FakeAdapter()
    house = House(ada=ada, eve=eve)
    async with house.open():
        assert (await ada.inject(a_message("one"))).state is DeliveryState.ACCEPTED
        await eve.inject(a_message("two"))
        told = [(bot, channel, message.text) for bot, channel, message in house.delivered]
        assert told == [("ada", "chat", "one"), ("eve", "chat", "two")]
        assert [c.state for bot in house.roster.bot_ids() for c in house.roster.connections(bot)] == [
            S.UP
        ] * 2
    assert (ada.connected, eve.connected) == (0, 0)


async def test_a_refused_one_is_not_tried_again_and_touches_no_other() -> None:
    dead, good = FakeAdapter(refuse="the token is dead"), FakeAdapter()
    house = House(dead=dead, good=good)
    async with house.open():
        await good.inject(a_message())
        await house.observer.until(ConnectionChanged, 2)
        house.clock.advance(3600)
        await good.inject(a_message())
        assert (dead.connects, good.connects) == (1, 1)
        [connection] = house.roster.connections("dead")
        assert (connection.state, connection.why) == (S.REFUSED, "the token is dead")
    assert house.states("dead") == [S.REFUSED]
    assert not house.observer.of(Fault)


async def test_a_refusal_that_the_adapter_only_raises_is_reported_too() -> None:
    house = House(dead=Failing(RefusedConnection("no such bot")))
    async with house.open():
        await house.observer.until(ConnectionChanged, 2)
    assert house.states("dead") == [S.UP, S.REFUSED]


@pytest.mark.parametrize(
    "fault", [ValueError("a bug"), ExceptionGroup("g", [KeyError("x")]), asyncio.CancelledError()], ids=repr
)
async def test_a_failing_adapter_is_waited_out_and_touches_no_other(fault: BaseException) -> None:
    bad, good = Failing(fault, fault), FakeAdapter()
    house = House(bad=bad, good=good)
    async with house.open():
        for wait in (FIRST_WAIT_S, 2 * FIRST_WAIT_S):
            await house.clock.asleep()
            assert house.clock.sleeps[-1] == wait
            await good.inject(a_message())
            assert house.roster.connections("bad")[0].state is S.DOWN
            house.clock.advance(wait)
        await bad.inject(a_message("back again"))
        assert house.roster.connections("bad")[0].state is S.UP
    faults = house.observer.of(Fault)
    assert [(told.where, told.bot, told.error) for told in faults] == [("adapter", "bad", fault)] * 2
    assert good.connects == 1


async def test_waits_grow_up_to_a_minute_and_begin_anew_after_a_good_one() -> None:
    bad = Failing(*[ValueError()] * 9)
    house = House(bad=bad)
    async with house.open():
        for _ in range(8):
            await house.clock.asleep()
            house.clock.advance(house.clock.sleeps[-1])
        assert house.clock.sleeps[:8] == [1, 2, 4, 8, 16, 32, 60, 60]
        bad.up_s = lambda: house.clock.advance(LONGEST_WAIT_S + 1)
        bad.faults.append(ValueError())
        await house.clock.asleep()
        house.clock.advance(LONGEST_WAIT_S)
        await house.clock.asleep()
        assert house.clock.sleeps[9] == FIRST_WAIT_S


async def test_an_adapter_that_simply_ends_is_not_called_up() -> None:
    house = House(gone=Failing(None))
    async with house.open():
        await house.observer.until(ConnectionChanged, 2)
        house.clock.advance(3600)
    assert house.states("gone") == [S.UP, S.DOWN]


async def test_a_connection_waits_for_its_lease() -> None:
    store, adapter = Leases(None, StoreError("locked"), None), FakeAdapter()
    house = House(store, bot=adapter)
    async with house.open():
        for _ in range(3):
            await house.clock.asleep()
            assert adapter.connects == 0
            house.clock.advance(FIRST_WAIT_S)
        await adapter.inject(a_message())
    assert store.asked == [("connection bot/chat", "me", 0)] * 4
    assert [fault.where for fault in house.observer.of(Fault)] == ["lease"]


RECALLS = Capabilities(recalls=True)
SEVEN, EIGHT, GROUP = ChatRef("7"), ChatRef("8"), ChatRef("600", ChatKind.GROUP)
LATEST = [said(1, EIGHT), said(2, SEVEN), said(10, GROUP)]


async def remembering(store: MemoryStore) -> MemoryStore:
    """A store with a group and two direct chats of «bot», and what is others'."""
    await store.open()
    for number, chat in ((0, SEVEN), (1, EIGHT), (2, SEVEN), (10, GROUP)):
        await store.accept(in_store(number, chat))
    await store.accept(in_store(11, ChatRef("9"), bot="other"))
    await store.accept(in_store(12, ChatRef("9"), channel="another"))
    return store


async def test_an_adapter_that_recalls_is_told_what_came_last_before_each_start() -> None:
    adapter = Failing(ValueError("a bug"), can=RECALLS)
    house = House(await remembering(MemoryStore()), bot=adapter)
    async with house.open():
        await house.clock.asleep()
        assert adapter.recalled == [LATEST]
        await house.store.accept(in_store(20, EIGHT))
        house.clock.advance(FIRST_WAIT_S)
        await adapter.inject(a_message())
    assert adapter.recalled[1:] == [[*LATEST[1:], said(20, EIGHT)]]


async def test_an_adapter_that_recalls_nothing_is_told_nothing() -> None:
    adapter = FakeAdapter()
    house = House(await remembering(MemoryStore()), bot=adapter)
    async with house.open():
        await adapter.inject(a_message())
    assert adapter.recalled == []


async def test_a_store_that_fails_is_asked_again_what_is_recent() -> None:
    adapter = FakeAdapter(RECALLS)
    house = House(await remembering(Forgetful()), bot=adapter)
    async with house.open():
        for _ in range(2):
            await house.clock.asleep()
            assert adapter.connects == 0
            house.clock.advance(FIRST_WAIT_S)
        await adapter.inject(a_message())
    assert adapter.recalled == [LATEST]
    assert [(fault.where, fault.bot) for fault in house.observer.of(Fault)] == [("recall", "bot")] * 2


async def test_an_adapter_that_cannot_recall_touches_no_other() -> None:
    class Broken(FakeAdapter):
        def recall(self, messages: Sequence[InboundMessage]) -> None:
            raise ValueError("a bug")

    bad, good = Broken(RECALLS), FakeAdapter()
    house = House(bad=bad, good=good)
    async with house.open():
        await house.clock.asleep()
        await good.inject(a_message())
        assert house.roster.connections("bad")[0].state is S.DOWN
    assert bad.connects == 0


@pytest.mark.parametrize(
    "strange", ["", "[]", "7", "{}", '{"chat": {}}', '{"chat": {"id": 7, "kind": "pub"}}']
)
def test_a_payload_that_cannot_be_read_is_a_message_less(strange: str) -> None:
    assert readable([strange, in_store(1, SEVEN).payload]) == [said(1, SEVEN)]


@pytest.mark.parametrize("before", S)
@pytest.mark.parametrize("after", S)
def test_a_state_that_may_not_follow_is_no_news(before: S, after: S) -> None:
    house = House(bot=FakeAdapter())
    house.roster.report("bot", "chat", before, "why")
    house.clock.advance(5)
    house.roster.report("bot", "chat", after, "because")
    [now] = house.roster.connections("bot")
    lawful = before is not S.REFUSED or after in {S.REFUSED, S.CONNECTING}
    assert (now.state, now.why) == ((after, "because") if lawful else (before, "why"))
    assert now.since_ms == house.clock.now_ms() - (0 if lawful else 5000)


def test_the_same_again_is_no_news() -> None:
    house = House(bot=FakeAdapter())
    for _ in range(3):
        house.roster.report("bot", "chat", S.DOWN, "network")
    assert house.states("bot") == [S.DOWN]
    house.roster.report("bot", "chat", S.DOWN, "another reason")
    assert house.states("bot") == [S.DOWN, S.DOWN]


def test_who_is_on_the_roster() -> None:
    adapter = FakeAdapter()
    house = House(bot=adapter)
    roster = house.roster
    assert (roster.bot("bot") or a_bot()).id == "bot"
    assert roster.bot("nobody") is None
    assert roster.adapter("bot", "chat") is adapter
    assert roster.adapter("bot", CONSOLE) is house.console
    assert roster.adapter("bot", "other") is None
    assert roster.adapter("nobody", CONSOLE) is None
    assert roster.cap("bot") == from_cents(7)
    assert roster.cap("nobody") is None
    assert list(roster.toolbox("bot").specs) == []


async def test_on_a_fleet_only_what_is_exclusive_waits_for_a_lease() -> None:
    clock = ManualClock()
    fleet = MemoryFleet(clock)
    one, two = fleet.join("one"), fleet.join("two")
    polling, posted = FakeAdapter(Capabilities(exclusive=True)), FakeAdapter()
    house = House(one, polling=polling, posted=posted)
    house.clock = clock
    await one.open()
    await two.open()
    assert one.fleet is not None
    assert two.fleet is not None
    holder = str(two.fleet.daemon)
    assert await two.lease("connection polling/chat", holder, 6000, two.fleet.now_ms()) is not None
    leases = FleetLeases(one, one.fleet, clock, house.observer)
    supervisor = Supervisor(house.roster, house, one, clock, house.observer, "me", leases)
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(supervisor.run())
        await posted.inject(a_message())
        await clock.asleep()
        [waiting] = house.roster.connections("polling")
        assert (waiting.state, waiting.why, polling.connects) == (S.CONNECTING, ELSEWHERE, 0)
        await two.release("connection polling/chat", holder)
        clock.advance(FIRST_WAIT_S)
        await polling.inject(a_message())
        assert house.roster.connections("polling")[0].state is S.UP
        await leases.stop()
        assert (polling.connected, posted.connected) == (0, 1)
        running.cancel()
