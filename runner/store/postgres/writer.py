"""A writer: one session with the server, all that waits in one transaction (group commit), some lanes.

    ask ─▶ queue ─▶ [ enter · BEGIN · work · COMMIT · leave ] ─▶ answers     where the connection breaks, the next one
             ▲                                                        begins with `mending`, then the same again
             └── the next batch begins at once when one is through

Rules:
* Nothing is answered before its fate is known.
* While there is no connection, jobs wait for `PATIENCE_S`; then they, and all that is asked later, fail until there is
  one. What may have been committed waits for as long as it takes to know.
* A writer says something to the server each second: the server ends a silent one, and its lanes are others'.
* The queue is bounded: beyond it, asking waits. Cancelling whoever waits does not cancel the job.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

from runner.clock import Clock
from runner.errors import LaneLost, StoreError
from runner.store.postgres.committing import Committer
from runner.store.postgres.connection import Connection, hang_up
from runner.store.postgres.desk import Connect
from runner.store.postgres.faults import in_our_words, is_lost
from runner.store.postgres.jobs import LANE_LOCKS, Batch, HeldLane, Job, Kind
from runner.store.postgres.lane_locks import LaneLocks
from runner.store.postgres.mending import Mender, is_granted
from runner.store.queries import Queries

BATCH = 256
WAITING = 4096
HEARTBEAT_S = 1.0
ANSWER_S = 9.0
"""How long a batch may take; longer than the server's own time-outs."""
PATIENCE_S = 3.0
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.1, 1.0
_AWAY = "the database cannot be reached"


