"""What people look at: traffic by day, facts about bots, conversations with their transcripts.

Rules: days are UTC texts such as `2026-11-22`; what is counted by day outlives the messages that were counted, for it
is kept in the transaction that finishes a turn; a page is asked for by what the page before ended with.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from runner.money.amounts import ZERO, Money
from runner.ports.books import LedgerFilter, UsageSum

MOST_TURNS = 500
"""Turns of a transcript that are brought at once, unless more are asked for."""


@dataclass(frozen=True, slots=True)
class DayTraffic:
    """One day of one bot. `sent`: parts of replies; `users`: different people, over all of its platforms."""

    day: str
    bot: str
    received: int = 0
    sent: int = 0
    users: int = 0


@dataclass(frozen=True, slots=True)
class BotFacts:
    """What a store knows of a bot. Times in Unix ms; 0: not known.

    Attributes:
        updated_ms: when its definition was last seen to be another one.
        last_active_ms: its latest message; None: it never had one.
        conversations: how many it ever had; `messages`: received and sent.
    """

    bot: str
    created_ms: int = 0
    updated_ms: int = 0
    last_active_ms: int | None = None
    conversations: int = 0
    messages: int = 0


@dataclass(frozen=True, slots=True)
class ConversationLine:
    """A conversation in a list. `cost` and `unknown` are those of its model calls so far.

    Attributes:
        user: who began it; others may have joined where a channel shares one.
        turns: that are remembered, as are its `messages`.
    """

    id: str
    bot: str
    channel: str
    user: str
    started_ms: int
    last_ms: int
    turns: int
    messages: int
    cost: Money = ZERO
    unknown: Money = ZERO


@dataclass(frozen=True, slots=True)
class TranscriptTurn:
    """One turn of a conversation: what was remembered of it, its report, what it cost.

    Attributes:
        messages: message JSON (`runner.conversations.models`), the user's first; empty where none was remembered.
        report: JSON of the turn's figures.
        input_tokens: of all its model calls, as `output_tokens`.
    """

    turn: str
    user: str
    stop_reason: str
    at_ms: int
    report: str
    messages: tuple[str, ...] = ()
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: Money = ZERO
    unknown: Money = ZERO


@dataclass(frozen=True, slots=True)
class Transcript:
    """A conversation, turn by turn, the oldest first; `line.turns` tells how many there are in all."""

    line: ConversationLine
    turns: tuple[TranscriptTurn, ...]


class ReportStore(Protocol):
    """Reads for people, and the little that is written for them."""

    async def define_bots(self, digests: Mapping[str, str], now_ms: int) -> None:
        """These bots are defined, each with a digest of its definition: another digest is an update."""

    async def bot_facts(self, bots: Collection[str]) -> dict[str, BotFacts]:
        """Facts about these bots; each asked for is there."""

    async def traffic(self, bot: str | None, first_day: str, last_day: str) -> list[DayTraffic]:
        """Days with traffic, the last one included, by day and bot."""

    async def unique_users(self, bot: str | None, first_day: str, last_day: str) -> int:
        """Different people in all those days."""

    async def conversations(
        self, bot: str | None, limit: int, before: tuple[int, str] | None = None, user: str | None = None
    ) -> list[ConversationLine]:
        """The latest first; `before` is the last line's (last_ms, id) of the page before.

        `user`: those in which that user had a turn.
        """

    async def transcript(self, conversation: str, latest: int = MOST_TURNS) -> Transcript | None:
        """One conversation with its latest turns; None: there is none of that id (any more)."""

    async def top_users(self, which: LedgerFilter, limit: int) -> list[UsageSum]:
        """The users who cost most, dearest first; `key` is (bot, user)."""

    async def forget_user(self, bot: str | None, user: str) -> int:
        """Remove what a user said and was told: messages, turns, steps, inbox and outbox rows; returns rows removed.

        The ledger keeps the money, it has no content, and so do the counts by day. What belongs to a turn that is
        not done yet, or whose reply is on its way, stays: forget again. Where others spoke in a conversation, their
        turns stay, whole, but the summaries of what was said in it go. So do all kept answers of the bot, which
        are not counted. The user's workflow runs go, finished or not, with what they owe and ask, and what workflows
        remember of the user.
        """

    async def forget_conversation(self, conversation: str) -> int:
        """Remove one conversation, whoever spoke in it, with its runs; returns rows removed.

        What stays: as with `forget_user`.
        """
