"""Holds and their ends, many at once.

Rules: ends come before holds, so that what they give back is there for these; counters are locked once a
transaction; what our own holds were written with is remembered, so that their ends need not read it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from runner.errors import IllegalStep, StoreError
from runner.money.amounts import Money
from runner.money.reservation import ReservationState
from runner.ports.books import Held, HoldRequest, Settled, Settlement
from runner.store.postgres.books import (
    Reservation,
    add_holds,
    end_holds,
    funds,
    lock_counters,
    reservations,
    save_counters,
)
from runner.store.postgres.connection import Connection
from runner.store.postgres.jobs import Batch, Job, Kind, Restart
from runner.store.queries import Queries
from runner.store.rules import Counters, End, Hold, end, in_force, scope_names, take

REMEMBERED = 20_000
"""Holds whose rows are remembered until they end."""


class OpenHolds:
    """What our holds were written with. Bounded; what is not in it is read."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._rows: OrderedDict[str, Reservation] = OrderedDict()

    def get(self, attempt_id: str) -> Reservation | None:
        """As it was when it was held."""
        return self._rows.get(attempt_id)

    def keep(self, attempt_id: str, row: Reservation) -> None:
        """It is held, durably."""
        self._rows[attempt_id] = row
        if len(self._rows) > self._most:
            self._rows.popitem(last=False)

    def forget(self, attempt_id: str) -> None:
        """It has ended."""
        self._rows.pop(attempt_id, None)


@dataclass(slots=True)
class Ledger:
    """What a transaction is about to write. `changed`: names of counters."""

    counters: Counters
    changed: set[str] = field(default_factory=set)
    held: list[tuple[Job[HoldRequest], tuple[str, ...], Held]] = field(default_factory=list)
    ended: list[tuple[Job[Settlement], End]] = field(default_factory=list)

    def put(self, counters: Counters) -> None:
        """Counters as they are from now on."""
        self.counters.update(counters)
        self.changed.update(counters)


class HotMoney:
    """Jobs on `scopes` and `ledger`."""

    def __init__(self, sql: Queries, known: OpenHolds) -> None:
        self._sql = sql
        self._known = known

    async def rows(self, connection: Connection, batch: Batch) -> dict[str, Reservation]:
        """What the attempts that end were held with; those that there are not are refused."""
        jobs: Sequence[Job[Settlement]] = batch.of(Kind.SETTLE)
        found = {}
        unknown = []
        for job in jobs:
            row = self._known.get(job.asked.attempt_id)
            if row is None:
                unknown.append(job.asked.attempt_id)
            else:
                found[job.asked.attempt_id] = row
        found |= await reservations(connection, self._sql, unknown)
        for job in jobs:
            if job.asked.attempt_id not in found:
                job.refuse(IllegalStep(f"there is no attempt {job.asked.attempt_id}"))
        return found

    async def settle_and_hold(
        self, connection: Connection, batch: Batch, rows: Mapping[str, Reservation], daemon: int | None
    ) -> None:
        """As `MoneyStore.settle` and `MoneyStore.hold`."""
        settles: Sequence[Job[Settlement]] = batch.of(Kind.SETTLE)
        holds: Sequence[Job[HoldRequest]] = batch.of(Kind.HOLD)
        if not settles and not holds:
            return
        paid_in = None
        if any(scope.funded for job in holds for scope in job.asked.scopes):
            paid_in = await funds(connection, self._sql)
        names = {name for job in settles for name in rows[job.asked.attempt_id].scopes}
        for hold in holds:
            names.update(scope.name for scope in in_force(hold.asked.scopes, paid_in))
        ledger = Ledger(await lock_counters(connection, self._sql, names))
        for settle in settles:
            _end(settle, rows[settle.asked.attempt_id], ledger)
        for hold in holds:
            _take(hold, paid_in, ledger)
        await self._write(connection, batch, ledger, daemon)
        await self._check_refused(connection, holds)

    async def _write(self, connection: Connection, batch: Batch, ledger: Ledger, daemon: int | None) -> None:
        ended = await end_holds(connection, self._sql, [(job.asked, how) for job, how in ledger.ended])
        added = await add_holds(
            connection,
            self._sql,
            [(job.asked.attempt, names, held) for job, names, held in ledger.held],
            daemon,
        )
        for number in (*ended.values(), *added.values()):
            batch.wrote(number)
        refused = False
        for job, _ in ledger.ended:
            if job.asked.attempt_id not in ended:
                self._known.forget(job.asked.attempt_id)
                job.refuse(IllegalStep(f"attempt {job.asked.attempt_id} has ended already"))
                refused = True
        for hold, _, _ in ledger.held:
            if hold.asked.attempt.id not in added:
                hold.refuse(_exists(hold.asked))
                refused = True
        if refused:
            raise Restart
        await save_counters(
            connection, self._sql, {name: ledger.counters[name] for name in sorted(ledger.changed)}
        )

    async def _check_refused(self, connection: Connection, holds: Sequence[Job[HoldRequest]]) -> None:
        """A hold that the rules refuse is illegal all the same where its attempt is there."""
        refused = [job for job in holds if job.error is None and not isinstance(job.result, Held)]
        if not refused:
            return
        rows = await connection.fetch(self._sql["attempts_there"], [job.asked.attempt.id for job in refused])
        there = {row[0] for row in rows}
        for job in refused:
            if job.asked.attempt.id in there:
                job.refuse(_exists(job.asked))

    def committed(self, batch: Batch) -> None:
        """Remember what is held from now on, forget what has ended."""
        for job in batch.of(Kind.HOLD):
            if isinstance(job.result, Held):
                request: HoldRequest = job.asked
                names = tuple(scope.name for scope in job.result.scopes)
                row = Reservation(
                    Hold(ReservationState.HELD, job.result.amount, job.result.tokens),
                    names,
                    request.attempt.turn,
                )
                self._known.keep(request.attempt.id, row)
        for job in batch.of(Kind.SETTLE):
            self._known.forget(job.asked.attempt_id)


def _end(job: Job[Settlement], row: Reservation, ledger: Ledger) -> None:
    counters = {name: ledger.counters[name] for name in row.scopes}
    try:
        how = end(row.hold, job.asked, counters)
    except (IllegalStep, StoreError) as refused:
        job.refuse(refused)
        if job.asked.step is not None:
            raise Restart from None  # its step was written
        return
    ledger.put(how.counters)
    ledger.ended.append((job, how))
    job.result = Settled(how.amount, how.counters)


def _take(job: Job[HoldRequest], paid_in: Money | None, ledger: Ledger) -> None:
    request = job.asked
    try:
        scopes = in_force(request.scopes, paid_in)
        names = scope_names(scopes)
        job.result, after = take(request, scopes, ledger.counters)
    except (IllegalStep, StoreError, ValueError) as refused:
        job.refuse(refused)
        return
    if isinstance(job.result, Held):
        ledger.put(after)
        ledger.held.append((job, names, job.result))


def _exists(request: HoldRequest) -> IllegalStep:
    return IllegalStep(f"attempt {request.attempt.id} exists already")
