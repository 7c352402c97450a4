"""The embedded store: `runner.ports.stores.Store` on one SQLite file.

    every method but the long reads ──▶ Writer (one thread, group commit) ──▶ units in inbox, turns, outbox,
                                                                               money, leases, upkeep
    ledger, reports, all counters ────▶ SqliteReader (read-only, beside it)

Rule: one daemon a file, held by a lock beside it for as long as the store is open.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from runner.clock import Clock
from runner.money.budget import Counter
from runner.money.ledger import LedgerEntry
from runner.ports.answers import KeptAnswer
from runner.ports.books import (
    Alert,
    Correction,
    Deposit,
    Deposited,
    HoldRequest,
    HoldResult,
    LedgerFilter,
    Quarantine,
    Settled,
    Settlement,
    UsageSum,
    WaitingAlert,
)
from runner.ports.fleet import Fleet
from runner.ports.mail import (
    Acceptance,
    Filed,
    FinishedTurn,
    NewInbound,
    NewOutbound,
    OutboxState,
    Outgoing,
    PreparedHead,
    StoredStep,
    Work,
)
from runner.ports.rates import Rates
from runner.ports.reports import MOST_TURNS, BotFacts, ConversationLine, DayTraffic, Transcript
from runner.ports.stores import LaneSession, Lease, Recovery, StoreFigures, TurnRecord
from runner.store.days import ACTIVE_USERS_DAYS, day_of
from runner.store.lanes import OwnLanes
from runner.store.rules import figures_of
from runner.store.sqlite.answers import AnswerRows
from runner.store.sqlite.batches import SqliteBatches
from runner.store.sqlite.connection import make_private_file, open_for_writing
from runner.store.sqlite.deposits import AlertRows, DepositRows, QuarantineRows
from runner.store.sqlite.inbox import InboxRows
from runner.store.sqlite.leases import LeaseRows
from runner.store.sqlite.lock import FileLock
from runner.store.sqlite.migration import load_migrations
from runner.store.sqlite.money import MoneyRows
from runner.store.sqlite.outbox import OutboxRows
from runner.store.sqlite.queries import load_queries
from runner.store.sqlite.reader import SqliteReader
from runner.store.sqlite.run_rows import RunRows
from runner.store.sqlite.runs import SqliteRuns
from runner.store.sqlite.traffic import TrafficRows
from runner.store.sqlite.turns import TurnRows
from runner.store.sqlite.upkeep import Upkeep
from runner.store.sqlite.values import SqliteValues
from runner.store.sqlite.writer import Unit, Writer


class SqliteStore:
    """One file at `path`, made where it is not there."""

    fleet: Fleet | None = None
    rates: Rates | None = None

    def __init__(self, path: Path, clock: Clock) -> None:
        sql = load_queries()
        self._path = path
        self._clock = clock
        self._sql = sql
        self._migrations = load_migrations()
        self._lock = FileLock(path)
        self._inbox = InboxRows(sql)
        self._run_rows = RunRows(sql, self._inbox)
        self._turns = TurnRows(sql, self._run_rows)
        self._traffic = TrafficRows(sql)
        self._outbox = OutboxRows(sql)
        self._deposits = DepositRows(sql)
        self._quarantine = QuarantineRows(sql)
        self._alerts = AlertRows(sql)
        self._money = MoneyRows(sql, self._turns, self._deposits)
        self._leases = LeaseRows(sql)
        self._answers = AnswerRows(sql)
        self._upkeep = Upkeep(sql, self._answers)
        self._writer = Writer(self._connect, sql)
        self._reader = SqliteReader(path, sql, self._migrations[-1].version)
        self._lanes = OwnLanes(self)
        self.values = SqliteValues(self._writer, sql)
        self.batches = SqliteBatches(self._writer, self._reader, sql, self._money)
        self.runs = SqliteRuns(self._writer, self._reader, sql, self._run_rows)

    # ── life ─────────────────────────────────────────────────────────────────────────────────────────────
    async def open(self) -> None:
        """Take the lock, check, migrate. Raises StoreRefused and StoreError as in the port."""
        try:
            await self._writer.open()
            await self._reader.open()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Finish what was asked for and let go; again: does nothing."""
        await self._reader.close()
        await self._writer.close()
        self._lock.release()

    def _connect(self) -> sqlite3.Connection:
        make_private_file(self._path)
        self._lock.take()
        return open_for_writing(self._path, self._sql, self._migrations, self._clock.now_ms())

    async def recover(self) -> Recovery:
        """As the port says."""

        def unit(connection: sqlite3.Connection) -> Recovery:
            again, left = self._outbox.recover(connection)
            return Recovery(self._money.recover(connection), again, left)

        return await self._writer.write(unit)

    # ── inbox ────────────────────────────────────────────────────────────────────────────────────────────
    async def accept(self, message: NewInbound) -> Acceptance:
        """As the port says."""
        return await self._writer.write(lambda c: self._inbox.accept(c, message))

    async def seen(self, message: NewInbound) -> Acceptance | None:
        """As the port says."""
        return await self._writer.read(lambda c: self._inbox.seen(c, message))

    async def recent(self, bot: str, channel: str, limit: int) -> list[str]:
        """As the port says."""
        return await self._reader.recent(bot, channel, limit)

    async def waiting_lanes(
        self, bots: Collection[str], exclude: Collection[str], limit: int, now_ms: int
    ) -> list[str]:
        """As the port says."""
        return await self._writer.read(
            lambda c: self._inbox.waiting_lanes(c, bots, exclude, limit, now_ms),
        )

    def lane(self, lane: str) -> AbstractAsyncContextManager[LaneSession | None]:
        """As the port says."""
        return self._lanes.hold(lane)

    # ── a lane's holder ──────────────────────────────────────────────────────────────────────────────────
    async def next_in(self, lane: str, now_ms: int) -> Work | None:
        """As `LaneSession.next`."""
        return await self._writer.read(lambda c: self._inbox.next(c, lane, now_ms))

    async def save_step(
        self,
        turn: str,
        step: StoredStep,
        outbox: Sequence[NewOutbound] = (),
        first_state: OutboxState = OutboxState.PENDING,
    ) -> tuple[Filed, ...]:
        """As `LaneSession.save_step`."""
        return await self._writer.write(lambda c: self._turns.save_step(c, turn, step, outbox, first_state))

    async def steps(self, turn: str) -> tuple[tuple[StoredStep, ...], int]:
        """As `LaneSession.steps`."""
        return await self._writer.read(lambda c: self._turns.steps(c, turn))

    async def finish(self, turn: FinishedTurn) -> tuple[Filed, ...]:
        """As `LaneSession.finish`."""
        return await self._writer.write(lambda c: self._turns.finish(c, turn))

    async def postpone(self, inbox_id: int, until_ms: int) -> None:
        """As `LaneSession.postpone`."""
        await self._writer.write(lambda c: self._inbox.postpone(c, inbox_id, until_ms))

    # ── money ────────────────────────────────────────────────────────────────────────────────────────────
    async def hold(self, request: HoldRequest) -> HoldResult:
        """As the port says."""
        return await self._writer.write(lambda c: self._money.hold(c, request))

    async def settle(self, settlement: Settlement) -> Settled:
        """As the port says."""
        return await self._writer.write(lambda c: self._money.settle(c, settlement))

    async def counters(self, scopes: Collection[str] | None = None) -> dict[str, Counter]:
        """As the port says."""
        if scopes is None:
            return await self._reader.counters()
        return await self._writer.read(lambda c: self._money.counters(c, scopes))

    def ledger(self, which: LedgerFilter) -> AsyncIterator[LedgerEntry]:
        """As the port says."""
        return self._reader.ledger(which)

    async def usage(self, which: LedgerFilter, by: Sequence[str], limit: int | None = None) -> list[UsageSum]:
        """As the port says. Raises ValueError for a grouping that there is not."""
        return await self._reader.usage(which, by, limit)

    async def correct(self, correction: Correction) -> tuple[LedgerEntry, ...]:
        """As the port says."""
        return await self._writer.write(lambda c: self._money.correct(c, correction))

    async def deposit(self, deposit: Deposit) -> Deposited:
        """As the port says."""
        return await self._writer.write(lambda c: self._deposits.deposit(c, deposit))

    async def deposits(self) -> list[Deposit]:
        """As the port says."""
        return await self._writer.read(self._deposits.deposits)

    async def quarantine(self, which: Quarantine) -> None:
        """As the port says."""
        await self._writer.write(lambda c: self._quarantine.set_aside(c, which))

    async def quarantined(self) -> list[Quarantine]:
        """As the port says."""
        return await self._writer.read(self._quarantine.all)

    async def clear_quarantine(self, provider: str, model: str) -> bool:
        """As the port says."""
        return await self._writer.write(lambda c: self._quarantine.clear(c, provider, model))

    async def raise_alert(self, alert: Alert, *, deliver: bool) -> bool:
        """As the port says."""
        return await self._writer.write(lambda c: self._alerts.add(c, alert, waits=deliver))

    async def alerts(self, limit: int) -> list[Alert]:
        """As the port says."""
        return await self._writer.read(lambda c: self._alerts.latest(c, limit))

    async def waiting_alerts(self, limit: int) -> list[WaitingAlert]:
        """As the port says."""
        return await self._writer.read(lambda c: self._alerts.waiting(c, limit))

    async def end_alert(self, alert_id: int, due_ms: int | None) -> None:
        """As the port says."""
        await self._writer.write(lambda c: self._alerts.end(c, alert_id, due_ms))

    # ── outbox ───────────────────────────────────────────────────────────────────────────────────────────
    async def begin_sending(self, ids: Sequence[int]) -> None:
        """As the port says."""
        await self._writer.write(lambda c: self._outbox.begin_sending(c, ids))

    async def end_sending(self, outbox_id: int, state: OutboxState, why: str = "", due_ms: int = 0) -> None:
        """As the port says."""
        await self._writer.write(lambda c: self._outbox.end_sending(c, outbox_id, state, why, due_ms))

    async def outgoing(self, state: OutboxState, limit: int, after_id: int = 0) -> list[Outgoing]:
        """As the port says."""
        return await self._writer.read(lambda c: self._outbox.outgoing(c, state, limit, after_id))

    async def answers(self, inbox_id: int) -> list[Outgoing]:
        """As the port says."""
        return await self._writer.read(lambda c: self._outbox.answers(c, inbox_id))

    async def resend(self, outbox_id: int) -> None:
        """As the port says."""
        await self._writer.write(lambda c: self._outbox.resend(c, outbox_id))

    # ── traces and figures ───────────────────────────────────────────────────────────────────────────────
    async def turn(self, turn: str) -> TurnRecord | None:
        """As the port says."""
        return await self._writer.read(lambda c: self._turns.turn(c, turn))

    async def figures(self) -> StoreFigures:
        """As the port says."""
        return await self._writer.read(
            lambda c: figures_of(
                self._inbox.waiting(c), self._outbox.by_state(c), self._outbox.possibly_doubled(c)
            ),
        )

    # ── reports ──────────────────────────────────────────────────────────────────────────────────────────
    async def define_bots(self, digests: Mapping[str, str], now_ms: int) -> None:
        """As the port says."""
        await self._writer.write(lambda c: self._traffic.define(c, digests, now_ms))

    async def bot_facts(self, bots: Collection[str]) -> dict[str, BotFacts]:
        """As the port says."""
        return await self._reader.bot_facts(bots)

    async def traffic(self, bot: str | None, first_day: str, last_day: str) -> list[DayTraffic]:
        """As the port says. Raises ValueError for a text that is no day."""
        return await self._reader.traffic(bot, first_day, last_day)

    async def unique_users(self, bot: str | None, first_day: str, last_day: str) -> int:
        """As the port says. Raises ValueError for a text that is no day."""
        return await self._reader.unique_users(bot, first_day, last_day)

    async def conversations(
        self, bot: str | None, limit: int, before: tuple[int, str] | None = None, user: str | None = None
    ) -> list[ConversationLine]:
        """As the port says."""
        return await self._reader.conversations(bot, limit, before, user)

    async def transcript(self, conversation: str, latest: int = MOST_TURNS) -> Transcript | None:
        """As the port says."""
        return await self._reader.transcript(conversation, latest)

    async def top_users(self, which: LedgerFilter, limit: int) -> list[UsageSum]:
        """As the port says."""
        return await self._reader.top_users(which, limit)

    async def forget_user(self, bot: str | None, user: str) -> int:
        """As the port says, but in several transactions, as `prune`."""
        await self._writer.write(lambda c: self._answers.forget(c, bot))
        removed = await self._all_of(lambda c: self._run_rows.forget_user(c, bot, user))
        return removed + await self._all_of(lambda c: self._upkeep.forget_user(c, bot, user))

    async def forget_conversation(self, conversation: str) -> int:
        """As the port says, but in several transactions, as `prune`."""
        removed = await self._all_of(lambda c: self._run_rows.forget_conversation(c, conversation))
        return removed + await self._all_of(lambda c: self._upkeep.forget_conversation(c, conversation))

    # ── kept answers, heads ──────────────────────────────────────────────────────────────────────────────
    async def kept_answer(self, key: str, now_ms: int) -> KeptAnswer | None:
        """As the port says."""
        return await self._writer.read(lambda c: self._answers.kept(c, key, now_ms))

    async def keep_answer(self, answer: KeptAnswer) -> None:
        """As the port says."""
        await self._writer.write(lambda c: self._answers.keep(c, answer))

    async def forget_answers(self, bot: str) -> int:
        """As the port says."""
        return await self._writer.write(lambda c: self._answers.forget(c, bot))

    async def prepare_head(self, conversation: str, head: PreparedHead) -> None:
        """As the port says."""
        await self._writer.write(lambda c: self._answers.prepare_head(c, conversation, head))

    # ── one holder ───────────────────────────────────────────────────────────────────────────────────────
    async def lease(self, name: str, holder: str, ttl_ms: int, now_ms: int) -> Lease | None:
        """As the port says."""
        wanted = Lease(name, holder, 0, now_ms + ttl_ms)
        return await self._writer.write(lambda c: self._leases.lease(c, wanted, now_ms))

    async def release(self, name: str, holder: str) -> None:
        """As the port says."""
        await self._writer.write(lambda c: self._leases.release(c, name, holder))

    # ── upkeep ───────────────────────────────────────────────────────────────────────────────────────────
    async def prune(
        self, finished_before_ms: int, conversations_before_ms: int, answers_until_ms: int = 0
    ) -> int:
        """As the port says, but in several transactions, so that messages need not wait for all of it."""
        before_day = day_of(finished_before_ms) - ACTIVE_USERS_DAYS
        return (
            await self._all_of(lambda c: self._upkeep.forget_messages(c, finished_before_ms))
            + await self._all_of(lambda c: self._upkeep.forget_conversations(c, conversations_before_ms))
            + await self._all_of(lambda c: self._upkeep.forget_active_users(c, before_day))
            + await self._all_of(lambda c: self._answers.forget_old(c, answers_until_ms))
            + await self._all_of(lambda c: self.batches.forget_old(c, conversations_before_ms))
            + await self._all_of(lambda c: self._run_rows.forget_old(c, conversations_before_ms))
        )

    async def _all_of(self, some: Unit[int]) -> int:
        """Run a unit that forgets some until nothing is left; how many rows went."""
        removed = 0
        while gone := await self._writer.write(some):
            removed += gone
        return removed