class Writer:
    """Does jobs, on the connection that `connect` makes (raises StoreError, StoreRefused)."""

    def __init__(
        self, connect: Connect, sql: Queries, committer: Committer, lanes: LaneLocks, clock: Clock
    ) -> None:
        self._connect = connect
        self._sql = sql
        self._committer = committer
        self._lanes = lanes
        self._mender = Mender(sql, committer, lanes, clock)
        self._clock = clock
        self._queue: deque[Job[Any]] = deque()
        self._bell = asyncio.Event()
        self._room = asyncio.Semaphore(WAITING)
        self._closing = True
        self._away = False

    async def open(self) -> Connection:
        """Connect; `run` goes on with what this returns. Raises StoreRefused and StoreError."""
        connection = await self._connect()
        await self._mender.know(connection)
        self._closing = self._away = False
        return connection

    def close(self) -> None:
        """Let `run` end once all that was asked is done."""
        self._closing = True
        self._bell.set()

    # ── asked by the store ───────────────────────────────────────────────────────────────────────────────
    async def ask(
        self, kind: Kind, asked: object, keys: tuple[object, ...] = (), lane: HeldLane | None = None
    ) -> Any:  # noqa: ANN401 - each kind has its own answer
        """Have something done; returns when it is durable.

        Raises:
            LaneLost: the lane is another daemon's now.
            StoreError: nothing of it was done.
        """
        _check(lane)
        await self._room.acquire()
        if self._closing or self._away:
            self._room.release()
            raise StoreError("the store is not open" if self._closing else _AWAY)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._put(Job(kind, asked, future, keys, lane))
        return await future

    async def enter(self, name: str) -> HeldLane | None:
        """Hold a lane; None where another daemon does."""
        lane: HeldLane | None = await self.ask(Kind.ENTER, HeldLane(name), (("lane", name),))
        return lane

    async def leave(self, lane: HeldLane) -> None:
        """Let go of a lane; where that fails, its lock went with the session."""
        try:
            await self.ask(Kind.LEAVE, lane, (("lane", lane.name),))
        except StoreError:
            self._lanes.drop(lane)

    def _put(self, job: Job[Any]) -> None:
        self._queue.append(job)
        self._bell.set()

    # ── its task ─────────────────────────────────────────────────────────────────────────────────────────
    async def run(self, connection: Connection) -> None:
        """Do what is asked until closed."""
        now: Connection | None = connection
        try:
            while now is not None and not (self._closing and not self._queue):
                jobs = await self._collect()
                now = await self._through(now, jobs)
                self._report(jobs)
            self._fail_waiting("the store is not open")
            if now is not None:
                await hang_up(now)
        except BaseException:
            if now is not None:
                now.terminate()
            raise

    async def _collect(self) -> list[Job[Any]]:
        """All that waits and may be done together; empty: nothing came for a while."""
        if not self._queue and not self._closing:
            self._bell.clear()
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    await self._bell.wait()
            except TimeoutError:
                return []
        jobs: list[Job[Any]] = []
        later: list[Job[Any]] = []
        taken: set[object] = set()
        while self._queue and len(jobs) < BATCH:
            job = self._queue.popleft()
            if taken.isdisjoint(job.keys):
                taken.update(job.keys)
                jobs.append(job)
            else:
                later.append(job)
        self._queue.extendleft(reversed(later))
        return jobs

    async def _through(self, connection: Connection, jobs: Sequence[Job[Any]]) -> Connection | None:
        """Until each job has its answer; the connection after that. None: there is none, and we are closed."""
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._do(connection, jobs)
        except Exception as error:  # noqa: BLE001 - whatever it was: whoever asked is told, and we go on
            connection.terminate()
            self._spoil(jobs, error)
        else:
            return connection
        since, wait_s = self._clock.monotonic(), _FIRST_WAIT_S
        while not self._closing or self._committer.doubt is not None:
            again = await self._again(jobs)
            if again is not None:
                self._away = False
                return again
            if self._clock.monotonic() - since > PATIENCE_S:
                self._lose_patience(jobs)
                if self._closing:
                    break
            await self._clock.sleep(wait_s)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
        self._give_up(jobs, _AWAY)
        return None

    async def _again(self, jobs: Sequence[Job[Any]]) -> Connection | None:
        """Once more on a new connection; None where that breaks, too."""
        try:
            connection = await self._connect()
        except StoreError:
            return None
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._mender.mend(connection, jobs)
                await self._do(connection, jobs)
        except Exception as error:  # noqa: BLE001 - as above
            connection.terminate()
            self._spoil(jobs, error)
            return None
        return connection

    async def _do(self, connection: Connection, jobs: Sequence[Job[Any]]) -> None:
        """A batch. Raises only where the connection is of no more use."""
        for job in jobs:
            try:
                _check(job.lane if job.is_open else None)
            except LaneLost as lost:
                job.refuse(lost)
        await self._lanes.enter(connection, Batch(jobs))
        await self._committer.run(connection, [job for job in jobs if job.kind not in LANE_LOCKS])
        await self._lanes.leave(connection, Batch(jobs))
        if not jobs:
            await connection.execute(self._sql["heartbeat"])

    # ── answers ──────────────────────────────────────────────────────────────────────────────────────────
    def _report(self, jobs: Sequence[Job[Any]]) -> None:
        for job in jobs:
            if job.counted:
                self._room.release()
            if job.kind is Kind.ENTER and job.result is not None and job.future.done():
                self._leave_unasked(job.result)  # whoever asked has gone away
            job.report()

    def _leave_unasked(self, lane: HeldLane) -> None:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        future.cancel()  # nobody waits for it
        self._queue.appendleft(
            Job(Kind.LEAVE, lane, future, (("lane", lane.name),), counted=False)
        )  # before whoever asks for the lane

    def _lose_patience(self, jobs: Sequence[Job[Any]]) -> None:
        """There is no database: nobody waits for it any longer, but for what may have been done."""
        self._away = True
        self._fail_waiting(_AWAY)
        if self._committer.doubt is None:
            self._give_up(jobs, _AWAY)
            for job in jobs:
                job.report()

    def _fail_waiting(self, why: str) -> None:
        waiting, self._queue = list(self._queue), deque()
        self._give_up(waiting, why)
        self._report(waiting)

    def _give_up(self, jobs: Sequence[Job[Any]], why: str) -> None:
        """Nothing is done of what is still open; of what is held nobody is told, for the mender releases it."""
        for job in jobs:
            if job.is_open or is_granted(job):
                self._refuse(job, StoreError(why))

    def _spoil(self, jobs: Sequence[Job[Any]], error: Exception) -> None:
        """A fault of our own, not of the connection, is told once and not tried for ever."""
        if not is_lost(error) and not isinstance(error, StoreError):
            for job in jobs:
                if job.is_open:
                    self._refuse(job, in_our_words(error))

    def _refuse(self, job: Job[Any], error: Exception) -> None:
        """A lane that cannot be left went with its session."""
        job.refuse(error)
        if job.kind is Kind.LEAVE:
            self._lanes.drop(job.asked)


def _check(lane: HeldLane | None) -> None:
    if lane is not None and lane.lost:
        raise LaneLost(f"the lane {lane.name} is another daemon's now")
