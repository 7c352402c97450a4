"""The bots that live: who they are now, how their connections are, and a task for each connection.

    supervisor
      ├─ bot «support»  ─ telegram   connecting ─▶ up ◀─▶ degraded / down        refused: until a person acts
      └─ bot «shop»     ─ custom     …

Rules: a fault of one connection is told, waited out and never touches another; a refused one is not tried
again; a connection is held under a lease, so that of several daemons only one holds it; an adapter that
recalls is told what came last before each start, so that it finds what was said while nobody listened.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

from adapters.contract import (
    LEGAL_STATES,
    Adapter,
    ConnectionState,
    RecallingAdapter,
    Report,
)
from adapters.errors import RefusedConnection
from adapters.messages import InboundMessage, inbound_from_json
from runner.bots import Bot
from runner.clock import Clock
from runner.dispatch.console import CONSOLE, DeliverTo
from runner.errors import StoreError
from runner.money.amounts import Money
from runner.money.terms import WalletTerms
from runner.ports.observer import ConnectionChanged, Fault, Observer
from runner.ports.stores import Store
from runner.ports.tools import Toolbox

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
MOST_RECALLED = 1000
"""Conversations whose latest messages an adapter is told."""


@dataclass(frozen=True, slots=True)
class Connection:
    """How one channel of one bot is connected. `since_ms`: Unix ms of the last change."""

    bot: str
    channel: str
    platform: str
    state: ConnectionState = ConnectionState.CONNECTING
    why: str = ""
    since_ms: int = 0


@dataclass(frozen=True, slots=True)
class LiveBot:
    """A bot with what it needs to be reached: one adapter a channel, its tools."""

    bot: Bot
    adapters: Mapping[str, Adapter]
    toolbox: Toolbox


class LiveRoster:
    """The bots that are defined and enabled. A `runner.ports.roster.Roster`."""

    def __init__(self, bots: Collection[LiveBot], console: Adapter, clock: Clock, observer: Observer) -> None:
        self._live = {live.bot.id: live for live in bots}
        self._caps = {live.bot.id: live.bot.cap for live in bots}
        self._wallet: WalletTerms | None = None
        self._console = console
        self._clock = clock
        self._observer = observer
        self._connections = {
            (live.bot.id, channel.name): Connection(live.bot.id, channel.name, channel.platform)
            for live in bots
            for channel in live.bot.channels
        }

    def bot(self, bot_id: str) -> Bot | None:
        """The definition now in force."""
        live = self._live.get(bot_id)
        return None if live is None else live.bot

    def bot_ids(self) -> Collection[str]:
        """All of them."""
        return self._live.keys()

    def adapter(self, bot_id: str, channel: str) -> Adapter | None:
        """The connection of one channel, or the console."""
        live = self._live.get(bot_id)
        if live is None:
            return None
        return self._console if channel == CONSOLE else live.adapters.get(channel)

    def toolbox(self, bot_id: str) -> Toolbox:
        """The bot's tools."""
        return self._live[bot_id].toolbox

    def cap(self, bot_id: str) -> Money | None:
        """The cap now in force."""
        return self._caps.get(bot_id)

    def wallet(self) -> WalletTerms | None:
        """The wallet's terms now in force."""
        return self._wallet

    def set_wallet(self, terms: WalletTerms | None) -> None:
        """Other terms from now on."""
        self._wallet = terms

    def set_cap(self, bot_id: str, cap: Money | None) -> None:
        """Another cap from now on."""
        self._caps[bot_id] = cap

    def live(self) -> Collection[LiveBot]:
        """All bots with their adapters."""
        return self._live.values()

    def connections(self, bot_id: str) -> list[Connection]:
        """The state of each of the bot's channels."""
        return [c for c in self._connections.values() if c.bot == bot_id]

    def report(self, bot_id: str, channel: str, state: ConnectionState, why: str = "") -> None:
        """A connection says how it is; the same again is no news."""
        now = self._connections[bot_id, channel]
        if (now.state, now.why) == (state, why) or state not in LEGAL_STATES[now.state]:
            return
        self._connections[bot_id, channel] = replace(now, state=state, why=why, since_ms=self._clock.now_ms())
        self._observer.note(ConnectionChanged(bot_id, channel, state, why))


