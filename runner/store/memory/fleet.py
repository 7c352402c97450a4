"""Several daemons around one memory store: the fake of a fleet that ships.

    fleet = MemoryFleet(clock)
    one, two = fleet.join("one"), fleet.join("two")     stores; each is a daemon from its `open` on
    fleet.kill(one)     its process is gone: its lanes are free, and it can do no more
    fleet.hang(two)     it stands still, the store has ended its session; with its next word it is there again

Rules: as of `runner.ports.fleet`, at once: news is heard when it is told, a session that has ended can be buried that
moment. Whose a hold or a send is, is kept here, beside the rows.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from enum import Enum

import runner
from runner.clock import Clock
from runner.errors import IllegalStep, LaneLost, StoreError
from runner.ports.books import Held, HoldRequest, HoldResult, Settled, Settlement
from runner.ports.fleet import Burial, DaemonLine, News, NewsKind
from runner.ports.mail import Filed, FinishedTurn, NewOutbound, OutboxState, StoredStep, Work
from runner.ports.stores import LaneSession, Recovery
from runner.store.hearing import Ear, Ears
from runner.store.memory.rooms import Rooms
from runner.store.memory.store import MemoryStore

SCHEMA = 1
KEPT_MS = 3_600_000
"""For how long a daemon that ended is shown."""


class _Session(Enum):
    """How a daemon stands with the store."""

    NONE = "none"
    OPEN = "open"
    ENDED = "ended"
    """The store ended it; the process does not know yet."""
    KILLED = "killed"


class MemoryFleet:
    """What the daemons share. `before`: called with each method's name first, as by `MemoryStore`."""

    def __init__(self, clock: Clock, before: Callable[[str], None] = lambda _: None) -> None:
        self.clock = clock
        self.rooms = Rooms()
        self.rooms.outbox.in_order = True
        self.members: dict[int, MemoryMember] = {}
        """Those that have a session, by their number."""
        self.lanes: dict[str, int] = {}
        """Which lane is held by whom."""
        self.entries: dict[str, int] = {}
        """How often each lane was entered."""
        self.holders: dict[str, int] = {}
        self.senders: dict[int, int] = {}
        self._lines: dict[int, DaemonLine] = {}
        self._before = before

    def join(self, name: str) -> MemoryMember:
        """A store on the shared rooms, not opened yet; `name`: as in `DaemonLine`."""
        return MemoryMember(self, name, self._before)

    def kill(self, member: MemoryMember) -> None:
        """As `kill -9`: what it would do from now on raises StoreError."""
        member.end_session(for_good=True)

    def hang(self, member: MemoryMember) -> None:
        """As SIGSTOP, once the store has ended its session: others may take over, and it goes on when it likes."""
        member.end_session(for_good=False)

    # ── for the members ──────────────────────────────────────────────────────────────────────────────────
    def enter(self, member: MemoryMember, number: int) -> int:
        """A session begins; its number: the old one (0: none yet), unless that was buried meanwhile."""
        now = self.clock.now_ms()
        line = self._lines.get(number)
        if line is None or line.ended_ms is not None:
            number = len(self._lines) + 1
            self._lines[number] = DaemonLine(number, member.name, runner.__version__, SCHEMA, now, now)
        self.members[number] = member
        self.tell(number, [News(NewsKind.DAEMONS)])
        return number

    def leave(self, number: int) -> None:
        """A session ends: its lanes are free."""
        self.members.pop(number, None)
        for lane in [lane for lane, holder in self.lanes.items() if holder == number]:
            del self.lanes[lane]

    def report(self, number: int, facts: str) -> None:
        """What it says of itself."""
        self._lines[number] = replace(self._lines[number], facts=facts, seen_ms=self.clock.now_ms())

    def daemons(self) -> list[DaemonLine]:
        """As `Fleet.daemons`."""
        now = self.clock.now_ms()
        lines = (
            replace(line, seen_ms=now) if line.id in self.members else line for line in self._lines.values()
        )
        return [line for line in lines if line.ended_ms is None or line.ended_ms > now - KEPT_MS]

    def tell(self, number: int, news: Iterable[News]) -> None:
        """All but `number` hear it."""
        told = [replace(one, daemon=number) for one in news]
        for other, member in tuple(self.members.items()):
            if other != number:
                member.ears.hear(told)

    def bury(self, number: int) -> Burial:
        """As `Fleet.bury`."""
        dead = {
            line.id for line in self._lines.values() if line.ended_ms is None and line.id not in self.members
        }
        if not dead:
            return Burial()
        found = self._end(lambda holder: holder in dead)
        for one in sorted(dead):
            self.rooms.leases.void(str(one))
            self._lines[one] = replace(self._lines[one], ended_ms=self.clock.now_ms())
        self.tell(number, [News(NewsKind.DAEMONS)])
        return Burial(tuple(sorted(dead)), found.holds_unknown, found.sends_again, found.sends_unknown)

    def end_nobodys(self) -> Recovery:
        """End what nobody that is known here began."""
        return self._end(lambda holder: holder is None)

    def _end(self, is_gone: Callable[[int | None], bool]) -> Recovery:
        unknown = self.rooms.books.recover(
            self.rooms.batches.open_ids(), lambda attempt: is_gone(self.holders.get(attempt))
        )
        again, left = self.rooms.outbox.recover(lambda part: is_gone(self.senders.get(part)))
        return Recovery(unknown, again, left)


