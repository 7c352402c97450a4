"""A daemon: it takes messages in, works lanes off, calls the model, sends replies; it may die or hang at any moment.

    deliver ─▶ ACCEPT ─▶ wake the lane ─▶ ENTER ─▶ NEXT ─▶ HOLD ─▶ call ─▶ SETTLE ─▶ FINISH ─▶ NEXT … LEAVE
                                            │                                          └─▶ send ─▶ SENT
                                            └─ another has it: tell it, and leave it alone

Rules: what a dead daemon had in mind is gone, what a hung one reads it reads late; a lane's work goes through the
session that holds the lane, and ends where that session has ended.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bench.fleet.sessions import Answer, Session, Unit
from bench.fleet.settings import Flaw, Kind
from bench.fleet.world import Message
from runner.money.budget import Busy
from runner.money.reservation import ReservationState
from runner.ports.books import Held, HoldRequest, Settlement

if TYPE_CHECKING:
    from bench.fleet.fleet import Fleet

BUSY_S = 0.25
PATIENCE_S = 10.0
FAULT_S = 0.5
SURE_S = 4.0
"""A hold that took longer is not believed before the lane was looked at again."""


class Daemon:
    """One process.

    Attributes:
        number: its number in the store; another one after it was buried.
        hung: it does nothing, and the world goes on.
        busy_s: processor time of its own.
    """

    def __init__(self, fleet: Fleet, number: int, place: int) -> None:
        self.fleet = fleet
        self.number = number
        self.place = place
        self.alive = True
        self.hung = False
        self.busy_s = 0.0
        self.sessions: list[Session] = []
        self._life = 0
        self._free_at = 0.0
        self._running: dict[int, bool] = {}
        self._incoming: dict[int, Message] = {}
        self._parked: list[Callable[[], None]] = []
        self.connect()

    @property
    def running(self) -> int:
        """Lanes at work."""
        return len(self._running)

    def connect(self) -> None:
        """New sessions with the store."""
        self.sessions = [Session(self, self.fleet) for _ in range(self.fleet.scenario.habits.sessions)]

    def later(self, delay_s: float, act: Callable[..., None], *arguments: Any) -> None:
        """Call `act` in so long, unless it is dead by then; where it hangs, when it goes on."""
        self.fleet.agenda.after(delay_s, self._run, self._life, act, arguments)

    def _run(self, life: int, act: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        if life != self._life or not self.alive:
            return
        if self.hung:
            self._parked.append(lambda: act(*arguments))
        else:
            act(*arguments)

    def _compute(self, cpu_s: float, act: Callable[..., None], *arguments: Any) -> None:
        """Use its one processor."""
        now = self.fleet.agenda.now
        self._free_at = max(self._free_at, now) + cpu_s
        self.busy_s += cpu_s
        self.later(self._free_at - now, act, *arguments)

    def _session(self, message: Message) -> Session:
        return self.sessions[message.bot % len(self.sessions)]

    # ── life ──────────────────────────────────────────────────────────────────────────────────────────────
    def die(self) -> None:
        """All at once, as by `kill -9`."""
        self.alive = False
        self._life += 1
        self._parked.clear()
        self._drop()

    def rise(self, number: int) -> None:
        """Another process in its place."""
        self.alive, self.number = True, number
        self.hung = False
        self.connect()

    def cut(self, number: int) -> None:
        """The server has ended the sessions of a hung one: it is another daemon when it goes on."""
        self._drop()
        self.number = number
        self.connect()

    def unstick(self) -> None:
        """The server ends those sessions of a hung one that are in the middle of a transaction."""
        for place, session in enumerate(self.sessions):
            if session.running is not None and not session.running.committing:
                session.cut()
                self.sessions[place] = Session(self, self.fleet)

    def bury(self, message: Message, lost: Settlement) -> None:
        """End a hold that a dead daemon left."""
        self._session(message).ask(Unit(Kind.SETTLE, message, _nothing, lost))

    def thaw(self) -> None:
        """It goes on where it stood."""
        self.hung = False
        for session in self.sessions:
            if session.running is not None:
                session.running.thaw()
        parked, self._parked = self._parked, []
        for act in parked:
            act()

    def _drop(self) -> None:
        """All sessions are gone; what they were asked may have happened or not."""
        lanes, lost = list(self._running), list(self._incoming.values())
        self._running.clear()
        self._incoming.clear()
        for session in self.sessions:
            session.cut()
        for lane in lanes:
            self.fleet.unattended(lane)
        for message in lost:
            self.fleet.unattended(message.lane)
            self.fleet.deliver_again(message)

    # ── in ────────────────────────────────────────────────────────────────────────────────────────────────
    def deliver(self, message: Message) -> None:
        """A webhook."""
        if not self.alive or self.hung:
            self.fleet.deliver_again(message)
        else:
            self._incoming[message.number] = message
            self._compute(self.fleet.scenario.costs.deliver, self._accept, message)

    def _accept(self, message: Message) -> None:
        self._session(message).ask(Unit(Kind.ACCEPT, message, self._accepted))

    def _accepted(self, unit: Unit, answer: Answer) -> None:
        self._incoming.pop(unit.message.number, None)
        if answer is True:
            self.wake(unit.message)

    # ── lanes ─────────────────────────────────────────────────────────────────────────────────────────────
    def wake(self, message: Message) -> None:
        """There is something to do in this message's lane."""
        lane = message.lane
        if lane in self._running:
            self._running[lane] = True
        elif len(self._running) >= self.fleet.scenario.habits.lanes:
            self.fleet.unattended(lane)
        else:
            self._running[lane] = False
            self._session(message).ask(Unit(Kind.ENTER, message, self._entered))

    def _entered(self, unit: Unit, answer: Answer) -> None:
        lane = unit.message.lane
        if answer is True:
            self._next(unit.message)
        elif answer is False:
            self._running.pop(lane, None)
            self.fleet.tell(lane, self)
        else:  # no room in the table of locks
            self._running.pop(lane, None)
            self.later(FAULT_S, self.fleet.unattended, lane)

    def _ask(
        self, kind: Kind, message: Message, reply: Callable[[Unit, Answer], None],
        body: HoldRequest | Settlement | None = None,
    ) -> None:  # fmt: skip
        """Something of a lane's work; where the lane is lost, so is the work."""
        session = self._session(message)
        if message.lane in session.lanes or Flaw.NO_LANE_LOCK in self.fleet.scenario.flaws:
            session.ask(Unit(kind, message, reply, body))
        else:
            self._lost(message.lane)

    def _lost(self, lane: int) -> None:
        """The lane is another's, or nobody's: it is theirs who find it."""
        self._running.pop(lane, None)
        self.fleet.unattended(lane)

    def _next(self, message: Message) -> None:
        self._ask(Kind.NEXT, message, self._found)

    def _found(self, unit: Unit, answer: Answer) -> None:
        lane = unit.message.lane
        if isinstance(answer, Message):
            self._running[lane] = False
            self._compute(self.fleet.scenario.costs.turn, self._begin, answer, self.fleet.agenda.now)
        elif self._running.get(lane):
            self._running[lane] = False
            self._next(unit.message)
        else:
            self._ask(Kind.LEAVE, unit.message, self._left)

    def _left(self, unit: Unit, _: Answer) -> None:
        lane = unit.message.lane
        if self._running.pop(lane, False):
            self.fleet.unattended(lane)

    # ── a turn ────────────────────────────────────────────────────────────────────────────────────────────
    def _begin(self, message: Message, since_s: float) -> None:
        if message.paid:
            self._finish(message)
        else:
            asked_s = self.fleet.agenda.now
            self._ask(
                Kind.HOLD, message, lambda unit, answer: self._held(unit, answer, asked_s, since_s),
                self.fleet.request(message),
            )  # fmt: skip

    def _held(self, unit: Unit, answer: Answer, asked_s: float, since_s: float) -> None:
        fleet, message = self.fleet, unit.message
        if isinstance(answer, Held):
            session = self._session(message)
            late = fleet.agenda.now - asked_s > SURE_S and Flaw.BLIND_HOLD not in fleet.scenario.flaws
            if late and message.lane not in session.lanes:
                self._lost(message.lane)
            else:
                self._call(message, answer)
        elif isinstance(answer, Busy) and fleet.agenda.now - since_s < PATIENCE_S:
            self.later(BUSY_S, self._begin, message, since_s)
        else:
            fleet.refused += 1
            self._finish(message)

    def _call(self, message: Message, held: Held) -> None:
        fleet = self.fleet
        holder = fleet.database.lanes.get(message.lane)
        row = fleet.database.held.get(held.attempt_id)
        fleet.world.call(message, mine=holder is self._session(message), held=row is not None)
        settlement, cost = fleet.play_call(held)
        shortest, longest = fleet.scenario.call
        took = shortest if shortest == longest else fleet.dice.uniform(shortest, longest)
        message.called_s += took
        fleet.agenda.after(took, fleet.world.bill, message, cost)
        self.later(took, self._settle, message, settlement)

    def _settle(self, message: Message, settlement: Settlement) -> None:
        self._ask(Kind.SETTLE, message, self._settled, settlement)

    def _settled(self, unit: Unit, answer: Answer) -> None:
        if answer is not True:
            return
        settlement = unit.body
        if isinstance(settlement, Settlement) and settlement.state is ReservationState.RELEASED:
            self.later(BUSY_S, self._begin, unit.message, self.fleet.agenda.now)
        else:
            self._finish(unit.message)

    def _finish(self, message: Message) -> None:
        self._ask(Kind.FINISH, message, self._finished)

    def _finished(self, unit: Unit, answer: Answer) -> None:
        if answer is not True:
            return
        self.send(unit.message)
        self._next(unit.message)

    # ── out ───────────────────────────────────────────────────────────────────────────────────────────────
    def send(self, message: Message) -> None:
        """Send a reply where it is its place's turn; else whoever sends the one before goes on with it."""
        if self.fleet.may_send(message, self):
            self.later(self.fleet.scenario.send, self._sent, message)

    def _sent(self, message: Message) -> None:
        self.fleet.world.reply(message)
        self._session(message).ask(Unit(Kind.SENT, message, self._through))

    def _through(self, unit: Unit, _: Answer) -> None:
        following = self.fleet.next_send(unit.message.lane)
        if following is not None:
            self.send(following)


def _nothing(_: Unit, __: Answer) -> None:
    """Nobody waits for this answer."""
