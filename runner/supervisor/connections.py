"""A task for each connection, and one for each that leaves.

    supervisor
      ├─ connection support/telegram   connecting ─▶ up ◀─▶ degraded / down    refused: until a person acts
      ├─ connection shop/custom        …
      └─ leaving shop                  its last turns and sends end ─▶ closed ─▶ forgotten

Rules: a fault of one connection is told, waited out and never touches another; a refused one is not tried
again before somebody asks for it; a connection is held under a lease, so that of several daemons only one holds it:
on a fleet those only of which the platform allows one (`Capabilities.exclusive`), the others have one each; an
adapter that recalls is told what came last before each start, so that it finds what was said while nobody
listened. A connection begins when those before it on the same channel have ended and given their lease back:
however often a bot is changed, a platform never sees two of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from contextlib import suppress
from functools import partial
from typing import Protocol, cast

from adapters.contract import Adapter, ConnectionState, Delivery, RecallingAdapter, Report
from adapters.errors import RefusedConnection
from adapters.messages import InboundMessage, inbound_from_json
from runner.clock import Clock
from runner.errors import StoreError
from runner.money.terms import WalletTerms
from runner.ports.observer import Fault, Observer
from runner.ports.stores import Store
from runner.supervisor.leases import Leases
from runner.supervisor.roster import LiveBot, LiveRoster

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
MOST_RECALLED = 1000
"""Conversations whose latest messages an adapter is told."""
ELSEWHERE = "another daemon holds it"


def lease_name(bot_id: str, channel: str) -> str:
    """What the lease of a connection is called."""
    return f"connection {bot_id}/{channel}"


class Flow(Protocol):
    """What stands behind the connections."""

    async def deliver(self, bot_id: str, channel: str, message: InboundMessage) -> Delivery:
        """Take a message in."""

    async def ended(self, bot_id: str) -> None:
        """Wait until the bot's turns that are running now have ended and, so far as they can, sent their answers."""


class Supervisor:
    """Holds all connections.

    Args:
        holder: this daemon's name in leases of a store that it has to itself.
        leases: this daemon's on a fleet; None: it has the store to itself.
    """

    def __init__(
        self,
        roster: LiveRoster,
        flow: Flow,
        store: Store,
        clock: Clock,
        observer: Observer,
        holder: str,
        leases: Leases | None = None,
    ) -> None:
        self._roster = roster
        self._flow = flow
        self._store = store
        self._clock = clock
        self._observer = observer
        self._holder = holder
        self._leases = leases
        self._group: asyncio.TaskGroup | None = None
        self._held: dict[asyncio.Task[None], tuple[str, str, Adapter]] = {}

    async def run(self) -> None:
        """Hold the connections of all bots until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                for live in self._roster.live():
                    for channel, adapter in live.adapters.items():
                        self._begin(group, live.bot.id, channel, adapter)
                await asyncio.Event().wait()
            finally:
                self._group = None

    def living(self, bot_id: str) -> LiveBot | None:
        """The bot as it lives now."""
        return next((live for live in self._roster.live() if live.bot.id == bot_id), None)

    def change(self, bots: Collection[LiveBot], wallet: WalletTerms | None) -> None:
        """From now on these bots live: only connections that came or went are touched.

        Done when it returns, but for the last turns and sends of those that leave; they end by themselves.
        Before `run` has begun it is only noted; after it has ended nothing is connected any more.
        """
        swap = self._roster.swap(bots, wallet)
        if self._group is None:
            return
        for left in swap.left:
            gone = {id(adapter) for adapter in left.adapters.values()}
            ending = [task for task, (_, _, adapter) in self._held.items() if id(adapter) in gone]
            for task in ending:
                task.cancel()
            self._group.create_task(self._see_off(left, ending), name=f"leaving {left.bot.id}")
        for bot_id, channel, adapter in swap.fresh:
            self._begin(self._group, bot_id, channel, adapter)

    def try_refused_again(self) -> None:
        """Somebody has acted: who was refused is connected once more. Touches no connection that is held."""
        held = {id(adapter) for task, (_, _, adapter) in self._held.items() if not task.done()}
        for live in self._roster.live() if self._group is not None else ():
            for channel, adapter in live.adapters.items():
                if id(adapter) not in held and self._group is not None:
                    self._roster.report(live.bot.id, channel, ConnectionState.CONNECTING)
                    self._begin(self._group, live.bot.id, channel, adapter)

    def _begin(self, group: asyncio.TaskGroup, bot_id: str, channel: str, adapter: Adapter) -> None:
        earlier = [task for task, (bot, name, _) in self._held.items() if (bot, name) == (bot_id, channel)]
        task = group.create_task(
            self._keep(bot_id, channel, adapter, earlier), name=f"connection {bot_id}/{channel}"
        )
        self._held[task] = (bot_id, channel, adapter)
        task.add_done_callback(self._held.pop)

    async def _keep(
        self, bot_id: str, channel: str, adapter: Adapter, earlier: Collection[asyncio.Task[None]]
    ) -> None:
        """Hold one connection from its lease to its end."""
        if earlier:
            await asyncio.wait(earlier)
        if self._leases is None:
            await self._hold_alone(bot_id, channel, adapter)
        elif adapter.capabilities.exclusive:
            wait = partial(self._report, bot_id, channel, adapter, ConnectionState.CONNECTING, ELSEWHERE)
            hold = partial(self._hold, bot_id, channel, adapter)
            await self._leases.run_under(lease_name(bot_id, channel), hold, wait)
        else:
            await self._hold(bot_id, channel, adapter)

    async def _hold_alone(self, bot_id: str, channel: str, adapter: Adapter) -> None:
        """Hold it for a store that is this daemon's own."""
        name = lease_name(bot_id, channel)
        await self._lease(name)
        try:
            await self._hold(bot_id, channel, adapter)
        finally:
            with suppress(StoreError):  # then it runs out by itself
                await self._store.release(name, self._holder)

    async def _hold(self, bot_id: str, channel: str, adapter: Adapter) -> None:
        """Keep it connected; ends where it is refused."""
        report = partial(self._report, bot_id, channel, adapter)
        deliver = partial(self._flow.deliver, bot_id, channel)
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

    async def _see_off(self, left: LiveBot, ending: Collection[asyncio.Task[None]]) -> None:
        """Close what left once nothing needs it any more."""
        if ending:
            await asyncio.wait(ending)
        await self._flow.ended(left.bot.id)
        for adapter in left.adapters.values():
            try:
                await adapter.close()
            except Exception as error:  # noqa: BLE001 - an adapter's fault must not end the others
                self._observer.note(Fault("adapter", repr(error), left.bot.id, error=error))
        self._roster.forget(left)

    def _report(
        self, bot_id: str, channel: str, adapter: Adapter, state: ConnectionState, why: str = ""
    ) -> None:
        """Pass on how a connection is; of one that was replaced nobody wants to know."""
        if self._roster.adapter(bot_id, channel) is adapter:
            self._roster.report(bot_id, channel, state, why)

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
                lease = await self._store.lease(name, self._holder, 0, self._clock.now_ms())
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
