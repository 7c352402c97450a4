"""All of it together: daemons on one database, those who write to them, and what goes wrong.

    run(scenario, seed) ─▶ Outcome: how fast, what was busy, and whatever must never be

Rules: the same arguments give the same outcome; nothing is random but by the run's own dice; a dead daemon's lanes
are found by the others' looks, its holds and sends are ended by one of them.
"""

from __future__ import annotations

import random
from array import array
from collections import deque
from collections.abc import Callable

from bench.fleet.agenda import Agenda
from bench.fleet.daemons import Daemon
from bench.fleet.database import Database, HeldRow
from bench.fleet.outcome import Outcome
from bench.fleet.sessions import Session
from bench.fleet.settings import Flaw, Scenario
from bench.fleet.world import Message, World
from runner.money.amounts import Money
from runner.money.budget import Counter, ScopeLimit
from runner.money.estimate import Estimate
from runner.money.ledger import Attempt
from runner.money.reservation import ReservationState
from runner.money.usage import Usage
from runner.ports.books import Held, HoldRequest, Settlement
from runner.store.rules import lost_hold

COME_AGAIN_S = 1.0
RESTART_S = 3.0
GONE_S = 0.05
"""A killed daemon's last transaction is over by then."""
BURIALS = 2
"""Looks for what a dead daemon left, at least."""
LOST_S = 6.0
"""The server ends a silent session."""
STUCK_S = 4.0
"""The server ends a session that is silent in a transaction."""
SHORT_HANG_S, LONG_HANG_S = (0.1, 3.5), (7.0, 15.0)
NEXT_TURN = 7919
LUCK = 5
"""Throws for a daemon that is well; most are."""
ESTIMATES = tuple(
    Estimate(tokens, 512, 256, Money(tokens * 1_000_000), 5_000_000_000_000)
    for tokens in range(200, 4200, 250)
)
USAGE = Usage(100, 60)


def run(scenario: Scenario, seed: int) -> Outcome:
    """Play it to its end."""
    return Fleet(scenario, seed).play()


