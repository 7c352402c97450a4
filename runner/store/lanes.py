"""Lanes of a store that one process has to itself: a lane is granted at once, to one at a time.

Rule: whoever enters a lane that is held gets None and does not wait; leaving, however it comes about, frees it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from runner.ports.books import HoldRequest, HoldResult, MoneyStore, Settled, Settlement
from runner.ports.mail import Filed, FinishedTurn, NewOutbound, OutboxState, StoredStep, Work
from runner.ports.stores import LaneSession


class LaneStore(MoneyStore, Protocol):
    """What a store does for the holder of a lane; each as in `LaneSession`."""

    async def next_in(self, lane: str, now_ms: int) -> Work | None:
        """The lane's head, where it is due."""

    async def save_step(
        self,
        turn: str,
        step: StoredStep,
        outbox: Sequence[NewOutbound] = (),
        first_state: OutboxState = OutboxState.PENDING,
    ) -> tuple[Filed, ...]:
        """As `LaneSession.save_step`."""

    async def steps(self, turn: str) -> tuple[tuple[StoredStep, ...], int]:
        """As `LaneSession.steps`."""

    async def finish(self, turn: FinishedTurn) -> tuple[Filed, ...]:
        """As `LaneSession.finish`."""

    async def postpone(self, inbox_id: int, until_ms: int) -> None:
        """As `LaneSession.postpone`."""


class OwnLanes:
    """The lanes that are held in this process."""

    def __init__(self, store: LaneStore) -> None:
        self._store = store
        self._held: set[str] = set()

    @asynccontextmanager
    async def hold(self, lane: str) -> AsyncIterator[LaneSession | None]:
        """Hold a lane; None where it is held."""
        if lane in self._held:
            yield None
            return
        self._held.add(lane)
        try:
            yield _Session(self._store, lane)
        finally:
            self._held.discard(lane)


class _Session:
    """A lane, held."""

    __slots__ = ("_lane", "_store")

    def __init__(self, store: LaneStore, lane: str) -> None:
        self._store = store
        self._lane = lane

    async def next(self, now_ms: int) -> Work | None:
        return await self._store.next_in(self._lane, now_ms)

    async def save_step(
        self,
        turn: str,
        step: StoredStep,
        outbox: Sequence[NewOutbound] = (),
        first_state: OutboxState = OutboxState.PENDING,
    ) -> tuple[Filed, ...]:
        return await self._store.save_step(turn, step, outbox, first_state)

    async def steps(self, turn: str) -> tuple[tuple[StoredStep, ...], int]:
        return await self._store.steps(turn)

    async def finish(self, turn: FinishedTurn) -> tuple[Filed, ...]:
        return await self._store.finish(turn)

    async def postpone(self, inbox_id: int, until_ms: int) -> None:
        await self._store.postpone(inbox_id, until_ms)

    async def hold(self, request: HoldRequest) -> HoldResult:
        return await self._store.hold(request)

    async def settle(self, settlement: Settlement) -> Settled:
        return await self._store.settle(settlement)
