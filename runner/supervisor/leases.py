"""Names that one daemon of a fleet holds at a time, and the work that is done under them.

    run_under ─▶ take ──▶ work, as a task of its own ──▶ it ended: released, done
                  ▲ held elsewhere: look each `LOOK_AGAIN_S`, and when a daemon came or went
                  └────── lost, or not confirmed in time: the work is cancelled

Rules: one loop renews all names of the daemon; a renewal counts from when it was asked for, so that the work ends
`TTL_MS` - `SURE_S` before anybody else may begin it, whatever became of the answer; a name that another has had in
between (`Lease.epoch`) was lost, even if it is ours again; whoever ends gives its name back at once, and says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from runner.clock import Clock
from runner.dispatch.trouble import Trouble
from runner.errors import StoreError
from runner.ports.fleet import Fleet, News, NewsKind
from runner.ports.observer import Observer
from runner.ports.stores import Store

TTL_MS = 6_000
RENEW_S = 2.0
SURE_S = 5.0
"""How long the work goes on after the latest renewal that was confirmed was asked for."""
LOOK_AGAIN_S = 1.0
AT_ONCE = 16
"""Names that are renewed at a time."""

Work = Callable[[], Coroutine[Any, Any, None]]


@dataclass(eq=False, slots=True)
class _Held:
    """A name that is ours. `until`: monotonic seconds."""

    name: str
    holder: str
    epoch: int
    until: float
    lost: asyncio.Event = field(default_factory=asyncio.Event)


def _nothing() -> None:
    """Nobody wants to know."""


class Leases:
    """This daemon's leases."""

    def __init__(self, store: Store, fleet: Fleet, clock: Clock, observer: Observer) -> None:
        self._store = store
        self._fleet = fleet
        self._clock = clock
        self._held: dict[str, _Held] = {}
        self._wanted = 0
        self._news = asyncio.Event()
        self._idle = asyncio.Event()
        self._stopping = False
        self._trouble = Trouble("lease", observer)

    def holds(self, name: str) -> bool:
        """Whether it is ours now."""
        return name in self._held

    def look(self) -> None:
        """A daemon came or went: whoever waits for a name asks for it at once."""
        self._news.set()
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Renew what is held. Runs for ever."""
        while True:
            await self._clock.sleep(RENEW_S)
            held = list(self._held.values())
            for start in range(0, len(held), AT_ONCE):
                async with asyncio.TaskGroup() as group:
                    for one in held[start : start + AT_ONCE]:
                        group.create_task(self._renew(one), name=f"renew {one.name}")

    async def run_under(self, name: str, work: Work, waiting: Callable[[], None] = _nothing) -> None:
        """Do the work while the name is ours, again each time it is ours anew, until it ends by itself.

        Args:
            waiting: called each time that another daemon is found to hold the name.
        """
        self._wanted += 1
        try:
            while (held := await self._take(name, waiting)) is not None:
                try:
                    if await self._ended(held, work):
                        return
                finally:
                    await self._let_go(held)
        finally:
            self._wanted -= 1
            if not self._wanted:
                self._idle.set()

    async def stop(self) -> None:
        """Take nothing more, cancel all work and give all names back."""
        self._stopping = True
        self.look()
        for held in self._held.values():
            held.lost.set()
        while self._wanted:
            self._idle.clear()
            await self._idle.wait()

    async def _take(self, name: str, waiting: Callable[[], None]) -> _Held | None:
        """Wait until the name is ours; None: nothing is taken any more."""
        while not self._stopping:
            news = self._news
            try:
                held = await self._asked(name)
            except StoreError as error:
                self._trouble.begins(error, name)  # once for all names
            else:
                self._trouble.ends()
                if held is not None:
                    return await self._unless_stopping(held)
                waiting()
            await self._pause(news)
        return None

    async def _unless_stopping(self, held: _Held) -> _Held | None:
        """None where it was given to us just as we stopped: nobody would end the work."""
        if not self._stopping:
            return held
        await self._let_go(held)
        return None

    async def _asked(self, name: str) -> _Held | None:
        """The name, where it is free. Raises StoreError."""
        asked, holder = self._clock.monotonic(), str(self._fleet.daemon)
        lease = await self._store.lease(name, holder, TTL_MS, self._fleet.now_ms())
        if lease is None:
            return None
        held = self._held[name] = _Held(name, holder, lease.epoch, asked + SURE_S)
        return held

    async def _pause(self, news: asyncio.Event) -> None:
        """A while, or until something is new."""
        async with asyncio.TaskGroup() as group:
            resting = group.create_task(self._clock.sleep(LOOK_AGAIN_S), name="lease rests")
            hearing = group.create_task(news.wait(), name="lease may be free")
            await asyncio.wait((resting, hearing), return_when=asyncio.FIRST_COMPLETED)
            resting.cancel()
            hearing.cancel()

    async def _ended(self, held: _Held, work: Work) -> bool:
        """Do the work; False where the name was lost first, and the work cancelled."""
        async with asyncio.TaskGroup() as group:
            doing = group.create_task(work(), name=held.name)
            ends = (
                group.create_task(held.lost.wait(), name=f"{held.name} may be lost"),
                group.create_task(self._run_out(held), name=f"{held.name} may run out"),
            )
            await asyncio.wait((doing, *ends), return_when=asyncio.FIRST_COMPLETED)
            ended = doing.done()
            for task in (doing, *ends):
                task.cancel()
        return ended

    async def _run_out(self, held: _Held) -> None:
        """Until nobody has confirmed for too long that it is ours."""
        while (left := held.until - self._clock.monotonic()) > 0:
            await self._clock.sleep(left)

    async def _renew(self, held: _Held) -> None:
        """Once more; where the store cannot say, time decides."""
        asked, holder = self._clock.monotonic(), str(self._fleet.daemon)
        try:
            lease = await self._store.lease(held.name, holder, TTL_MS, self._fleet.now_ms())
        except StoreError:
            return
        if (
            self._held.get(held.name) is not held
        ):  # given back meanwhile: what was just taken belongs to no work
            if lease is not None and held.name not in self._held:
                await self._release(held.name, holder)
        elif lease is None or lease.epoch != held.epoch:
            held.lost.set()
        else:
            held.until = asked + SURE_S

    async def _let_go(self, held: _Held) -> None:
        if self._held.get(held.name) is held:
            del self._held[held.name]
        await self._release(held.name, held.holder)

    async def _release(self, name: str, holder: str) -> None:
        with suppress(StoreError):  # then it runs out by itself
            await self._store.release(name, holder)
            await self._fleet.tell([News(NewsKind.DAEMONS)])
