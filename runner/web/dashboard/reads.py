"""What the pages ask for: of the store, and of what lives beside it.

Rules: `DashboardReads` is a part of `runner.ports.stores.Store`, so a store is one as it stands; nothing of it
writes. `DashboardBots` and `DashboardHandoffs` answer from memory or a table, at once and bounded.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from runner.bots import Bot
from runner.money.amounts import Money
from runner.money.budget import Counter
from runner.ports.books import Deposit, LedgerFilter, UsageSum
from runner.ports.reports import ConversationLine, DayTraffic, Transcript
from runner.ports.stores import StoreFigures
from runner.web.dashboard.views import Connection, HandoffCard, LastError


class DashboardReads(Protocol):
    """Sums and conversations; each call is one read, days come from daily sums."""

    async def counters(self, scopes: Collection[str] | None = None) -> dict[str, Counter]:
        """What stands against scopes."""

    async def usage(self, which: LedgerFilter, by: Sequence[str]) -> list[UsageSum]:
        """Ledger rows added up by some of `GROUPINGS`, dearest first."""

    async def top_users(self, which: LedgerFilter, limit: int) -> list[UsageSum]:
        """The users who cost most, dearest first; `key` is (bot, user)."""

    async def traffic(self, bot: str | None, first_day: str, last_day: str) -> list[DayTraffic]:
        """Messages by day and bot."""

    async def conversations(
        self, bot: str | None, limit: int, before: tuple[int, str] | None = None, user: str | None = None
    ) -> list[ConversationLine]:
        """The latest first; `before` is the last line's (last_ms, id) of the page before."""

    async def transcript(self, conversation: str) -> Transcript | None:
        """One conversation."""

    async def deposits(self) -> list[Deposit]:
        """All that was paid into the wallet, the latest first."""

    async def figures(self) -> StoreFigures:
        """What waits."""


class DashboardBots(Protocol):
    """The bots and how they are now."""

    def defined(self) -> Sequence[Bot]:
        """All bots in force, disabled ones included, in the file's order."""

    def cap(self, bot_id: str) -> Money | None:
        """The cap now in force; None: no cap."""

    def connections(self, bot_id: str) -> Sequence[Connection]:
        """Its channels, in the file's order."""

    def last_error(self, bot_id: str) -> LastError | None:
        """Its latest fault since the daemon's start."""

    def config_fault(self) -> str | None:
        """Why bots.yaml as it is now is not in force; None: it is."""


class DashboardHandoffs(Protocol):
    """Hand-offs that people decide."""

    async def count(self) -> int:
        """How many wait."""

    async def waiting(self) -> Sequence[HandoffCard]:
        """The oldest first."""

    async def decided(self, limit: int) -> Sequence[HandoffCard]:
        """The latest first."""
