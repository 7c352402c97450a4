"""The lanes that a writer holds, by advisory locks of its session.

Rules: a lane is entered and left on the session that does all of its writes; after the session broke, each is locked
again on the next one, and is ours still only where nobody else has had it in between: the lock was free, its oldest
message is the one that we work on, and nobody held money for that turn meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import asyncpg

from runner.clock import Clock
from runner.store.postgres.connection import Connection
from runner.store.postgres.faults import in_our_words, is_lost
from runner.store.postgres.jobs import Batch, HeldLane, Job, Kind
from runner.store.queries import Queries
from runner.store.rules import turn_id

GRACE_S = 3.0
"""After the connection broke, so long no new lane is entered: those who held it come first."""
_LOOK_S = 0.1


class LaneLocks:
    """The lanes of one writer."""

    def __init__(
        self, sql: Queries, clock: Clock, daemon: Callable[[], int | None], grace_s: float = GRACE_S
    ) -> None:
        self._sql = sql
        self._clock = clock
        self._daemon = daemon
        self._grace_s = grace_s
        self._held: dict[str, HeldLane] = {}
        self._grace_until = 0.0

    def drop(self, lane: HeldLane) -> None:
        """It is not ours any more: its lock is gone with a session, or will be."""
        if self._held.get(lane.name) is lane:
            del self._held[lane.name]

    async def enter(self, connection: Connection, batch: Batch) -> None:
        """Lock the lanes that are asked for, where they are free; before what is asked in them."""
        entered = batch.of(Kind.ENTER)
        if entered and self._clock.monotonic() >= self._grace_until:
            try:
                await self._enter(connection, entered)
            except asyncpg.PostgresError as error:
                if is_lost(error):
                    raise
                for job in entered:  # as where the server has no room for more locks
                    job.refuse(in_our_words(error))
                # An error takes no lock back that was had before it.
                await connection.fetch(self._sql["unlock_lanes"], [job.asked.name for job in entered])
        for job in entered:
            job.done = True

    async def _enter(self, connection: Connection, entered: Sequence[Job[HeldLane]]) -> None:
        rows = await connection.fetch(self._sql["lock_lanes"], [job.asked.name for job in entered])
        granted = {name for name, ours in rows if ours}
        for job in entered:
            if job.asked.name in granted:
                job.result = self._held[job.asked.name] = job.asked

    async def leave(self, connection: Connection, batch: Batch) -> None:
        """Unlock the lanes that are left; after what was asked in them is durable, or was refused."""
        left = batch.of(Kind.LEAVE)
        asked: list[HeldLane] = [job.asked for job in left]
        ours = [lane for lane in asked if self._held.get(lane.name) is lane]
        if ours:
            await connection.fetch(self._sql["unlock_lanes"], [lane.name for lane in ours])
        for lane in ours:
            self.drop(lane)
        for job in left:
            job.done = True

    async def retake(self, connection: Connection, wait_s: float) -> None:
        """Lock on a new session what we held on the last one; what is not ours any more is lost for good.

        `wait_s`: how long a lock is waited for.
        """
        self._grace_until = self._clock.monotonic() + self._grace_s
        if not self._held:
            return
        locked = await self._lock(connection, wait_s)
        kept = locked - await self._had_by_others(connection, locked)
        for name in list(self._held):
            if name not in kept:
                self._held.pop(name).lost = True
        if gone := sorted(locked - kept):
            await connection.fetch(self._sql["unlock_lanes"], gone)

    async def _lock(self, connection: Connection, wait_s: float) -> set[str]:
        """Those that could be locked."""
        until = self._clock.monotonic() + wait_s
        wanted = set(self._held)
        locked: set[str] = set()
        while True:
            rows = await connection.fetch(self._sql["lock_lanes"], sorted(wanted - locked))
            locked |= {name for name, ours in rows if ours}
            if locked == wanted or self._clock.monotonic() >= until:
                return locked
            await self._clock.sleep(_LOOK_S)

    async def _had_by_others(self, connection: Connection, names: set[str]) -> set[str]:
        """Those whose message was done, or whose turn was gone on with, by another daemon."""
        working = {name: self._held[name] for name in sorted(names) if self._held[name].working is not None}
        if not working:
            return set()
        heads = {row[0]: row[1] for row in await connection.fetch(self._sql["heads"], list(working))}
        rows = await connection.fetch(
            self._sql["foreign_rows"],
            list(working),
            [turn_id(lane.working or 0) for lane in working.values()],
            self._daemon(),
            [lane.since for lane in working.values()],
        )
        done = {name for name, lane in working.items() if heads[name] != lane.working}
        return done | {row[0] for row in rows}
