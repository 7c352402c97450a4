"""How the daemon stands at one moment: its loop, its connections, its queues, its limits, its file.

    Roster ─┐
    Store  ─┼─▶ Probes.standing() ─▶ Standing ─▶ /metrics
    LoopLag ┤   Probes.health()   ─▶ Health   ─▶ /health/ready, status
    Config ─┘

Rules: a store that fails is a fact like any other (`store` is None, why stands beside it), so that who watches learns
of it; all of it is read anew each time, with counts that the store keeps, and nothing here changes anything.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from runner.bots import Bot
from runner.clock import Clock, UnixMs
from runner.errors import StoreError
from runner.money import scopes
from runner.money.amounts import Money
from runner.money.budget import Counter
from runner.money.scopes import Period
from runner.money.terms import Per, WalletTerms
from runner.ports.fleet import SAID_NOTHING
from runner.ports.reloads import ConfigState
from runner.ports.stores import Store, StoreFigures
from runner.telemetry.health import Health, Link, Place, StoreProbe, judged
from runner.telemetry.lag import LoopLag


class Connected(Protocol):
    """The bots that live, and their connections."""

    def bot(self, bot_id: str) -> Bot | None:
        """The definition now in force."""

    def bot_ids(self) -> Collection[str]:
        """All of them."""

    def connections(self, bot_id: str) -> Sequence[Link]:
        """The state of each of the bot's channels."""

    def cap(self, bot_id: str) -> Money | None:
        """The lifetime cap now in force."""

    def wallet(self) -> WalletTerms | None:
        """The wallet's terms now in force."""


@dataclass(frozen=True, slots=True)
class LimitNow:
    """A limit of one bot and what stands against it; `limit` None: none is set."""

    bot: str
    period: Period
    limit: Money | None
    counter: Counter


@dataclass(frozen=True, slots=True)
class WalletNow:
    """What was paid in ahead, and what is gone of it. Only where something was paid in or bots.yaml has terms."""

    purchased: Money
    counter: Counter

    @property
    def balance(self) -> Money:
        """What is left, held money included."""
        return Money(self.purchased - self.counter.gone)


@dataclass(frozen=True, slots=True)
class FleetNow:
    """How many daemons there are, and how many ended in the last hour."""

    alive: int
    gone: int


@dataclass(frozen=True, slots=True)
class Held:
    """What only one daemon may have at a time.

    Attributes:
        leases: by name, whether this daemon holds it.
        elsewhere: connections that it does not hold.
    """

    leases: Mapping[str, bool] = field(default_factory=dict)
    elsewhere: frozenset[Place] = frozenset()


NOTHING_HELD = Held()


@dataclass(frozen=True, slots=True)
class StoreNow:
    """What the store told. `fleet` None: it has one daemon."""

    figures: StoreFigures
    limits: tuple[LimitNow, ...]
    wallet: WalletNow | None
    fleet: FleetNow | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """All of it. `store` None: it could not be read."""

    now_ms: UnixMs
    started_ms: UnixMs
    lag_ms: float
    connections: tuple[Link, ...]
    config: ConfigState
    store: StoreNow | None
    held: Held = NOTHING_HELD


class Probes:
    """Looks.

    Args:
        config: how it stands with bots.yaml now.
        holder: this daemon's name in leases.
        held: what it holds now of what only one daemon of a fleet may have.
    """

    def __init__(
        self,
        store: Store,
        roster: Connected,
        lag: LoopLag,
        config: Callable[[], ConfigState],
        clock: Clock,
        holder: str,
        held: Callable[[], Held] = lambda: NOTHING_HELD,
    ) -> None:
        self._store = store
        self._roster = roster
        self._lag = lag
        self._config = config
        self._clock = clock
        self._started = clock.now_ms()
        self._probe = StoreProbe(store, clock, holder)
        self._held = held

    async def health(self) -> Health:
        """Whether it can work: the store is written to, at most once a second."""
        check = await self._probe.check()
        return judged(
            self._lag.worst_ms,
            check,
            self._links(),
            self._config(),
            self._started,
            self._clock.now_ms(),
            self._held().elsewhere,
        )

    async def standing(self) -> Standing:
        """How it stands now."""
        try:
            store = await self._read()
        except StoreError:
            store = None
        return Standing(
            self._clock.now_ms(),
            self._started,
            self._lag.worst_ms,
            self._links(),
            self._config(),
            store,
            self._held(),
        )

    def _links(self) -> tuple[Link, ...]:
        return tuple(link for bot in self._roster.bot_ids() for link in self._roster.connections(bot))

    async def _read(self) -> StoreNow:
        """Raises StoreError."""
        limits = self._limits(self._clock.now_ms())
        figures = await self._store.figures()
        counters = await self._store.counters([scopes.WALLET, *(name for name, _ in limits)])
        deposits = await self._store.deposits()
        wallet = None
        if deposits or self._roster.wallet() is not None:
            purchased = Money(sum(deposit.amount for deposit in deposits))
            wallet = WalletNow(purchased, counters.get(scopes.WALLET, Counter()))
        return StoreNow(figures, tuple(_counted(limits, counters.get)), wallet, await self._fleet())

    async def _fleet(self) -> FleetNow | None:
        """Raises StoreError."""
        if self._store.fleet is None:
            return None
        ended = [
            line.ended_ms is not None
            for line in await self._store.fleet.daemons()
            if line.ended_ms is None or line.facts != SAID_NOTHING  # it was a command
        ]
        return FleetNow(ended.count(False), ended.count(True))

    def _limits(self, now_ms: int) -> list[tuple[str, LimitNow]]:
        """Each bot's own limits, by the name of their scope; its lifetime's is told though it has none."""
        found = []
        for bot_id in self._roster.bot_ids():
            bot, scope = self._roster.bot(bot_id), scopes.of_bot(bot_id)
            amounts: dict[Period, Money | None] = {Period.LIFETIME: self._roster.cap(bot_id)}
            for cap in bot.caps if bot is not None else ():
                if cap.per is Per.BOT and cap.amount is not None:
                    amounts[cap.period] = _stricter(amounts.get(cap.period), cap.amount)
            for period, amount in amounts.items():
                limit = LimitNow(bot_id, period, amount, Counter())
                found.append((scopes.in_period(scope, period, now_ms), limit))
        return found


def _stricter(one: Money | None, other: Money) -> Money:
    return other if one is None else min(one, other)


def _counted(
    limits: Iterable[tuple[str, LimitNow]], counter_of: Callable[[str], Counter | None]
) -> Iterable[LimitNow]:
    for name, limit in limits:
        yield LimitNow(limit.bot, limit.period, limit.limit, counter_of(name) or Counter())