class Supervisor:
    """Holds all connections.

    Args:
        holder: this daemon's name in leases.
        lease_ttl_ms: 0 where the store has one daemon only.
    """

    def __init__(
        self,
        roster: LiveRoster,
        deliver: DeliverTo,
        store: Store,
        clock: Clock,
        observer: Observer,
        holder: str,
        lease_ttl_ms: int = 0,
    ) -> None:
        self._roster = roster
        self._deliver = deliver
        self._store = store
        self._clock = clock
        self._observer = observer
        self._holder = holder
        self._lease_ttl_ms = lease_ttl_ms

    async def run(self) -> None:
        """Hold the connections of all bots until cancelled."""
        async with asyncio.TaskGroup() as group:
            for live in self._roster.live():
                for channel, adapter in live.adapters.items():
                    group.create_task(
                        self._hold(live.bot.id, channel, adapter), name=f"connection {live.bot.id}/{channel}"
                    )

    async def _hold(self, bot_id: str, channel: str, adapter: Adapter) -> None:
        """Keep one connection; ends where it is refused."""
        report = partial(self._roster.report, bot_id, channel)
        deliver = partial(self._deliver, bot_id, channel)
        await self._lease(f"connection {bot_id}/{channel}")
        wait = FIRST_WAIT_S
        while True:
            begun = self._clock.monotonic()
            try:
                await self._recall(bot_id, channel, adapter)
                await adapter.run(deliver, report)
            except RefusedConnection as refused:
                report(ConnectionState.REFUSED, str(refused))
                return
            except asyncio.CancelledError as error:
                if _is_cancelled():
                    raise
                self._failed(bot_id, error, report)
            except Exception as error:  # noqa: BLE001 - an adapter's fault must not end the others
                self._failed(bot_id, error, report)
            else:
                report(ConnectionState.DOWN, "the adapter has ended")
                return
            if self._clock.monotonic() - begun > LONGEST_WAIT_S:
                wait = FIRST_WAIT_S
            await self._clock.sleep(wait)
            wait = min(LONGEST_WAIT_S, wait * 2)

    async def _recall(self, bot_id: str, channel: str, adapter: Adapter) -> None:
        """Tell the adapter what came last, where it needs to know; waits for the store as a lease does."""
        while adapter.capabilities.recalls:
            try:
                payloads = await self._store.recent(bot_id, channel, MOST_RECALLED)
            except StoreError as error:
                self._observer.note(Fault("recall", str(error), bot_id))
                await self._clock.sleep(FIRST_WAIT_S)
            else:
                cast("RecallingAdapter", adapter).recall(readable(payloads))
                return

    def _failed(self, bot_id: str, error: BaseException, report: Report) -> None:
        self._observer.note(Fault("adapter", repr(error), bot_id, error=error))
        report(ConnectionState.DOWN, f"the adapter failed: {type(error).__name__}")

    async def _lease(self, name: str) -> None:
        """Wait until this daemon may hold the connection."""
        while True:
            try:
                lease = await self._store.lease(name, self._holder, self._lease_ttl_ms, self._clock.now_ms())
            except StoreError as error:
                self._observer.note(Fault("lease", str(error)))
                lease = None
            if lease is not None:
                return
            await self._clock.sleep(FIRST_WAIT_S)


def readable(payloads: Iterable[str]) -> list[InboundMessage]:
    """The messages, without those that a version wrote otherwise: their turns say so, here it is one less."""
    messages = []
    for payload in payloads:
        with suppress(AttributeError, KeyError, TypeError, ValueError):
            messages.append(inbound_from_json(payload))
    return messages


def _is_cancelled() -> bool:
    """Whether it is this task that is to end; a library may let the end of one of its own tasks out."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