class Fleet:
    """The state of one run."""

    def __init__(self, scenario: Scenario, seed: int) -> None:
        self.scenario = scenario
        self.dice = random.Random(seed)
        self.agenda = Agenda()
        self.world = World(scenario.conversations, scenario.bots, scenario.messages, scenario.cap)
        busy = (
            scenario.at_once if scenario.rate is None else int(scenario.rate * (0.1 + sum(scenario.call) / 2))
        )
        self.database = Database(
            self.agenda, scenario.costs, scenario.server, scenario.habits, scenario.daemons, busy
        )
        self.daemons = [Daemon(self, number, number) for number in range(scenario.daemons)]
        self.sending: dict[int, int] = {}
        self.batches = self.units = self.refused = self.told = 0
        self._numbers = scenario.daemons
        self._places: dict[int, deque[Message]] = {}
        self._waiting: dict[int, None] = {}
        self._looking = False
        self._born = 0
        self._times = array("d")
        self._added = array("f")
        self._sums: dict[str, list[int]] = {}

    def play(self) -> Outcome:
        """From the first message to the last thing that happens."""
        scenario = self.scenario
        if scenario.rate is None:
            for _ in range(min(scenario.at_once, scenario.messages)):
                self._write()
        else:
            self._write_on()
        span = scenario.messages / (scenario.rate or 400.0 * scenario.daemons)
        for number in range(scenario.faults.kills + scenario.faults.hangs):
            at_s = self.dice.uniform(0.02, max(0.1, span))
            self.agenda.after(at_s, self._kill if number < scenario.faults.kills else self._hang)
        self.agenda.run()
        self._check_books()
        self.world.check_end(scenario.messages)
        return self._outcome()

    # ── those who write ───────────────────────────────────────────────────────────────────────────────────
    def _write_on(self) -> None:
        self._write()
        if self._born < self.scenario.messages and self.scenario.rate is not None:
            self.agenda.after(self.dice.expovariate(self.scenario.rate), self._write_on)

    def _write(self) -> None:
        """One more message: in turn of each conversation; each tenth right behind the one before."""
        number, self._born = self._born, self._born + 1
        lane = (number - number // 10) * NEXT_TURN % self.scenario.conversations
        message = Message(number, lane, lane % self.scenario.bots, self.agenda.now)
        self._deliver(message)
        if self.dice.random() * 100 < self.scenario.faults.doubled:
            self.agenda.after(self.dice.random(), self._deliver, message)

    def _deliver(self, message: Message) -> None:
        """To any daemon; one that is dead is known to be so, one that hangs is not."""
        daemon = self._pick(lambda one: one.alive)
        if daemon is None:
            self.deliver_again(message)
        else:
            daemon.deliver(message)

    def deliver_again(self, message: Message) -> None:
        """Nobody said that it was taken."""
        self.agenda.after(COME_AGAIN_S, self._deliver, message)

    # ── the store, as its transactions change it ──────────────────────────────────────────────────────────
    def request(self, message: Message) -> HoldRequest:
        """The hold for one call."""
        message.attempts += 1
        slices = self.scenario.habits.slices
        name = f"bot:b{message.bot}"
        if slices > 1:
            name += f"/{message.number % slices}"
        turn = f"t{message.number}"
        attempt = Attempt(f"{turn}.{message.attempts}", 0, "b", "p", "c", "c", "u", turn, "echo", "m", "1")
        scopes = (ScopeLimit(name, self.scenario.cap // slices),)
        return HoldRequest(attempt, scopes, ESTIMATES[message.number % len(ESTIMATES)])

    def play_call(self, held: Held) -> tuple[Settlement, int]:
        """How the provider ends a call, and what it bills: never more than the bound."""
        faults, roll = self.scenario.faults, self.dice.random() * 100
        if roll < faults.rejected:
            return Settlement(held.attempt_id, ReservationState.RELEASED), 0
        cost = self.dice.randint(held.amount // 5, held.amount)
        if roll < faults.rejected + faults.unknown:
            return Settlement(held.attempt_id, ReservationState.UNKNOWN), cost
        return Settlement(held.attempt_id, ReservationState.SETTLED, Money(cost), USAGE), cost

    def held(self, attempt: str, row: HeldRow) -> None:
        """A ledger row is written."""
        self.database.held[attempt] = row

    def settled(self, settlement: Settlement, row: HeldRow, amount: int) -> None:
        """A ledger row has ended."""
        if self.database.held.pop(settlement.attempt_id, None) is None:
            self.world.note(f"the attempt {settlement.attempt_id} ended twice")
        if settlement.state is ReservationState.SETTLED:
            row.message.paid = True
        if settlement.state is not ReservationState.RELEASED:
            unknown = settlement.state is ReservationState.UNKNOWN
            for name in row.scopes:
                self._sums.setdefault(name, [0, 0])[unknown] += amount

    def finished(self, message: Message, session: Session) -> bool:
        """A turn is over, and its reply is in the outbox."""
        if not self.world.finish(message):
            return False
        now = self.agenda.now
        self._times.append(now)
        self._added.append(now - message.born - message.called_s)
        place = self._places.setdefault(message.lane, deque())
        place.append(message)
        if place[0] is message:
            self.sending[message.number] = session.daemon.number
        if self.scenario.rate is None and self._born < self.scenario.messages:
            self._write()
        return True

    def may_send(self, message: Message, daemon: Daemon) -> bool:
        """Whether that daemon is the one who sends this reply, and has not begun to."""
        mine = self.sending.get(message.number) == daemon.number != message.sender
        if mine:
            message.sender = daemon.number
        return mine

    def through(self, message: Message, session: Session) -> None:
        """A reply is sent; the next of its place is taken up by the same daemon."""
        if self.sending.pop(message.number, None) is None:
            return
        place = self._places[message.lane]
        place.popleft()
        if place:
            self.sending[place[0].number] = session.daemon.number
        else:
            del self._places[message.lane]

    def next_send(self, lane: int) -> Message | None:
        """The reply whose turn it is in that place."""
        place = self._places.get(lane)
        return place[0] if place else None

    # ── lanes ─────────────────────────────────────────────────────────────────────────────────────────────
    def enter(self, lane: int, session: Session) -> bool | None:
        """Take a lane's lock for a session."""
        if session.closed:
            return False
        if Flaw.NO_LANE_LOCK in self.scenario.flaws:
            return True
        taken = self.database.enter(lane, session)
        if taken:
            session.lanes.add(lane)
        return taken

    def leave(self, lane: int, session: Session) -> None:
        """Let a lane go."""
        if self.database.lanes.get(lane) is session:
            del self.database.lanes[lane]
            session.lanes.discard(lane)
            self.unattended(lane)

    def tell(self, lane: int, teller: Daemon) -> None:
        """News for whoever holds that lane: all daemons are woken by it."""
        self.told += 1
        costs = self.scenario.costs
        cpu = costs.tell + costs.tell_listener * len(self.daemons)
        self.database.work(cpu, costs.trip, self._hear, lane)

    def _hear(self, lane: int) -> None:
        message, holder = self.world.head(lane), self.database.lanes.get(lane)
        if message is None:
            return
        if isinstance(holder, Session):
            holder.daemon.later(self.scenario.costs.trip, holder.daemon.wake, message)
        else:
            self.unattended(lane)

    def unattended(self, lane: int) -> None:
        """There may be work that nobody does: some daemon's next look finds it."""
        if lane in self.world.open and lane not in self.database.lanes:
            self._waiting[lane] = None
            if not self._looking:
                self._look_soon()

    def _look_soon(self) -> None:
        self._looking = True
        habits = self.scenario.habits
        every_s = 1.0 / habits.looks_per_s(len(self.daemons), habits.look)
        self.agenda.after(self.dice.uniform(0, 2 * every_s), self._look)

    def _look(self) -> None:
        """One daemon's look."""
        self._looking = False
        daemon = self._any()
        if daemon is not None:
            room = self.scenario.habits.lanes - daemon.running
            for lane in list(self._waiting)[: max(0, room)]:
                del self._waiting[lane]
                message = self.world.head(lane)
                if message is not None and lane not in self.database.lanes:
                    daemon.wake(message)
        if self._waiting and not self._looking:
            self._look_soon()

    def _any(self) -> Daemon | None:
        """A daemon that is well."""
        return self._pick(lambda one: one.alive and not one.hung)

    def _pick(self, fit: Callable[[Daemon], bool]) -> Daemon | None:
        for _ in range(LUCK):
            daemon = self.daemons[int(self.dice.random() * len(self.daemons))]
            if fit(daemon):
                return daemon
        return next((daemon for daemon in self.daemons if fit(daemon)), None)

    # ── what goes wrong ───────────────────────────────────────────────────────────────────────────────────
    def _kill(self) -> None:
        daemon = self._any()
        if daemon is None:
            return
        number = daemon.number
        daemon.die()
        self.agenda.after(RESTART_S, self._rise, daemon)
        self.agenda.after(
            GONE_S + self.dice.random() * self.scenario.habits.bury, self._bury, number, BURIALS
        )

    def _rise(self, daemon: Daemon) -> None:
        daemon.rise(self._number())

    def _hang(self) -> None:
        daemon = self._any()
        if daemon is None:
            return
        daemon.hung = True
        short = self.dice.random() < 0.5
        hangs_s = self.dice.uniform(*(SHORT_HANG_S if short else LONG_HANG_S))
        if not short:
            self.agenda.after(STUCK_S, daemon.unstick)
            self.agenda.after(LOST_S, self._cut, daemon)
        self.agenda.after(hangs_s, daemon.thaw)

    def _cut(self, daemon: Daemon) -> None:
        number = daemon.number
        daemon.cut(self._number())
        self.agenda.after(
            GONE_S + self.dice.random() * self.scenario.habits.bury, self._bury, number, BURIALS
        )

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _bury(self, number: int, looks: int) -> None:
        """End what a daemon left: holds become unknown, replies go again; looked at until nothing is left."""
        holds = [(attempt, row) for attempt, row in self.database.held.items() if row.daemon == number]
        sends = [lane for lane, place in self._places.items() if self.sending.get(place[0].number) == number]
        burier = self._any()
        if burier is not None:
            for attempt, row in holds:
                burier.bury(row.message, lost_hold(attempt))
            for lane in sends:
                message = self._places[lane][0]
                message.listed = True
                self.sending[message.number] = burier.number
                burier.send(message)
        if holds or sends or looks > 1:
            self.agenda.after(COME_AGAIN_S, self._bury, number, looks - 1)

    # ── the end ───────────────────────────────────────────────────────────────────────────────────────────
    def _check_books(self) -> None:
        """The rows add up to the counters, and the books are never below the bills."""
        gone = [0] * self.scenario.bots
        for name, counter in self.database.counters.items():
            settled, unknown = self._sums.get(name, (0, 0))
            if counter != Counter(settled, unknown, 0):
                self.world.note(f"{name}: the counter says {counter}, its rows {settled} and {unknown}")
            gone[int(name.removeprefix("bot:b").partition("/")[0])] += counter.gone
        if self.database.held:
            self.world.note(f"{len(self.database.held)} holds were never ended")
        for bot, billed in enumerate(self.world.billed):
            if not billed <= gone[bot] <= self.scenario.cap:
                self.world.note(f"bot {bot}: billed {billed}, booked {gone[bot]}, cap {self.scenario.cap}")

    def _outcome(self) -> Outcome:
        seconds, times = self.agenda.now, self._times
        first, last = len(times) // 5, len(times) * 9 // 10
        working = max(times[-1] if times else 0.0, 1e-9)
        added = sorted(self._added) or [0.0]
        database = self.database
        lives = working * len(self.daemons)
        return Outcome(
            seconds=seconds,
            rate=(last - first) / max(1e-9, times[last] - times[first]) if last > first else 0.0,
            p50=added[len(added) // 2],
            p99=added[len(added) * 99 // 100],
            cores=(database.busy_s / working + database.background) / self.scenario.server.cores,
            background=database.background / self.scenario.server.cores,
            log=database.flushing_s / working,
            row=max(database.row_s.values(), default=0.0) / working,
            daemon=sum(daemon.busy_s for daemon in self.daemons) / lives,
            batch=self.units / max(1, self.batches),
            flushes=database.flushes / working,
            most_locks=database.most_locks,
            refused_locks=database.refused_locks,
            refused=self.refused,
            told=self.told,
            doubled=self.world.doubled,
            calls=self.world.calls,
            longest=added[-1],
            longest_wait=database.longest_wait,
            faults=tuple(self.world.faults),
        )
