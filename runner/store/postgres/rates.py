"""`runner.ports.rates.Rates` on PostgreSQL: one row a key, with the times of its last minute by the database's clock.

    take_all ─▶ waits ─┐
    take_all ─▶ waits ─┼▶ one transaction: lock the keys in order ─▶ decide here, one message after another ─▶ write
    take_all ─▶ waits ─┘

Rules: never more than the limit in any sixty seconds, whoever counts: a time is never before one that was counted
earlier, and what is looked at is locked. Those that came while a transaction ran share the next one, so that a hot key
costs a transaction a batch and not a message. A row holds no more times than its key's limit. A count does not wait for
the server's disk: what its crash takes with it is a part of one minute.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from runner.errors import StoreError
from runner.ports.rates import MINUTE_S, Rate
from runner.store.postgres.changes import changed
from runner.store.postgres.connection import Connection
from runner.store.postgres.desk import Desk
from runner.store.queries import Queries

SECOND = 1_000_000
"""Times are microseconds."""
MINUTE = int(MINUTE_S) * SECOND
AT_ONCE = 500
"""Messages that are counted in one transaction."""
RATES_AT_ONCE = 500
_TRIES = 3
"""A row that is not there is made; upkeep may take it away again before it is locked, but hardly so often."""

Limited = tuple[str, int]
"""A key and how many messages a minute it may have."""


@dataclass(slots=True)
class Log:
    """A key's last minute: when messages were counted, the oldest first. `dropped`: of the row's first ones."""

    times: list[int]
    dropped: int = 0
    added: int = 0


def log_of(times: Sequence[int], now: int) -> Log:
    """What of a row's times still counts; not what a clock that was put back since has left far in the future."""
    if times and times[-1] > now + MINUTE:
        return Log([], len(times))
    old = bisect_right(times, now - MINUTE)
    return Log(list(times[old:]), old)


def decide(asked: Sequence[Sequence[Limited]], logs: dict[str, Log], now: int) -> tuple[list[float], int]:
    """Count messages one after another: 0.0 or the wait in seconds for each, and the time that was counted.

    That time goes into the logs; it is not before any that is there.
    """
    moment = max([now, *(log.times[-1] for log in logs.values() if log.times)])
    waits = []
    for limited in asked:
        wait = max(_wait(logs[key].times, limit, now) for key, limit in limited)
        if not wait:
            for key, _ in limited:
                logs[key].times.append(moment)
                logs[key].added += 1
        waits.append(wait / SECOND)
    return waits, moment


def _wait(times: Sequence[int], limit: int, now: int) -> int:
    if len(times) < limit:
        return 0
    return times[len(times) - limit] + MINUTE - now if limit > 0 else MINUTE


@dataclass(slots=True, eq=False)
class _Asked:
    limited: list[Limited]
    answer: float | StoreError | None = field(default=None)


class PostgresRates:
    """A `runner.ports.rates.Rates`."""

    def __init__(self, desk: Desk, sql: Queries) -> None:
        self._desk = desk
        self._sql = sql
        self._waiting: list[_Asked] = []  # as many as there are callers
        self._turn = asyncio.Lock()

    async def take_all(self, rates: Sequence[Rate]) -> float:
        """As the port says."""
        limited = [(key, limit) for key, limit in rates if limit is not None]
        if not limited:
            return 0.0
        asked = _Asked(limited)
        self._waiting.append(asked)
        try:
            async with self._turn:
                while asked.answer is None:
                    await self._count()
        finally:
            if asked in self._waiting:
                self._waiting.remove(asked)
        if isinstance(asked.answer, StoreError):
            raise StoreError(str(asked.answer)) from asked.answer
        return asked.answer

    async def give_back(self, rates: Sequence[Rate], ago_s: float = 0.0) -> None:
        """As the port says."""
        keys = sorted({key for key, limit in rates if limit is not None})
        if not keys:
            return
        try:
            await self._desk.write(lambda c: self._uncount(c, keys, ago_s))
        except StoreError:
            return  # it counts, then

    async def forget_idle(self, connection: Connection) -> int:
        """Remove some rows of keys that nothing was counted for in the last minute; a unit."""
        return changed(await connection.execute(self._sql["forget_idle_rates"], MINUTE, RATES_AT_ONCE))

    async def _count(self) -> None:
        """Answer those who wait, the first of them."""
        batch, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
        try:
            waits = await self._desk.write(lambda c: self._decided(c, [one.limited for one in batch]))
        except StoreError as error:
            for one in batch:
                one.answer = error
        except BaseException:
            self._waiting[:0] = batch  # whoever still waits asks again; what was counted by then, counts
            raise
        else:
            for one, wait in zip(batch, waits, strict=True):
                one.answer = wait

    async def _decided(self, connection: Connection, asked: Sequence[Sequence[Limited]]) -> list[float]:
        await connection.execute(self._sql["rates_need_no_disk"])
        rows = await self._lock(connection, {key for limited in asked for key, _ in limited})
        now = int(await connection.fetchval(self._sql["now_us"]))
        logs = {key: log_of(times, now) for key, times in rows.items()}
        waits, moment = decide(asked, logs, now)
        counted = {key: log for key, log in logs.items() if log.added}
        if counted:
            await connection.execute(
                self._sql["count_rates"],
                moment,
                list(counted),
                [log.dropped for log in counted.values()],
                [log.added for log in counted.values()],
            )
        return waits

    async def _lock(self, connection: Connection, keys: set[str]) -> dict[str, list[int]]:
        """The rows of these keys, ours until the transaction ends."""
        found: dict[str, list[int]] = {}
        for _ in range(_TRIES):
            rows = await connection.fetch(self._sql["lock_rates"], sorted(keys.difference(found)))
            found |= dict(map(tuple, rows))
            missing = sorted(keys.difference(found))
            if not missing:
                return found
            await connection.execute(self._sql["begin_rates"], missing)
        raise StoreError("messages could not be counted")

    async def _uncount(self, connection: Connection, keys: list[str], ago_s: float) -> None:
        await connection.execute(self._sql["rates_need_no_disk"])
        rows = await connection.fetch(self._sql["lock_rates"], keys)
        latest = int(await connection.fetchval(self._sql["now_us"])) - int(ago_s * SECOND)
        behind = {key: bisect_right(times, latest) for key, times in rows}
        places = {key: place - 1 for key, place in behind.items() if place}
        if places:
            await connection.execute(self._sql["uncount_rates"], list(places), list(places.values()))
