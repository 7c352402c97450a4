"""What is only read, for the store and for the reader beside it: each method is one snapshot of the database.

Rule: between two pages of the ledger nothing is kept open.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from functools import partial

from runner.money.budget import Counter
from runner.money.ledger import Difference, LedgerEntry
from runner.ports.books import Alert, Deposit, LedgerFilter, Quarantine, UsageSum, WaitingAlert
from runner.ports.mail import OutboxState, Outgoing
from runner.ports.reports import MOST_TURNS, BotFacts, ConversationLine, DayTraffic, Transcript
from runner.ports.stores import StoreFigures, TurnRecord
from runner.store.postgres.conversations import ConversationReads
from runner.store.postgres.deposits import AlertRows, DepositRows, QuarantineRows
from runner.store.postgres.desk import Desk
from runner.store.postgres.ledger import LedgerReads, before_all
from runner.store.postgres.mail_reads import MailReads
from runner.store.postgres.traffic import TrafficReads
from runner.store.postgres.usage import UsageReads
from runner.store.queries import Queries


class PostgresReports:
    """Reads.

    Args:
        desk: for what is small, and asked for by who cannot wait.
        reports: for what may take long.
    """

    def __init__(self, desk: Desk, reports: Desk, sql: Queries) -> None:
        self._desk = desk
        self._reports = reports
        self._ledger = LedgerReads(sql)
        self._usage = UsageReads(sql)
        self._traffic = TrafficReads(sql)
        self._talks = ConversationReads(sql)
        self._mail = MailReads(sql)
        self._deposits = DepositRows(sql)
        self._quarantine = QuarantineRows(sql)
        self._alerts = AlertRows(sql)

    # ── money ────────────────────────────────────────────────────────────────────────────────────────────
    async def counters(self, scopes: Collection[str] | None = None) -> dict[str, Counter]:
        """As the port says."""
        desk = self._reports if scopes is None else self._desk
        return await desk.read(lambda c: self._ledger.counters(c, scopes))

    async def ledger(self, which: LedgerFilter) -> AsyncIterator[LedgerEntry]:
        """As the port says."""
        if which.turn is not None:
            for entry in await self._reports.read(lambda c: self._ledger.of_turn(c, which)):
                yield entry
            return
        after, more = before_all(which), True
        while more:
            page, after = await self._reports.read(partial(self._ledger.page, which=which, after=after))
            for entry in page:
                yield entry
            more = bool(page)

    async def usage(self, which: LedgerFilter, by: Sequence[str], limit: int | None = None) -> list[UsageSum]:
        """As the port says. Raises ValueError for a grouping that there is not."""
        return await self._reports.read(lambda c: self._usage.usage(c, which, by, limit))

    async def top_users(self, which: LedgerFilter, limit: int) -> list[UsageSum]:
        """As the port says."""
        return await self.usage(which, ("bot", "user"), limit)

    async def verify_books(self) -> list[Difference]:
        """Each scope whose counter is not the sum of its rows."""
        return await self._reports.read(self._ledger.differences)

    async def deposits(self) -> list[Deposit]:
        """As the port says."""
        return await self._desk.read(self._deposits.deposits)

    async def quarantined(self) -> list[Quarantine]:
        """As the port says."""
        return await self._desk.read(self._quarantine.all)

    async def alerts(self, limit: int) -> list[Alert]:
        """As the port says."""
        return await self._desk.read(lambda c: self._alerts.latest(c, limit))

    async def waiting_alerts(self, limit: int) -> list[WaitingAlert]:
        """As the port says."""
        return await self._desk.read(lambda c: self._alerts.waiting(c, limit))

    # ── traffic and conversations ────────────────────────────────────────────────────────────────────────
    async def bot_facts(self, bots: Collection[str]) -> dict[str, BotFacts]:
        """As the port says."""
        return await self._reports.read(lambda c: self._traffic.facts(c, bots))

    async def traffic(self, bot: str | None, first_day: str, last_day: str) -> list[DayTraffic]:
        """As the port says. Raises ValueError for a text that is no day."""
        return await self._reports.read(lambda c: self._traffic.by_day(c, bot, first_day, last_day))

    async def unique_users(self, bot: str | None, first_day: str, last_day: str) -> int:
        """As the port says. Raises ValueError for a text that is no day."""
        return await self._reports.read(lambda c: self._traffic.users(c, bot, first_day, last_day))

    async def conversations(
        self, bot: str | None, limit: int, before: tuple[int, str] | None = None, user: str | None = None
    ) -> list[ConversationLine]:
        """As the port says."""
        return await self._reports.read(lambda c: self._talks.page(c, bot, user, limit, before))

    async def transcript(self, conversation: str, latest: int = MOST_TURNS) -> Transcript | None:
        """As the port says."""
        return await self._reports.read(lambda c: self._talks.transcript(c, conversation, latest))

    async def turn(self, turn: str) -> TurnRecord | None:
        """As the port says."""
        return await self._desk.read(lambda c: self._talks.turn(c, turn))

    # ── mail ─────────────────────────────────────────────────────────────────────────────────────────────
    async def recent(self, bot: str, channel: str, limit: int) -> list[str]:
        """As the port says."""
        return await self._desk.read(lambda c: self._mail.recent(c, bot, channel, limit))

    async def outgoing(self, state: OutboxState, limit: int, after_id: int = 0) -> list[Outgoing]:
        """As the port says."""
        return await self._desk.read(lambda c: self._mail.outgoing(c, state, limit, after_id))

    async def answers(self, inbox_id: int) -> list[Outgoing]:
        """As the port says."""
        return await self._desk.read(lambda c: self._mail.answers(c, inbox_id))

    async def figures(self) -> StoreFigures:
        """As the port says."""
        return await self._desk.read(self._mail.figures)

    async def latest_ms(self) -> int | None:
        """When the latest message was accepted, Unix ms; None: none is kept."""
        return await self._desk.read(self._mail.latest_ms)
