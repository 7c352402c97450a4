"""Where daemons of a fleet live: how they come, are killed, hang and come back."""

import asyncio
from typing import Protocol

from runner.clock import SystemClock
from runner.ports.fleet import Burial, Fleet
from runner.ports.stores import Store
from runner.store.memory.fleet import MemoryFleet, MemoryMember
from runner.testing.clock import ManualClock

PATIENCE_S = 60.0


class World(Protocol):
    """Daemons on one store."""

    async def join(self, name: str) -> Store:
        """One more daemon: its store, open."""

    async def kill(self, store: Store) -> None:
        """Its process is gone, without a word."""

    async def hang(self, store: Store) -> None:
        """It stands still, until the store has ended its sessions."""

    async def go_on(self, store: Store) -> None:
        """It moves again; returns once the store hears it."""

    async def close(self) -> None:
        """End all of them."""


class MemoryWorld:
    """Around one memory store."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self._fleet = MemoryFleet(self.clock)
        self._members: dict[Store, MemoryMember] = {}

    async def join(self, name: str) -> Store:
        member = self._fleet.join(name)
        await member.open()
        self._members[member] = member
        return member

    async def kill(self, store: Store) -> None:
        self._fleet.kill(self._members[store])

    async def hang(self, store: Store) -> None:
        self._fleet.hang(self._members[store])

    async def go_on(self, store: Store) -> None:
        await fleet_of(store).daemons()

    async def close(self) -> None:
        for store in self._members.values():
            await store.close()


def fleet_of(store: Store) -> Fleet:
    """It has one."""
    assert store.fleet is not None
    return store.fleet


async def buried(store: Store, *daemons: int) -> Burial:
    """What this one buries, once the store says that these daemons are gone."""
    found = Burial()
    async with asyncio.timeout(PATIENCE_S):
        while True:
            burial = await fleet_of(store).bury()
            found = Burial(
                tuple(sorted({*found.daemons, *burial.daemons})),
                found.holds_unknown + burial.holds_unknown,
                found.sends_again + burial.sends_again,
                found.sends_unknown + burial.sends_unknown,
            )
            if set(daemons) <= set(found.daemons):
                return found
            await SystemClock().sleep(0.05)
