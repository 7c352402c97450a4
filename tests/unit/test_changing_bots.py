"""Bots that come, change and go while the others run: who is touched, what goes on, what is left in the end."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from adapters.contract import ConnectionState, Deliver, Report
from adapters.testing.fake import FakeAdapter
from runner.agent.tools import EmptyToolbox
from runner.clock import SystemClock
from runner.dispatch.console import CONSOLE
from runner.money.amounts import from_cents
from runner.money.terms import WalletTerms
from runner.ports.observer import Fault
from runner.ports.stores import Lease
from runner.store.memory import MemoryStore
from runner.supervisor import LiveBot, Supervisor
from runner.testing.scenes import a_bot, a_message
from tests.unit.test_supervisor import House

S = ConnectionState


class Lingering(FakeAdapter):
    """Takes its time to let go of the platform."""

    def __init__(self) -> None:
        super().__init__()
        self.may_end = asyncio.Event()
        self.ending = asyncio.Event()

    async def run(self, deliver: Deliver, report: Report) -> None:
        try:
            await super().run(deliver, report)
        finally:
            self.connected += 1
            self.ending.set()
            await self.may_end.wait()
            self.connected -= 1
            report(S.DOWN, "bye")


def live(name: str, adapter: FakeAdapter, cents: int = 7) -> LiveBot:
    return LiveBot(a_bot(name, cap=from_cents(cents)), {"chat": adapter}, EmptyToolbox())


def change(supervisor: Supervisor, *bots: LiveBot) -> None:
    supervisor.change(bots, None)


def names() -> list[str]:
    """What all tasks are called."""
    return [task.get_name() for task in asyncio.all_tasks()]


async def until(holds: Callable[[], object]) -> None:
    """Give way until it is so."""
    clock = SystemClock()
    while not holds():
        await clock.sleep(0)


async def gone(adapter: FakeAdapter) -> None:
    """Wait until it was let go of."""
    await until(lambda: adapter.closed)


async def test_a_bot_that_is_new_is_connected_and_the_others_do_not_notice() -> None:
    ada, eve = FakeAdapter(), FakeAdapter()
    house = House(ada=ada)
    async with house.open() as supervisor:
        await ada.inject(a_message())
        change(supervisor, live("ada", ada), live("eve", eve))
        await eve.inject(a_message())
        assert list(house.roster.bot_ids()) == ["ada", "eve"]
        assert [c.state for c in house.roster.connections("eve")] == [S.UP]
        assert (ada.connects, eve.connects) == (1, 1)
    assert house.states("ada") == [S.UP]


async def test_another_definition_on_the_same_connection() -> None:
    ada = FakeAdapter()
    house = House(ada=ada)
    async with house.open() as supervisor:
        await ada.inject(a_message())
        since = house.roster.connections("ada")
        house.clock.advance(5)
        change(supervisor, live("ada", ada, cents=9))
        assert house.roster.cap("ada") == from_cents(9)
        assert house.roster.connections("ada") == since
        await ada.inject(a_message())
        assert (ada.connects, ada.closed) == (1, False)


async def test_who_leaves_is_unknown_at_once_but_keeps_what_a_running_turn_needs() -> None:
    ada, eve = FakeAdapter(), FakeAdapter()
    house = House(ada=ada, eve=eve)
    house.at_work["eve"] = asyncio.Event()
    async with house.open() as supervisor:
        await eve.inject(a_message())
        change(supervisor, live("ada", ada))
        assert house.roster.bot("eve") is None
        assert list(house.roster.bot_ids()) == ["ada"]
        assert house.roster.connections("eve") == []
        await until(lambda: house.asked_to_end == ["eve"])
        assert (eve.connected, eve.closed) == (0, False)
        assert house.roster.adapter("eve", "chat") is eve, "its answer can still be sent"
        assert house.roster.adapter("eve", CONSOLE) is house.console
        assert house.roster.cap("eve") == from_cents(7), "and is paid for under its last cap"
        house.at_work["eve"].set()
        await gone(eve)
        assert house.roster.adapter("eve", "chat") is None
        assert house.roster.cap("eve") is None
        assert list(house.roster.toolbox("eve").specs) == []
        assert ada.connects == 1


async def test_another_connection_begins_when_the_old_one_has_let_go() -> None:
    old, new = Lingering(), FakeAdapter()
    house = House(ada=old)
    async with house.open() as supervisor:
        await old.inject(a_message())
        change(supervisor, live("ada", new))
        await old.ending.wait()
        assert house.roster.adapter("ada", "chat") is new
        assert new.connects == 0, "a platform never sees two of one bot"
        old.may_end.set()
        await new.inject(a_message())
        await gone(old)
        assert (old.connected, new.connected) == (0, 1)
        assert [c.state for c in house.roster.connections("ada")] == [S.UP], (
            "what the old one says is no news"
        )


async def test_toggled_five_times_leaves_one_connection() -> None:
    adapters = [Lingering() for _ in range(6)]
    house = House(ada=adapters[0], eve=(eve := FakeAdapter()))
    async with house.open() as supervisor:
        await adapters[0].inject(a_message())
        await eve.inject(a_message())
        for adapter in adapters[1:]:
            change(supervisor, live("eve", eve))
            change(supervisor, live("eve", eve), live("ada", adapter))
        for adapter in adapters:
            adapter.may_end.set()
        await adapters[-1].inject(a_message())
        for adapter in adapters[:-1]:
            await gone(adapter)
        assert [adapter.connected for adapter in adapters] == [0, 0, 0, 0, 0, 1]
        assert [adapter.connects for adapter in adapters] == [1, 0, 0, 0, 0, 1]
        assert eve.connects == 1
        assert sorted(name for name in names() if "/" in name) == [
            "connection ada/chat",
            "connection eve/chat",
        ]
        assert not [name for name in names() if name.startswith("leaving")]
    assert adapters[-1].connected == 0


class Leases(MemoryStore):
    """Tells who has which name."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[str] = []

    async def lease(self, name: str, holder: str, ttl_ms: int, now_ms: int) -> Lease | None:
        lease = await super().lease(name, holder, ttl_ms, now_ms)
        self.held.append(name)
        return lease

    async def release(self, name: str, holder: str) -> None:
        await super().release(name, holder)
        self.held.remove(name)


