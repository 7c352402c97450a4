"""A store that is only read: by commands, beside running daemons or without one.

Rules: nothing is written and no lock of a daemon's is needed; what takes several queries sees all of it at one moment;
a store of another schema than ours is refused.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from runner.money.budget import Counter
from runner.money.ledger import Difference, LedgerEntry
from runner.ports.books import LedgerFilter, Quarantine, UsageSum
from runner.ports.mail import OutboxState, Outgoing
from runner.ports.reports import MOST_TURNS, BotFacts, ConversationLine, DayTraffic, Transcript
from runner.ports.stores import StoreFigures


@dataclass(frozen=True, slots=True)
class Unsent:
    """A part of an answer that has not arrived for sure; `since_ms`: when its turn ended."""

    outbox: int
    bot: str
    channel: str
    state: str
    why: str
    since_ms: int


class StoreReader(Protocol):
    """Reads of a store; each method as the one of that name in `runner.ports.stores.Store`. Raises StoreError."""

    async def open(self) -> None:
        """Check what is to be read. Raises StoreRefused: there is no store, or its schema is not ours."""

    async def close(self) -> None:
        """Refuse from now on; again: does nothing."""

    async def counters(self) -> dict[str, Counter]:
        """All scopes."""

    def ledger(self, which: LedgerFilter) -> AsyncIterator[LedgerEntry]:
        """Rows by time."""

    async def usage(self, which: LedgerFilter, by: Sequence[str], limit: int | None = None) -> list[UsageSum]:
        """Rows added up, dearest first."""

    async def top_users(self, which: LedgerFilter, limit: int) -> list[UsageSum]:
        """The users who cost most, dearest first; `key` is (bot, user)."""

    async def bot_facts(self, bots: Collection[str]) -> dict[str, BotFacts]:
        """Facts about these bots."""

    async def traffic(self, bot: str | None, first_day: str, last_day: str) -> list[DayTraffic]:
        """Days with traffic, the last one included, by day and bot."""

    async def unique_users(self, bot: str | None, first_day: str, last_day: str) -> int:
        """Different people in all those days."""

    async def conversations(
        self, bot: str | None, limit: int, before: tuple[int, str] | None = None, user: str | None = None
    ) -> list[ConversationLine]:
        """A page of conversations, the latest first."""

    async def transcript(self, conversation: str, latest: int = MOST_TURNS) -> Transcript | None:
        """One conversation with its latest turns."""

    async def outgoing(self, state: OutboxState, limit: int, after_id: int = 0) -> list[Outgoing]:
        """Parts of replies in that state with a larger id, by id."""

    async def recent(self, bot: str, channel: str, limit: int) -> list[str]:
        """The latest payload of each of that channel's latest lanes."""

    async def figures(self) -> StoreFigures:
        """Counts."""

    async def quarantined(self) -> list[Quarantine]:
        """Models set aside, the latest first."""

    async def verify_books(self) -> list[Difference]:
        """Each scope whose counter is not the sum of its ledger rows."""

    async def latest_ms(self) -> int | None:
        """When the latest message was accepted, Unix ms; None: none is kept."""
