"""The store of many daemons: `runner.ports.stores.Store` on a PostgreSQL database.

    messages, turns, money, sends ──▶ writers (2 sessions, group commit, lanes)
    rare work, small reads        ──▶ desk (up to 4 sessions), one transaction each
    reports                       ──▶ a desk of their own (up to 2), for they may take long
    alive, news, burials, leases  ──▶ control (1 session)

Rule: the sessions are opened and left in one order: control, which says who we are, first, and last.
"""

from __future__ import annotations

import os
import socket
from asyncio import Task, wait
from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Final

import runner
from runner.clock import Clock
from runner.errors import IllegalStep, StoreRefused
from runner.ports.books import HoldRequest, HoldResult, Settled, Settlement
from runner.ports.mail import Acceptance, NewInbound, OutboxState
from runner.ports.stores import LaneSession, Lease, Recovery
from runner.store.hearing import Ears
from runner.store.postgres.address import Address
from runner.store.postgres.committing import Committer
from runner.store.postgres.connection import QUIET, READING, TALKATIVE, Connection, connect, hang_up
from runner.store.postgres.control import About, Control
from runner.store.postgres.crew import Crew
from runner.store.postgres.desk import Desk
from runner.store.postgres.fleet import PostgresFleet
from runner.store.postgres.hot_inbox import event_key
from runner.store.postgres.hot_money import OpenHolds
from runner.store.postgres.jobs import AskedEnd, Kind
from runner.store.postgres.lane_locks import GRACE_S, LaneLocks
from runner.store.postgres.lanes import PostgresLanes, Writers, hold_by, settle_by, still_ours
from runner.store.postgres.leases import LeaseRows
from runner.store.postgres.migration import load_migrations, migrate
from runner.store.postgres.office import PostgresOffice
from runner.store.postgres.pooling import is_direct, is_pooled
from runner.store.postgres.run_rows import RunRows
from runner.store.postgres.work import Work
from runner.store.postgres.writer import Writer
from runner.store.queries import load_queries
from runner.store.rules import LONGEST_POSTPONED_MS, shares

WRITERS = 2
REPORTS = 2
"""Sessions for reports, which may take long: nothing else waits behind them."""
SQL_FOLDER = Path(__file__).parent / "sql"