async def test_a_connection_gives_its_lease_back() -> None:
    store, ada, eve = Leases(), FakeAdapter(), FakeAdapter()
    house = House(store, ada=ada, eve=eve)
    async with house.open() as supervisor:
        await ada.inject(a_message())
        await eve.inject(a_message())
        assert sorted(store.held) == ["connection ada/chat", "connection eve/chat"]
        change(supervisor, live("eve", eve))
        await gone(ada)
        assert store.held == ["connection eve/chat"]
    assert store.held == []


async def test_only_the_channel_that_changed_is_connected_anew() -> None:
    old, kept, new = FakeAdapter(), FakeAdapter(), FakeAdapter()
    bot = a_bot("ada")
    channels = (replace(bot.channels[0], name="one"), replace(bot.channels[0], name="two"))
    bot = replace(bot, channels=channels)
    house = House()
    async with house.open() as supervisor:
        change(supervisor, LiveBot(bot, {"one": kept, "two": old}, EmptyToolbox()))
        await kept.inject(a_message())
        await old.inject(a_message())
        change(supervisor, LiveBot(bot, {"one": kept, "two": new}, EmptyToolbox()))
        await new.inject(a_message())
        await gone(old)
        assert (kept.connects, old.connected, new.connects) == (1, 0, 1)
        assert house.asked_to_end == ["ada"]


async def test_a_connection_that_was_refused_is_not_touched_by_what_concerns_others() -> None:
    dead, eve = FakeAdapter(refuse="the token is dead"), FakeAdapter()
    house = House(dead=dead)
    async with house.open() as supervisor:
        await until(lambda: house.states("dead"))
        change(supervisor, live("dead", dead), live("eve", eve))
        await eve.inject(a_message())
        assert dead.connects == 1
        change(supervisor, live("dead", again := FakeAdapter()), live("eve", eve))
        await again.inject(a_message())
        assert [c.state for c in house.roster.connections("dead")] == [S.UP], (
            "another token is another chance"
        )


class Mended(FakeAdapter):
    """Refused until somebody has acted on the platform."""

    def mend(self) -> None:
        self._refuse = ""


async def test_who_was_refused_is_tried_again_when_somebody_acts() -> None:
    dead, eve = Mended(refuse="the intent is not allowed"), FakeAdapter()
    house = House(dead=dead, eve=eve)
    async with house.open() as supervisor:
        await eve.inject(a_message())
        await until(lambda: house.states("dead") == [S.REFUSED])
        await until(lambda: "connection dead/chat" not in names())
        supervisor.try_refused_again()
        await until(lambda: house.states("dead") == [S.REFUSED, S.CONNECTING, S.REFUSED])
        dead.mend()
        await until(lambda: "connection dead/chat" not in names())
        supervisor.try_refused_again()
        supervisor.try_refused_again()
        await dead.inject(a_message())
        assert (dead.connects, eve.connects) == (3, 1)
        assert [c.state for c in house.roster.connections("dead")] == [S.UP]


class Broken(FakeAdapter):
    async def close(self) -> None:
        await super().close()
        raise ValueError("a bug")


async def test_an_adapter_that_cannot_be_closed_touches_no_other() -> None:
    bad, good = Broken(), FakeAdapter()
    house = House(bad=bad, good=good)
    async with house.open() as supervisor:
        await bad.inject(a_message())
        change(supervisor, live("good", good))
        await until(lambda: house.roster.adapter("bad", "chat") is None)
        await good.inject(a_message())
        assert [(fault.where, fault.bot) for fault in house.observer.of(Fault)] == [("adapter", "bad")]


@pytest.mark.parametrize("terms", [None, WalletTerms(from_cents(0))])
async def test_the_wallets_terms_come_with_the_bots(terms: WalletTerms | None) -> None:
    house = House()
    async with house.open() as supervisor:
        supervisor.change([], terms)
        assert house.roster.wallet() is terms


async def test_before_it_runs_a_change_is_only_noted() -> None:
    ada, eve = FakeAdapter(), FakeAdapter()
    house = House(ada=ada)
    supervisor = Supervisor(house.roster, house, house.store, house.clock, house.observer, holder="me")
    change(supervisor, live("eve", eve))
    assert (ada.connects, eve.connects) == (0, 0)
    assert list(house.roster.bot_ids()) == ["eve"]
    await house.roster.close()
    assert (ada.closed, eve.closed) == (True, True)
