"""Whether the daemon can do its work, found out by trying.

    failing     the loop is late, the store takes nothing, or no connection of any is up      503
    degraded    it works, but a connection is down or refused, or bots.yaml has a fault       200
    ready       everything is as it should be                                                 200

Rules: the store is really written to, durably, at most once in `EVERY_S` however many ask; one that does not answer
in time counts as one that fails; a daemon without connections (bots for the HTTP API only) needs none to be up, and
one of a fleet needs none of those that another daemon holds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from adapters.contract import ConnectionState
from runner.clock import Clock, UnixMs
from runner.errors import StoreError
from runner.ports.reloads import ConfigState
from runner.ports.stores import Lease

LAG_LIMIT_MS = 1000.0
"""A loop that is later than this does not do its work in time."""
EVERY_S = 1.0
WITHIN_S = 5.0
PROBE = "health probe"

_WORKING = frozenset({ConnectionState.UP, ConnectionState.DEGRADED})
_TROUBLED = frozenset({ConnectionState.DEGRADED, ConnectionState.DOWN, ConnectionState.REFUSED})

Place = tuple[str, str]
"""A bot and one of its channels."""
Verdict = Literal["ready", "degraded", "failing"]


class Leasing(Protocol):
    """A store, as far as it is tried."""

    async def lease(self, name: str, holder: str, ttl_ms: int, now_ms: int) -> Lease | None:
        """As `runner.ports.stores.Store.lease`."""


class Link(Protocol):
    """How one channel of one bot is connected."""

    @property
    def bot(self) -> str:
        """Whose it is."""

    @property
    def channel(self) -> str:
        """Its name."""

    @property
    def platform(self) -> str:
        """Where to."""

    @property
    def state(self) -> ConnectionState:
        """How it is."""

    @property
    def why(self) -> str:
        """Why it is so."""

    @property
    def since_ms(self) -> int:
        """Since when, Unix ms; 0: since the start."""


@dataclass(frozen=True, slots=True)
class StoreCheck:
    """How the last trial went; `took_ms`: from the asking to the durable write."""

    ok: bool
    took_ms: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class ConnectionHealth:
    """One connection; `age_ms`: for how long it has been in this state; `elsewhere`: another daemon's to hold."""

    bot: str
    channel: str
    platform: str
    state: ConnectionState
    why: str
    age_ms: int
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Health:
    """The verdict with what it stands on.

    Attributes:
        troubled: bots with a connection that is degraded, down or refused.
        working: how many connections are up or degraded.
    """

    verdict: Verdict
    lag_ms: float
    store: StoreCheck
    connections: tuple[ConnectionHealth, ...]
    config: ConfigState

    @property
    def loop_ok(self) -> bool:
        """Whether the loop goes round in time."""
        return self.lag_ms <= LAG_LIMIT_MS

    @property
    def working(self) -> int:
        """How many connections carry messages."""
        return sum(one.state in _WORKING for one in self.connections)

    @property
    def connected(self) -> bool:
        """Whether it has a connection that works, or needs none."""
        return bool(self.working) or all(one.elsewhere for one in self.connections)

    @property
    def troubled(self) -> tuple[str, ...]:
        """Bots with a connection that is degraded, down or refused."""
        return tuple(dict.fromkeys(one.bot for one in self.connections if one.state in _TROUBLED))


class StoreProbe:
    """Tries the store with a write that means nothing: a lease that nobody competes for and that ends at once."""

    def __init__(self, store: Leasing, clock: Clock, holder: str, within_s: float = WITHIN_S) -> None:
        self._within_s = within_s
        self._store = store
        self._clock = clock
        self._holder = holder
        self._turn = asyncio.Lock()
        self._last: StoreCheck | None = None
        self._at = 0.0

    async def check(self) -> StoreCheck:
        """How it is, as of a second ago at the latest."""
        async with self._turn:
            if self._last is None or self._clock.monotonic() - self._at >= EVERY_S:
                self._last = await self._write()
                self._at = self._clock.monotonic()
            return self._last

    async def _write(self) -> StoreCheck:
        begun = self._clock.monotonic()
        why = ""
        try:
            async with asyncio.timeout(self._within_s):
                await self._store.lease(PROBE, self._holder, 0, self._clock.now_ms())
        except StoreError as error:
            why = str(error)
        except TimeoutError:
            why = f"no answer within {self._within_s:g} s"
        return StoreCheck(not why, (self._clock.monotonic() - begun) * 1000, why)


def judged(
    lag_ms: float,
    store: StoreCheck,
    links: Sequence[Link],
    config: ConfigState,
    started_ms: UnixMs,
    now_ms: UnixMs,
    elsewhere: Collection[Place] = (),
) -> Health:
    """What the facts mean. Pure. `elsewhere`: connections that are another daemon's to hold."""
    connections = tuple(
        ConnectionHealth(
            link.bot,
            link.channel,
            link.platform,
            link.state,
            link.why,
            max(0, now_ms - (link.since_ms or started_ms)),
            (link.bot, link.channel) in elsewhere,
        )
        for link in links
    )
    found = Health("ready", lag_ms, store, connections, config)
    return Health(_verdict(found), lag_ms, store, connections, config)


def _verdict(found: Health) -> Verdict:
    if not (found.loop_ok and found.store.ok and found.connected):
        return "failing"
    return "degraded" if found.troubled or found.config.fault is not None else "ready"