class MemberFleet:
    """A `runner.ports.fleet.Fleet`."""

    def __init__(self, fleet: MemoryFleet, member: MemoryMember) -> None:
        self._fleet = fleet
        self._member = member

    @property
    def daemon(self) -> int:
        """Our number; 0 before `Store.open`."""
        return self._member.number

    def now_ms(self) -> int:
        """The fleet's clock."""
        return self._fleet.clock.now_ms()

    async def report(self, facts: str) -> None:
        """As the port says."""
        self._fleet.report(self._member.speak("report"), facts)

    async def daemons(self) -> list[DaemonLine]:
        """As the port says."""
        self._member.speak("daemons")
        return self._fleet.daemons()

    async def bury(self) -> Burial:
        """As the port says."""
        return self._fleet.bury(self._member.speak("bury"))

    async def tell(self, news: Sequence[News]) -> None:
        """As the port says."""
        if self._member.is_heard:
            self._fleet.tell(self.daemon, news)

    def listen(self) -> Ear:
        """As the port says."""
        return self._member.ears.listen()


class MemoryMember(MemoryStore):
    """The store as one daemon of the fleet sees it."""

    def __init__(self, fleet: MemoryFleet, name: str, before: Callable[[str], None]) -> None:
        super().__init__(before, fleet.rooms)
        self.name = name
        self.ears = Ears()
        self.number = 0
        self.fleet = MemberFleet(fleet, self)
        self._shared = fleet
        self._session = _Session.NONE

    @property
    def is_heard(self) -> bool:
        """Whether it has a session."""
        return self._session is _Session.OPEN

    async def open(self) -> None:
        """A daemon with a new number."""
        await super().open()
        self.ears.open()
        self.number = self._shared.enter(self, 0)
        self._session = _Session.OPEN

    async def close(self) -> None:
        """Leave; what is left is ended by whoever looks next."""
        await super().close()
        if self.is_heard:
            self._shared.leave(self.number)
            self._session = _Session.NONE
        self.ears.close()

    def end_session(self, *, for_good: bool) -> None:
        """What `MemoryFleet.kill` and `hang` do."""
        if self.is_heard:
            self._shared.leave(self.number)
        self._session = _Session.KILLED if for_good else _Session.ENDED

    def speak(self, method: str) -> int:
        """Say something to the store; our number. Raises StoreError where it cannot be heard."""
        self._begin(method)
        return self.number

    def _begin(self, method: str) -> None:
        if self._session is _Session.KILLED:
            raise StoreError("the connection with the store is gone")
        super()._begin(method)
        if self._session is _Session.ENDED:
            self._session = _Session.OPEN
            self.number = self._shared.enter(self, self.number)
            self.ears.gap()

    async def recover(self) -> Recovery:
        """As the port says."""
        buried = self._shared.bury(self.speak("recover"))
        left = self._shared.end_nobodys()
        return Recovery(
            buried.holds_unknown + left.holds_unknown,
            buried.sends_again + left.sends_again,
            buried.sends_unknown + left.sends_unknown,
        )

    # ── whose it is ──────────────────────────────────────────────────────────────────────────────────────
    async def hold(self, request: HoldRequest) -> HoldResult:
        """As the port says."""
        result = await super().hold(request)
        if isinstance(result, Held):
            self._shared.holders[request.attempt.id] = self.number
        return result

    async def save_step(
        self,
        turn: str,
        step: StoredStep,
        outbox: Sequence[NewOutbound] = (),
        first_state: OutboxState = OutboxState.PENDING,
    ) -> tuple[Filed, ...]:
        """As the port says."""
        return self._sends(await super().save_step(turn, step, outbox, first_state))

    async def finish(self, turn: FinishedTurn) -> tuple[Filed, ...]:
        """As the port says."""
        return self._sends(await super().finish(turn))

    async def begin_sending(self, ids: Sequence[int]) -> None:
        """As the port says."""
        await super().begin_sending(ids)
        self._sends([Filed(part, OutboxState.SENDING) for part in ids])

    async def end_sending(self, outbox_id: int, state: OutboxState, why: str = "", due_ms: int = 0) -> None:
        """As the port says."""
        sending = [part.id for part in await self.outgoing(OutboxState.SENDING, 1, outbox_id - 1)]
        if sending == [outbox_id] and self._shared.senders.get(outbox_id) != self.number:
            raise IllegalStep(f"part {outbox_id} of a reply: another daemon sends it")
        await super().end_sending(outbox_id, state, why, due_ms)

    def _sends(self, filed: Sequence[Filed]) -> tuple[Filed, ...]:
        for part in filed:
            if part.state is OutboxState.SENDING:
                self._shared.senders[part.id] = self.number
        return tuple(filed)

    # ── lanes ────────────────────────────────────────────────────────────────────────────────────────────
    @asynccontextmanager
    async def lane(self, lane: str) -> AsyncIterator[LaneSession | None]:
        """As the port says."""
        number = self.speak("lane")
        if lane in self._shared.lanes:
            yield None
            return
        entry = self._shared.entries[lane] = self._shared.entries.get(lane, 0) + 1
        self._shared.lanes[lane] = number
        held = _Lane(self, lane, entry)
        try:
            yield held
        finally:
            if self.holds(lane, entry):
                del self._shared.lanes[lane]

    def holds(self, lane: str, entry: int) -> bool:
        """Whether the lane is still ours, since that entry."""
        return self._shared.entries[lane] == entry and self._shared.lanes.get(lane) == self.number

    def keep(self, lane: str, entry: int) -> None:
        """Have the lane still, or again where nobody else has had it. Raises LaneLost."""
        number = self.speak("lane")
        if self._shared.entries[lane] != entry:
            raise LaneLost(f"another daemon has had the lane {lane}")
        self._shared.lanes[lane] = number


