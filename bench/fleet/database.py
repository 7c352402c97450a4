"""One PostgreSQL: processors, the log, rows that one transaction has at a time, locks of sessions.

    work     a processor of it is free ─▶ so long          what daemons ask all the time by themselves goes off before
    flush    the log is written once for all who commit    whoever comes meanwhile goes with the next
    take     a row, or a place behind those who have it    until their commit is on the disk
    enter    a lane's advisory lock                        of a session: it goes with the session

Rules: whoever takes rows takes them in the order of their names; a table of locks that is full is an error for
whoever wants one more.
"""

from __future__ import annotations

import heapq
from collections import deque
from typing import Protocol

from bench.fleet.agenda import Act, Agenda
from bench.fleet.settings import Costs, Habits, Server
from bench.fleet.world import Message
from runner.money.budget import Counter
from runner.store.rules import Hold

LEAST_SPEED = 0.02
"""What is left of a database that its daemons' habits alone keep busy: nothing ends then, but the run does."""


class Taker(Protocol):
    """A transaction that takes rows."""

    ended: bool

    def granted(self) -> None:
        """The row that it waited for is its own."""


class HeldRow:
    """A row of the ledger that is `held`: what, against which scopes, by which daemon, for which message."""

    __slots__ = ("daemon", "hold", "message", "scopes")

    def __init__(self, hold: Hold, scopes: tuple[str, ...], daemon: int, message: Message) -> None:
        self.hold = hold
        self.scopes = scopes
        self.daemon = daemon
        self.message = message


class Database:
    """The server and what is in it.

    Attributes:
        counters: the scopes.
        held: ledger rows that have not ended, by attempt.
        lanes: who holds a lane.
        busy_s, flushing_s: processor time used by work, and time in which the log was being written.
        row_s: how long each row was taken; `longest_wait`: for one, in seconds.
    """

    def __init__(
        self, agenda: Agenda, costs: Costs, server: Server, habits: Habits, daemons: int, busy_lanes: int
    ) -> None:  # fmt: skip
        self._agenda = agenda
        self._costs = costs
        self._server = server
        self.counters: dict[str, Counter] = {}
        self.held: dict[str, HeldRow] = {}
        self.lanes: dict[int, object] = {}
        self.background = background(costs, habits, daemons, daemons + busy_lanes)
        self._speed = max(LEAST_SPEED, 1.0 - self.background / server.cores)
        self._free = [0.0] * server.cores
        self._committing: list[tuple[Act, tuple[object, ...]]] = []
        self._flushing = False
        self._takers: dict[str, tuple[Taker, float]] = {}
        self._behind: dict[str, deque[tuple[Taker, float]]] = {}
        self.busy_s = 0.0
        self.flushing_s = 0.0
        self.row_s: dict[str, float] = {}
        self.longest_wait = 0.0
        self.flushes = 0
        self.most_locks = 0
        self.refused_locks = 0

    def work(self, cpu_s: float, later_s: float, act: Act, *arguments: object) -> None:
        """Use a processor for so long, the first that is free; `act` comes `later_s` after that."""
        agenda = self._agenda
        free = heapq.heappop(self._free)
        end = max(free, agenda.now) + cpu_s / self._speed
        heapq.heappush(self._free, end)
        self.busy_s += cpu_s
        agenda.after(end - agenda.now + later_s, act, *arguments)

    def flush(self, act: Act, *arguments: object) -> None:
        """Commit; `act` when it is on the disk."""
        self._committing.append((act, arguments))
        if not self._flushing:
            self._write()

    def _write(self) -> None:
        self._flushing = True
        self.flushes += 1
        self.flushing_s += self._costs.fsync
        group, self._committing = self._committing, []
        self._agenda.after(self._costs.fsync, self._written, group)

    def _written(self, group: list[tuple[Act, tuple[object, ...]]]) -> None:
        self._flushing = False
        for act, arguments in group:
            act(*arguments)
        if self._committing and not self._flushing:
            self._write()

    def take(self, name: str, taker: Taker) -> bool:
        """Take a row; False where it is another's: `granted` is called when it is ours."""
        if name in self._takers:
            self._behind.setdefault(name, deque()).append((taker, self._agenda.now))
            return False
        self._takers[name] = (taker, self._agenda.now)
        return True

    def let_go(self, names: list[str]) -> None:
        """Give rows back, each to the next in the queue."""
        now = self._agenda.now
        for name in names:
            _, since = self._takers.pop(name)
            self.row_s[name] = self.row_s.get(name, 0.0) + now - since
            waiting = self._behind.get(name)
            while waiting:
                taker, asked = waiting.popleft()
                if not taker.ended:
                    self.longest_wait = max(self.longest_wait, now - asked)
                    self._takers[name] = (taker, now)
                    self._agenda.after(0.0, taker.granted)
                    break
            else:
                self._behind.pop(name, None)

    def enter(self, lane: int, who: object) -> bool | None:
        """Take a lane's lock; False where another has it, None where there is no room for one more."""
        holder = self.lanes.get(lane)
        if holder is not None:
            return holder is who
        if len(self.lanes) >= self._server.lock_table:
            self.refused_locks += 1
            return None
        self.lanes[lane] = who
        self.most_locks = max(self.most_locks, len(self.lanes))
        return True


def background(costs: Costs, habits: Habits, daemons: int, locks: int) -> float:
    """Processors that the daemons keep busy without a single message: looks, burials, heartbeats.

    `locks`: how many the server has at such a moment, of daemons and of lanes.
    """
    looks = habits.looks_per_s(daemons, habits.look) * costs.look_lock * locks
    burials = habits.looks_per_s(daemons, habits.bury) * costs.bury_daemon * min(daemons, habits.neighbours)
    return daemons * costs.idle + looks + burials