class PostgresStore(PostgresOffice):
    """The database at `address`.

    Args:
        name: of this daemon, for people; None: the machine's and the process's.
        writers: sessions that write.
        grace_s: after the connection broke, so long nobody is taken for dead and no new lane is entered, seconds.
    """

    def __init__(
        self,
        address: Address,
        clock: Clock,
        *,
        name: str | None = None,
        writers: int = WRITERS,
        grace_s: float = GRACE_S,
    ) -> None:
        sql = load_queries(SQL_FOLDER)
        self._address = address
        self._clock = clock
        self._sql: Final = sql
        self._migrations = load_migrations()
        ears = Ears()
        called = name or f"{socket.gethostname()}/{os.getpid()}"
        about = About(called, runner.__version__, self._migrations[-1].version)
        self._control = Control(lambda: self._connect(TALKATIVE), clock, sql, about, ears, grace_s)
        desk = Desk(lambda: self._connect(QUIET), clock)
        super().__init__(desk, Desk(lambda: self._connect(READING), clock, REPORTS), sql)
        self._leases = LeaseRows(sql)
        self.fleet = PostgresFleet(self._control, ears, clock, sql)
        self._known = OpenHolds()
        self._crew = Crew()
        self._beating: Task[None] | None = None
        self._writing: list[Task[None]] = []
        self._writers = [self._writer(grace_s) for _ in range(writers)]
        self._by = Writers(self._writers)
        self._lanes = PostgresLanes(self._by, sql, clock)

    def _writer(self, grace_s: float) -> Writer:
        def daemon() -> int | None:
            return self._control.number or None

        committer = Committer(
            self._sql, Work(self._sql, RunRows(self._sql), self._known, daemon), self._clock
        )
        lanes = LaneLocks(self._sql, self._clock, daemon, grace_s)
        return Writer(self._control.session, self._sql, committer, lanes, self._clock)

    async def _connect(self, settings: dict[str, str]) -> Connection:
        return await connect(self._address, "botrunner", self._sql, settings)

    # ── life ─────────────────────────────────────────────────────────────────────────────────────────────
    async def open(self) -> None:
        """Connect, migrate, join the fleet. Raises StoreRefused and StoreError as in the port."""
        await self._crew.open()
        try:
            await self._migrate()
            await self._control.open()
            self._beating = self._crew.start(self._control.run(), "store-control")
            await self._desk.open()
            await self._reports.open(at_once=False)
            for number, writer in enumerate(self._writers, 1):
                connection = await writer.open()
                self._writing.append(self._crew.start(writer.run(connection), f"store-writer-{number}"))
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Finish what was asked for and let go; again: does nothing."""
        for writer in self._writers:
            writer.close()
        writing, self._writing = self._writing, []
        if writing:
            await wait(writing)
        await self._desk.close()
        await self._reports.close()
        if self._beating is not None:
            self._beating.cancel()
            self._beating = None
        await self._crew.close()
        await self._control.close()

    async def _migrate(self) -> None:
        connection = await self._connect(QUIET)
        try:
            if not await is_direct(connection, self._sql):
                await self._check_pooler(connection)
            await migrate(connection, self._sql, self._migrations, self._clock)
        finally:
            await hang_up(connection)

    async def _check_pooler(self, connection: Connection) -> None:
        """Raise StoreRefused where it gives our transactions to sessions of its choice."""
        other = await self._connect(QUIET)
        try:
            if await is_pooled(connection, other, self._sql):
                raise StoreRefused(
                    f"{self._address.shown} is a pooler in transaction mode: give botrunner the server's own"
                    " address, or one of the pooler in session mode"
                )
        finally:
            await hang_up(other)

    async def recover(self) -> Recovery:
        """As the port says."""
        return await self.fleet.recover()

    # ── messages in ──────────────────────────────────────────────────────────────────────────────────────
    async def accept(self, message: NewInbound) -> Acceptance:
        """As the port says."""
        accepted: Acceptance = await self._by.of_lane(message.lane).ask(
            Kind.ACCEPT, message, (event_key(message),)
        )
        return accepted

    async def seen(self, message: NewInbound) -> Acceptance | None:
        """As the port says."""
        found: Acceptance | None = await self._by.of_lane(message.lane).ask(Kind.SEEN, message)
        return found

    async def waiting_lanes(
        self, bots: Collection[str], exclude: Collection[str], limit: int, now_ms: int
    ) -> list[str]:
        """As the port says."""
        asked = (list(bots), list(exclude), limit, now_ms, now_ms + LONGEST_POSTPONED_MS)
        for each in shares(limit, len(bots)):
            rows = await self._desk.fetch(self._sql["waiting_lanes"], *asked, each)
            if len(rows) == limit or all(row[1] < each for row in rows):
                break
        return [row[0] for row in rows]

    def lane(self, lane: str) -> AbstractAsyncContextManager[LaneSession | None]:
        """As the port says."""
        return self._lanes.hold(lane)

    # ── money ────────────────────────────────────────────────────────────────────────────────────────────
    async def hold(self, request: HoldRequest) -> HoldResult:
        """As the port says."""
        return await hold_by(self._by.of_lane(request.attempt.bot), request)

    async def settle(self, settlement: Settlement) -> Settled:
        """As the port says."""
        return await settle_by(self._by.of_name(settlement.attempt_id), settlement)

    # ── messages out ─────────────────────────────────────────────────────────────────────────────────────
    async def begin_sending(self, ids: Sequence[int]) -> None:
        """As the port says."""
        if ids:
            keys = tuple(("part", part) for part in ids)
            writer, begun = self._by.of_part(ids[0]), self._clock.monotonic()
            await writer.ask(Kind.BEGIN_SENDING, tuple(ids), keys)
            if len(await still_ours(writer, self._sql, self._clock, begun, ids)) < len(ids):
                raise IllegalStep(f"of the parts {list(ids)} not all are ours to send any more")

    async def end_sending(self, outbox_id: int, state: OutboxState, why: str = "", due_ms: int = 0) -> None:
        """As the port says."""
        asked = AskedEnd(outbox_id, state, why, due_ms)
        await self._by.of_part(outbox_id).ask(Kind.END_SENDING, asked, (("part", outbox_id),))
        if state is not OutboxState.PENDING:
            self._by.sent(outbox_id)

    # ── one holder ───────────────────────────────────────────────────────────────────────────────────────
    async def lease(self, name: str, holder: str, ttl_ms: int, now_ms: int) -> Lease | None:
        """As the port says."""
        wanted = Lease(name, holder, 0, now_ms + ttl_ms)
        return await self._desk.write(lambda c: self._leases.lease(c, wanted, now_ms))

    async def release(self, name: str, holder: str) -> None:
        """As the port says."""
        await self._desk.write(lambda c: self._leases.release(c, name, holder))