class _Lane:
    """A lane, held: each word asks first whether it still is."""

    def __init__(self, member: MemoryMember, lane: str, entry: int) -> None:
        self._member = member
        self._lane = lane
        self._entry = entry

    def _store(self) -> MemoryMember:
        self._member.keep(self._lane, self._entry)
        return self._member

    async def next(self, now_ms: int) -> Work | None:
        return await self._store().next_in(self._lane, now_ms)

    async def save_step(
        self,
        turn: str,
        step: StoredStep,
        outbox: Sequence[NewOutbound] = (),
        first_state: OutboxState = OutboxState.PENDING,
    ) -> tuple[Filed, ...]:
        return await self._store().save_step(turn, step, outbox, first_state)

    async def steps(self, turn: str) -> tuple[tuple[StoredStep, ...], int]:
        return await self._store().steps(turn)

    async def finish(self, turn: FinishedTurn) -> tuple[Filed, ...]:
        return await self._store().finish(turn)

    async def postpone(self, inbox_id: int, until_ms: int) -> None:
        await self._store().postpone(inbox_id, until_ms)

    async def hold(self, request: HoldRequest) -> HoldResult:
        return await self._store().hold(request)

    async def settle(self, settlement: Settlement) -> Settled:
        return await self._store().settle(settlement)
