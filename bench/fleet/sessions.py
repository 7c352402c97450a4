"""A writer session: its queue, and one transaction after the other with all that waits (group commit).

    begin ──▶ statements without money ──▶ take the scopes' rows ──▶ decide, write ──▶ commit ──▶ answers
      ▲                                      in the order of names    rules.take/end   on the disk      │
      └──────────────────────────── whatever has come meanwhile is the next batch ◀─────────────────────┘

Rules: nothing of a transaction is true before its commit; a daemon that is killed takes its transaction with it,
unless the log is being written already; one that hangs sends no further statement, and the server ends its session.
Money is decided by the store's own rules.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bench.fleet.settings import MONEY, READS, Flaw, Kind
from bench.fleet.world import Message
from runner.errors import IllegalStep
from runner.money.budget import Counter
from runner.money.reservation import ReservationState
from runner.ports.books import Held, HoldRequest, HoldResult, Settlement
from runner.store.rules import Hold, end, take

if TYPE_CHECKING:
    from bench.fleet.daemons import Daemon
    from bench.fleet.fleet import Fleet

from bench.fleet.database import HeldRow

Answer = HoldResult | Message | bool | None
Reply = Callable[["Unit", Answer], None]


class Unit:
    """One thing to do. `answer`: what came of it."""

    __slots__ = ("answer", "body", "kind", "message", "reply")

    def __init__(
        self, kind: Kind, message: Message, reply: Reply, body: HoldRequest | Settlement | None = None
    ) -> None:
        self.kind = kind
        self.message = message
        self.reply = reply
        self.body = body
        self.answer: Answer = None


class Session:
    """One connection with its queue.

    Attributes:
        lanes: those whose lock it holds.
        running: its transaction, where it has one.
        closed: the server has ended it.
    """

    def __init__(self, daemon: Daemon, fleet: Fleet) -> None:
        self.daemon = daemon
        self.fleet = fleet
        self.lanes: set[int] = set()
        self.running: Transaction | None = None
        self.closed = False
        self._queue: list[Unit] = []
        self._gathering = False

    def ask(self, unit: Unit) -> None:
        """Queue a unit; at once where nothing runs."""
        self._queue.append(unit)
        self._begin()

    def _begin(self) -> None:
        if self.running is not None or self.closed or not self._queue or self._gathering:
            return
        wait_s = self.fleet.scenario.habits.gather
        if wait_s and len(self._queue) < self.fleet.scenario.habits.batch:
            self._gathering = True
            self.daemon.later(wait_s, self._go)
        else:
            self._go()

    def _go(self) -> None:
        self._gathering = False
        if self.closed:
            return
        most = self.fleet.scenario.habits.batch
        batch, self._queue = self._queue[:most], self._queue[most:]
        self.running = Transaction(self, batch)
        self.running.begin()

    def over(self, units: list[Unit]) -> None:
        """The daemon reads its answers, late or not, and goes on with what waits."""
        self.running = None
        for unit in units:
            unit.reply(unit, unit.answer)
        self._begin()

    def cut(self) -> None:
        """The connection is gone, and its locks with it."""
        self.closed = True
        self._queue.clear()
        running, self.running = self.running, None
        if running is not None:
            running.abort()
        if running is None or running.ended:
            self.free()

    def free(self) -> None:
        """Its locks go, once the server has nothing more to do for it: not before a commit under way."""
        fleet = self.fleet
        for lane in sorted(self.lanes):
            fleet.database.lanes.pop(lane, None)
            fleet.unattended(lane)
        self.lanes.clear()


class Transaction:
    """A batch on its way.

    Attributes:
        committing: the log is being written: nothing can take it back any more.
        ended: it is over, for the server.
    """

    __slots__ = (
        "_changed", "_due", "_effects", "_ending", "_money", "_names", "_parked", "_session", "_taken", "_view",
        "committing", "ended", "units",
    )  # fmt: skip

    def __init__(self, session: Session, units: list[Unit]) -> None:
        self.units = sorted(units, key=_order) if len(units) > 1 else units
        self.committing = False
        self.ended = False
        self._session = session
        self._names: list[str] = []
        self._taken: list[str] = []
        self._due = 0
        self._money = 0.0
        self._view: dict[str, Counter] = {}
        self._ending: set[str] = set()
        self._changed: dict[str, Counter] = {}
        self._effects: list[Callable[[], None]] = []
        self._parked: Callable[[], None] | None = None

    def begin(self) -> None:
        costs, database = self._session.fleet.scenario.costs, self._session.fleet.database
        plain, self._money, last = costs.batch, 0.0, None
        for unit in self.units:
            kind = unit.kind
            cpu = costs.rows[kind] if kind is last else costs.rows[kind] + costs.first[kind]
            last = kind
            if kind in MONEY:
                self._money += cpu
            else:
                plain += cpu
        database.work(plain, costs.trip * costs.trips_before, self._step, self._read)

    def thaw(self) -> None:
        """The daemon goes on: with the statement that it was about to send."""
        parked, self._parked = self._parked, None
        if parked is not None:
            parked()

    def abort(self) -> None:
        """The session has ended before the commit was asked for."""
        if not self.committing:
            self._end()

    def granted(self) -> None:
        """The row that it waited for is its own."""
        name = self._names[self._due]
        self._taken.append(name)
        self._due += 1
        if self.ended:
            self._end()
        self._step(self._take)

    def _step(self, act: Callable[[], None]) -> None:
        if self.ended:
            return
        if self._session.daemon.hung:
            self._parked = act
        else:
            act()

    def _read(self) -> None:
        """What asks for lanes and messages, by what is true now."""
        fleet, session = self._session.fleet, self._session
        for unit in self.units:
            message = unit.message
            if unit.kind is Kind.ENTER:
                unit.answer = fleet.enter(message.lane, session)
            elif unit.kind is Kind.NEXT:
                unit.answer = fleet.world.head(message.lane)
        if self._money:
            self._names = sorted(self._scopes())
            self._due = 0
            self._take()
        elif all(unit.kind in READS for unit in self.units):
            self._commit()
        else:
            self._write()

    def _scopes(self) -> set[str]:
        held = self._session.fleet.database.held
        names: set[str] = set()
        for unit in self.units:
            if isinstance(unit.body, HoldRequest):
                names.update(scope.name for scope in unit.body.scopes)
            elif isinstance(unit.body, Settlement) and unit.body.attempt_id in held:
                names.update(held[unit.body.attempt_id].scopes)
        return names

    def _take(self) -> None:
        fleet = self._session.fleet
        locking = Flaw.UNLOCKED_SCOPES not in fleet.scenario.flaws
        while locking and self._due < len(self._names):
            name = self._names[self._due]
            if not fleet.database.take(name, self):
                return
            self._taken.append(name)
            self._due += 1
        self._decide()

    def _decide(self) -> None:
        """The rows are ours: decide all money of the batch, then write."""
        fleet, costs = self._session.fleet, self._session.fleet.scenario.costs
        counters = fleet.database.counters
        self._view = {name: counters.get(name, Counter()) for name in self._names}
        money = 0
        for unit in self.units:
            if isinstance(unit.body, HoldRequest):
                unit.answer = self._hold(unit.body, unit.message)
            elif isinstance(unit.body, Settlement):
                unit.answer = self._settle(unit.body)
            else:
                continue
            money += 1
        later = costs.trip * costs.trips_locked + costs.decide * money
        fleet.database.work(self._money, later, self._step, self._write)

    def _hold(self, request: HoldRequest, message: Message) -> HoldResult:
        result, after = take(request, request.scopes, self._view)
        if isinstance(result, Held):
            row = HeldRow(
                Hold(ReservationState.HELD, result.amount, result.tokens),
                tuple(after),
                self._session.daemon.number,
                message,
            )
            self._note(after)
            self._effects.append(lambda: self._session.fleet.held(result.attempt_id, row))
        return result

    def _settle(self, settlement: Settlement) -> bool:
        row = self._session.fleet.database.held.get(settlement.attempt_id)
        if row is None or settlement.attempt_id in self._ending:
            return False  # ended before, be it by another unit of this very batch
        then = settlement.state
        if then is ReservationState.UNKNOWN and Flaw.FREE_UNKNOWN in self._session.fleet.scenario.flaws:
            settlement = Settlement(settlement.attempt_id, ReservationState.RELEASED)
        try:
            ended = end(row.hold, settlement, {name: self._view[name] for name in row.scopes})
        except IllegalStep:
            return False
        self._ending.add(settlement.attempt_id)
        self._note(ended.counters)
        fleet = self._session.fleet
        self._effects.append(lambda: fleet.settled(settlement, row, ended.amount))
        return True

    def _note(self, after: dict[str, Counter]) -> None:
        self._view.update(after)
        self._changed.update(after)

    def _write(self) -> None:
        self.committing = True
        self._session.fleet.database.flush(self._commit)

    def _commit(self) -> None:
        """It is on the disk: it is true from here on, whoever is still there to hear of it."""
        if self.ended:
            return
        fleet, session = self._session.fleet, self._session
        fleet.database.counters.update(self._changed)
        for effect in self._effects:
            effect()
        for unit in self.units:
            if unit.kind is Kind.ACCEPT:
                unit.answer = fleet.world.accept(unit.message)
            elif unit.kind is Kind.FINISH:
                unit.answer = fleet.finished(unit.message, session)
            elif unit.kind is Kind.SENT:
                fleet.through(unit.message, session)
            elif unit.kind is Kind.LEAVE:
                fleet.leave(unit.message.lane, session)
        self._end()
        fleet.batches += 1
        fleet.units += len(self.units)
        if session.running is self:
            session.daemon.later(fleet.scenario.costs.trip, session.over, self.units)
        else:
            session.free()
            for unit in self.units:
                fleet.unattended(unit.message.lane)

    def _end(self) -> None:
        self.ended = True
        self._session.fleet.database.let_go(self._taken)
        self._taken = []


def _order(unit: Unit) -> int:
    return unit.kind
