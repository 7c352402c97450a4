"""Lanes on PostgreSQL: held by an advisory lock of the writer's session that does all of their writes.

Rules: all lanes of a bot are one writer's, so that its turns share transactions; in this process a lane is held once
(an advisory lock would let us in again); whoever enters a lane that is held gets None and does not wait. A hold that
took long is good only where the lane, and the hold, are ours still: the process may have been stopped meanwhile, and
buried by others. So is the word that a part is ours to send.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from zlib import crc32

from runner.clock import Clock
from runner.errors import IllegalStep, LaneLost, StoreError
from runner.money.reservation import ReservationState
from runner.ports.books import Held, HoldRequest, HoldResult, Settled, Settlement
from runner.ports.mail import Filed, FinishedTurn, NewOutbound, OutboxState, StoredStep, Work
from runner.ports.stores import LaneSession
from runner.store.postgres.books import reservations
from runner.store.postgres.changes import changed
from runner.store.postgres.connection import Connection
from runner.store.postgres.jobs import AskedNext, AskedStep, HeldLane, Kind
from runner.store.postgres.mending import WHY_RELEASED
from runner.store.postgres.writer import Writer
from runner.store.queries import Queries

SLOW_S = 4.0
"""A hold that took longer, or a beginning of a send, is looked at once more."""
_ASK_AGAIN_S = 0.5
MOST_PARTS = 20_000
"""Parts of replies whose writer is remembered."""


class Writers:
    """Who writes what. Any of them may do anything; what belongs together shares transactions."""

    def __init__(self, writers: Sequence[Writer]) -> None:
        self._all = writers
        self._parts: OrderedDict[int, Writer] = OrderedDict()

    def of_lane(self, lane: str) -> Writer:
        """Who does all writes of a lane, or of a bot: what is before the first bar in a lane's name."""
        return self.of_name(lane.partition("|")[0])

    def of_name(self, name: str) -> Writer:
        """Always the same for a name."""
        return self._all[crc32(name.encode("utf-8", "replace")) % len(self._all)]

    def of_part(self, part: int) -> Writer:
        """Who filed a part of a reply, where that is known."""
        return self._parts.get(part) or self._all[part % len(self._all)]

    def filed(self, writer: Writer, parts: Sequence[Filed]) -> None:
        """This writer filed these."""
        for part in parts:
            self._parts[part.id] = writer
        while len(self._parts) > MOST_PARTS:
            self._parts.popitem(last=False)

    def sent(self, part: int) -> None:
        """Nothing more is expected of that part."""
        self._parts.pop(part, None)


class PostgresLanes:
    """The lanes that are held in this process."""

    def __init__(self, writers: Writers, sql: Queries, clock: Clock) -> None:
        self._writers = writers
        self._sql = sql
        self._clock = clock
        self._held: set[str] = set()

    @asynccontextmanager
    async def hold(self, lane: str) -> AsyncIterator[LaneSession | None]:
        """Hold a lane; None where it is held, here or by another daemon."""
        if lane in self._held:
            yield None
            return
        writer = self._writers.of_lane(lane)
        held = None
        self._held.add(lane)
        try:
            held = await writer.enter(lane)
        finally:
            if held is None:
                self._held.discard(lane)
        if held is None:
            yield None
            return
        try:
            yield _Session(self._writers, writer, held, self._sql, self._clock)
        finally:
            try:
                await writer.leave(held)
            finally:
                self._held.discard(lane)


