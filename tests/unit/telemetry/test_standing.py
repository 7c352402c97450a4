"""How the daemon stands, as it is read from its parts."""

from collections.abc import Callable

from adapters.testing.fake import FakeAdapter
from runner.agent.tools import EmptyToolbox
from runner.bots import Bot, Channel
from runner.clock import UnixMs
from runner.errors import StoreError
from runner.money.amounts import Money
from runner.money.budget import Counter
from runner.money.scopes import Period
from runner.money.terms import Cap, Per, WalletTerms
from runner.ports.books import Deposit
from runner.ports.reloads import ConfigState
from runner.store.memory import MemoryStore
from runner.store.memory.fleet import MemoryFleet
from runner.supervisor import LiveBot, LiveRoster
from runner.telemetry.lag import LoopLag
from runner.telemetry.standing import NOTHING_HELD, FleetNow, Held, Probes, WalletNow
from runner.testing.clock import ManualClock
from runner.testing.observer import RecordingObserver
from runner.testing.scenes import a_bot


async def probes(
    store: MemoryStore,
    *bots: Bot,
    wallet: WalletTerms | None = None,
    held: Callable[[], Held] = lambda: NOTHING_HELD,
) -> Probes:
    clock = ManualClock()
    live = [
        LiveBot(bot, {channel.name: FakeAdapter() for channel in bot.channels}, EmptyToolbox())
        for bot in bots
    ]
    roster = LiveRoster(live, FakeAdapter(), clock, RecordingObserver(), wallet)
    await store.open()
    return Probes(store, roster, LoopLag(clock), lambda: ConfigState(UnixMs(1)), clock, "1", held)


async def test_a_bots_own_limits_are_read_each_once_with_the_stricter_amount() -> None:
    caps = (
        Cap(Per.BOT, Period.DAY, Money(7)),
        Cap(Per.BOT, Period.LIFETIME, Money(3)),
        Cap(Per.USER, Period.DAY, Money(1)),
        Cap(Per.BOT, Period.MONTH, None),
    )
    looking = await probes(MemoryStore(), a_bot("shop", cap=Money(5), caps=caps), a_bot("desk"))
    store = (await looking.standing()).store
    assert store is not None
    assert [(one.bot, one.period, one.limit) for one in store.limits] == [
        ("shop", Period.LIFETIME, 3),
        ("shop", Period.DAY, 7),
        ("desk", Period.LIFETIME, None),
    ]


async def test_the_daemons_of_a_fleet_are_counted() -> None:
    clock = ManualClock()
    fleet = MemoryFleet(clock)
    here, there, gone = (fleet.join(name) for name in ("here", "there", "gone"))
    await there.open()
    await gone.open()
    assert gone.fleet is not None
    await gone.fleet.report('{"lanes": 1}')
    looking = await probes(here)
    fleet.kill(gone)
    assert here.fleet is not None
    await here.fleet.bury()
    found = (await looking.standing()).store
    assert found is not None
    assert found.fleet == FleetNow(alive=2, gone=1)


async def test_a_connection_that_another_daemon_holds_is_not_missed() -> None:
    clock = ManualClock()
    bot = a_bot("shop", channels=(Channel("telegram", "telegram", {}), Channel("slack", "slack", {})))
    held: set[tuple[str, str]] = set()
    looking = await probes(MemoryStore(), bot, held=lambda: Held(elsewhere=frozenset(held)))
    assert (await looking.health()).verdict == "failing"  # both are only connecting
    held.add(("shop", "telegram"))
    clock.advance(1)
    assert (await looking.health()).verdict == "failing"
    held.add(("shop", "slack"))
    health = await looking.health()
    assert (health.verdict, health.connected, health.working) == ("ready", True, 0)


async def test_a_wallet_is_told_where_there_is_one() -> None:
    store = MemoryStore()
    looking = await probes(store, a_bot())
    found = (await looking.standing()).store
    assert found is not None
    assert found.wallet is None
    await store.deposit(Deposit("k", Money(9), 1))
    found = (await looking.standing()).store
    assert found is not None
    assert found.wallet == WalletNow(Money(9), Counter())
    with_terms = (await (await probes(MemoryStore(), a_bot(), wallet=WalletTerms())).standing()).store
    assert with_terms is not None
    assert with_terms.wallet is not None


async def test_a_store_that_fails_is_told_as_such() -> None:
    def fail(method: str) -> None:
        if method == "counters":
            raise StoreError("no room")

    looking = await probes(MemoryStore(before=fail), a_bot("shop", channels=(Channel("chat", "fake", None),)))
    found = await looking.standing()
    assert found.store is None
    assert [link.channel for link in found.connections] == ["chat"]
