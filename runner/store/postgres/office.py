"""Rare work: whatever is written that no message waits for. The reads of `PostgresReports` are in it.

Rule: what forgets goes some rows at a time, each in a transaction of its own, so that no message waits for all of it.
"""

from __future__ import annotations

from collections.abc import Mapping

from runner.money.ledger import LedgerEntry
from runner.ports.answers import KeptAnswer
from runner.ports.books import Alert, Correction, Deposit, Deposited, Quarantine
from runner.ports.mail import PreparedHead
from runner.store.days import ACTIVE_USERS_DAYS, day_of
from runner.store.postgres.answers import AnswerRows
from runner.store.postgres.batches import PostgresBatches
from runner.store.postgres.correcting import Corrections
from runner.store.postgres.desk import Desk, Unit
from runner.store.postgres.rates import PostgresRates
from runner.store.postgres.reports import PostgresReports
from runner.store.postgres.run_rows import RunRows
from runner.store.postgres.runs import PostgresRuns
from runner.store.postgres.upkeep import Upkeep
from runner.store.postgres.values import PostgresValues
from runner.store.queries import Queries


class PostgresOffice(PostgresReports):
    """Rare writes, batches, runs, shared values, rates. `desk` is for what is written, too."""

    def __init__(self, desk: Desk, reports: Desk, sql: Queries) -> None:
        super().__init__(desk, reports, sql)
        self._corrections = Corrections(sql, self._ledger)
        self._answers = AnswerRows(sql)
        self._upkeep = Upkeep(sql, self._answers)
        self._run_rows = RunRows(sql)
        self.batches = PostgresBatches(desk, sql)
        self.runs = PostgresRuns(desk, sql, self._run_rows)
        self.values = PostgresValues(desk, sql)
        self.rates = PostgresRates(desk, sql)

    # ── money ────────────────────────────────────────────────────────────────────────────────────────────
    async def correct(self, correction: Correction) -> tuple[LedgerEntry, ...]:
        """As the port says."""
        return await self._desk.write(lambda c: self._corrections.correct(c, correction))

    async def deposit(self, deposit: Deposit) -> Deposited:
        """As the port says."""
        return await self._desk.write(lambda c: self._deposits.deposit(c, deposit))

    async def quarantine(self, which: Quarantine) -> None:
        """As the port says."""
        await self._desk.write(lambda c: self._quarantine.set_aside(c, which))

    async def clear_quarantine(self, provider: str, model: str) -> bool:
        """As the port says."""
        return await self._desk.write(lambda c: self._quarantine.clear(c, provider, model))

    async def raise_alert(self, alert: Alert, *, deliver: bool) -> bool:
        """As the port says."""
        return await self._desk.write(lambda c: self._alerts.add(c, alert, waits=deliver))

    async def end_alert(self, alert_id: int, due_ms: int | None) -> None:
        """As the port says."""
        await self._desk.write(lambda c: self._alerts.end(c, alert_id, due_ms))

    # ── bots, answers, heads ─────────────────────────────────────────────────────────────────────────────
    async def define_bots(self, digests: Mapping[str, str], now_ms: int) -> None:
        """As the port says."""
        await self._desk.write(lambda c: self._traffic.define(c, digests, now_ms))

    async def kept_answer(self, key: str, now_ms: int) -> KeptAnswer | None:
        """As the port says."""
        return await self._desk.read(lambda c: self._answers.kept(c, key, now_ms))

    async def keep_answer(self, answer: KeptAnswer) -> None:
        """As the port says."""
        await self._desk.write(lambda c: self._answers.keep(c, answer))

    async def forget_answers(self, bot: str) -> int:
        """As the port says."""
        return await self._desk.write(lambda c: self._answers.forget(c, bot))

    async def prepare_head(self, conversation: str, head: PreparedHead) -> None:
        """As the port says."""
        await self._desk.write(lambda c: self._answers.prepare_head(c, conversation, head))

    async def resend(self, outbox_id: int) -> None:
        """As the port says."""
        await self._desk.write(lambda c: self._mail.resend(c, outbox_id))

    # ── forgetting ───────────────────────────────────────────────────────────────────────────────────────
    async def forget_user(self, bot: str | None, user: str) -> int:
        """As the port says, but in several transactions, as `prune`."""
        await self._desk.write(lambda c: self._answers.forget(c, bot))
        removed = await self._all_of(lambda c: self._run_rows.forget_user(c, bot, user))
        return removed + await self._all_of(lambda c: self._upkeep.forget_user(c, bot, user))

    async def forget_conversation(self, conversation: str) -> int:
        """As the port says, but in several transactions, as `prune`."""
        removed = await self._all_of(lambda c: self._run_rows.forget_conversation(c, conversation))
        return removed + await self._all_of(lambda c: self._upkeep.forget_conversation(c, conversation))

    async def prune(
        self, finished_before_ms: int, conversations_before_ms: int, answers_until_ms: int = 0
    ) -> int:
        """As the port says, but in several transactions, so that messages need not wait for all of it."""
        before_day = day_of(finished_before_ms) - ACTIVE_USERS_DAYS
        await self._all_of(self.rates.forget_idle)
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
        while gone := await self._desk.write(some):
            removed += gone
        return removed