class _Session:
    """A lane, held."""

    __slots__ = ("_clock", "_lane", "_sql", "_writer", "_writers")

    def __init__(self, writers: Writers, writer: Writer, lane: HeldLane, sql: Queries, clock: Clock) -> None:
        self._clock = clock
        self._writers = writers
        self._writer = writer
        self._lane = lane
        self._sql = sql

    async def next(self, now_ms: int) -> Work | None:
        found: Work | None = await self._writer.ask(Kind.NEXT, AskedNext(self._lane, now_ms), lane=self._lane)
        return found

    async def save_step(
        self,
        turn: str,
        step: StoredStep,
        outbox: Sequence[NewOutbound] = (),
        first_state: OutboxState = OutboxState.PENDING,
    ) -> tuple[Filed, ...]:
        asked = AskedStep(turn, step, tuple(outbox), first_state)
        return await self._file(Kind.SAVE_STEP, asked, (("step", turn, step.number),))

    async def steps(self, turn: str) -> tuple[tuple[StoredStep, ...], int]:
        found: tuple[tuple[StoredStep, ...], int] = await self._writer.ask(Kind.STEPS, turn, lane=self._lane)
        return found

    async def finish(self, turn: FinishedTurn) -> tuple[Filed, ...]:
        keys = (("message", turn.inbox_id), ("conversation", turn.conversation.id))
        return await self._file(Kind.FINISH, turn, keys)

    async def _file(self, kind: Kind, asked: object, keys: tuple[object, ...]) -> tuple[Filed, ...]:
        """Do it; what another daemon has taken over by now is not for us to send at once."""
        begun = self._clock.monotonic()
        filed: tuple[Filed, ...] = await self._writer.ask(kind, asked, keys, self._lane)
        self._writers.filed(self._writer, filed)
        sending = [part.id for part in filed if part.state is OutboxState.SENDING]
        ours = await still_ours(self._writer, self._sql, self._clock, begun, sending)
        return tuple(
            replace(part, state=OutboxState.PENDING) if part.id in sending and part.id not in ours else part
            for part in filed
        )

    async def postpone(self, inbox_id: int, until_ms: int) -> None:
        async def unit(connection: Connection) -> None:
            if not changed(await connection.execute(self._sql["postpone"], inbox_id, until_ms)):
                raise IllegalStep(f"message {inbox_id} does not wait: it is done or was never there")

        await self._writer.ask(Kind.PLAIN, unit, (("message", inbox_id),), self._lane)

    async def hold(self, request: HoldRequest) -> HoldResult:
        asked = self._clock.monotonic()
        result = await hold_by(self._writer, request, self._lane)
        while isinstance(result, Held) and (now := self._clock.monotonic()) - asked > SLOW_S:
            asked = now
            await self._make_sure(result.attempt_id)
        return result

    async def _make_sure(self, attempt_id: str) -> None:
        """Raise LaneLost where the lane, or the money, is not ours any more; then nothing stays held."""

        async def unit(connection: Connection) -> None:
            row = (await reservations(connection, self._sql, [attempt_id])).get(attempt_id)
            if row is None or row.hold.state is not ReservationState.HELD:
                raise LaneLost("the money was given up meanwhile: another daemon thinks that we are gone")

        async def give_back() -> None:
            released = Settlement(attempt_id, ReservationState.RELEASED, why=WHY_RELEASED)
            with suppress(IllegalStep):
                await settle_by(self._writer, released)

        try:
            await self._until_known(lambda: self._writer.ask(Kind.PLAIN, unit, lane=self._lane))
        except LaneLost:
            await self._until_known(give_back)
            raise

    async def _until_known(self, ask: Callable[[], Awaitable[None]]) -> None:
        """Ask again while the database is away: what is held would stay so, and nobody would know."""
        while True:
            try:
                return await ask()
            except LaneLost:
                raise
            except StoreError:
                await self._clock.sleep(_ASK_AGAIN_S)

    async def settle(self, settlement: Settlement) -> Settled:
        return await settle_by(self._writer, settlement, self._lane)


async def still_ours(
    writer: Writer, sql: Queries, clock: Clock, since: float, parts: Sequence[int]
) -> frozenset[int]:
    """Which of these parts, that were ours to send, still are. `since`: monotonic; a moment later it goes unasked."""

    async def unit(connection: Connection) -> frozenset[int]:
        return frozenset(row[0] for row in await connection.fetch(sql["sends_of_ours"], list(parts)))

    ours = frozenset(parts)
    while ours and (now := clock.monotonic()) - since > SLOW_S:
        since = now
        try:
            ours = await writer.ask(Kind.PLAIN, unit)
        except StoreError:  # a part that is ours must not be left: who knows is asked until it answers
            since -= 2 * SLOW_S
            await clock.sleep(_ASK_AGAIN_S)
    return ours


async def hold_by(writer: Writer, request: HoldRequest, lane: HeldLane | None = None) -> HoldResult:
    """As `MoneyStore.hold`."""
    result: HoldResult = await writer.ask(Kind.HOLD, request, (("attempt", request.attempt.id),), lane)
    return result


async def settle_by(writer: Writer, settlement: Settlement, lane: HeldLane | None = None) -> Settled:
    """As `MoneyStore.settle`."""
    result: Settled = await writer.ask(Kind.SETTLE, settlement, (("attempt", settlement.attempt_id),), lane)
    return result
