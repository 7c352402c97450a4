"""What is remembered. One port, one contract suite (tests/contract/stores), several implementations.

Rules for every implementation:

* A method that returns has done it durably; one that raises `StoreError` has done nothing of it. Each method is
  one transaction.
* The inbox table is the truth. Who works, what waits and what is paid can be told from the store alone after
  a `kill -9`; everything in memory is a wake-up.
* Nothing may rely on being the only process: a lane is worked on through `lane()`, a connection is held by
  `lease()`. An embedded store grants both at once.
* Payloads are JSON texts that the store does not look into.
* Money is decided by `runner.money.budget.decide` INSIDE the transaction that writes the hold.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from runner.money.amounts import ZERO, Money
from runner.money.budget import Busy, Counter, Exhausted, ScopeLimit
from runner.money.estimate import Estimate
from runner.money.ledger import Attempt, LedgerEntry
from runner.money.reservation import ReservationState
from runner.money.usage import NO_USAGE, Usage


@dataclass(frozen=True, slots=True)
class NewInbound:
    """A message to accept. Unique on (bot, channel, account, event_id)."""

    bot: str
    channel: str
    account: str
    event_id: str
    lane: str
    payload: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Acceptance:
    """`fresh`: stored just now. `finished`: its turn is done already (only where not fresh)."""

    inbox_id: int
    fresh: bool
    finished: bool = False


@dataclass(frozen=True, slots=True)
class ConversationState:
    """A conversation as stored.

    Attributes:
        first_seq: sequence number of the first message that a model sees (the window's start).
        next_seq: sequence number that the next message gets; the first message of a conversation has 0.
    """

    id: str
    started_ms: int
    last_ms: int
    first_seq: int = 0
    next_seq: int = 0


@dataclass(frozen=True, slots=True)
class StoredStep:
    """Something of a turn that must not be done again: a paid reply, a tool's results. `number` from 0, no gaps."""

    number: int
    payload: str


@dataclass(frozen=True, slots=True)
class Work:
    """The oldest message of a lane that is not done, with all that its turn needs.

    Attributes:
        turn: the turn's id, `t<inbox_id>`: the same however often it is begun.
        conversation: the lane's latest conversation, over or not; None: the lane never had one.
        history: message JSON from `first_seq` on, in order.
        steps: what an earlier, interrupted try of this turn has stored.
        attempts_used: ledger rows that the turn has already; ids go on from here.
    """

    inbox_id: int
    bot: str
    channel: str
    lane: str
    payload: str
    accepted_ms: int
    turn: str
    conversation: ConversationState | None
    history: tuple[str, ...] = ()
    steps: tuple[StoredStep, ...] = ()
    attempts_used: int = 0


class OutboxState(StrEnum):
    """A part of a reply on its way.

    pending ─▶ sending ─▶ sent | rejected | unknown;  sending ─▶ pending (certainly not sent: later again);
    a restart takes `sending` back to `pending`, listed as possibly doubled, the fifth time to `unknown`.
    """

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


LEGAL_OUTBOX_STEPS: Mapping[OutboxState, frozenset[OutboxState]] = {
    OutboxState.PENDING: frozenset({OutboxState.SENDING, OutboxState.REJECTED}),
    OutboxState.SENDING: frozenset(
        {OutboxState.PENDING, OutboxState.SENT, OutboxState.REJECTED, OutboxState.UNKNOWN},
    ),
    OutboxState.SENT: frozenset(),
    OutboxState.REJECTED: frozenset(),
    OutboxState.UNKNOWN: frozenset({OutboxState.PENDING}),
}


@dataclass(frozen=True, slots=True)
class NewOutbound:
    """One part of a reply. `place` is what keeps order and pace: parts of one place go out one after another."""

    bot: str
    channel: str
    place: str
    payload: str


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A stored part. `crashes`: how often a restart found it in `sending`: more than 0 = possibly doubled."""

    id: int
    inbox_id: int
    bot: str
    channel: str
    place: str
    payload: str
    state: OutboxState
    due_ms: int = 0
    tries: int = 0
    crashes: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class FinishedTurn:
    """A turn's end: all of it in one transaction (T4).

    Attributes:
        conversation: the state after this turn; a new id starts a new conversation in the lane.
        messages: message JSON to append, numbered from the conversation's old `next_seq`.
        first_state: `sending` where the outbox tries at once, `sent` where the platform collects its answers.
        report: JSON of the turn's figures, for traces.
    """

    inbox_id: int
    turn: str
    bot: str
    channel: str
    lane: str
    user: str
    conversation: ConversationState
    stop_reason: str
    at_ms: int
    messages: tuple[str, ...] = ()
    outbox: tuple[NewOutbound, ...] = ()
    first_state: OutboxState = OutboxState.SENDING
    report: str = "{}"


@dataclass(frozen=True, slots=True)
class HoldRequest:
    """Money to set aside for one attempt, in all scopes at once."""

    attempt: Attempt
    scopes: tuple[ScopeLimit, ...]
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class Held:
    """It is held, durably: the call may be made with this output limit."""

    attempt_id: str
    output_tokens: int
    amount: Money


HoldResult = Held | Busy | Exhausted


@dataclass(frozen=True, slots=True)
class Settlement:
    """How an attempt ended.

    Attributes:
        cost: the real cost where `state` is settled; where it is unknown, None keeps the full hold and an
            amount is the most that it can have cost (`runner.money.reservation.charge`).
        step: what of the reply must survive a restart, stored in the same transaction; None where there is none.
    """

    attempt_id: str
    state: ReservationState
    cost: Money | None = None
    usage: Usage = NO_USAGE
    request_id: str = ""
    stop_reason: str = ""
    latency_ms: int = 0
    why: str = ""
    step: StoredStep | None = None


class MoneyStore(Protocol):
    """Holds and their ends."""

    async def hold(self, request: HoldRequest) -> HoldResult:
        """Decide and, where granted, write the ledger row as `held`. Refusals write nothing.

        MUST raise IllegalStep where the attempt id exists already.
        """

    async def settle(self, settlement: Settlement) -> Money:
        """End a hold; returns what stands against the scopes now.

        MUST raise IllegalStep, changing nothing, where the attempt is not `held`.
        """


class LaneSession(MoneyStore, Protocol):
    """One lane, held by this process: nobody else works on it until the context is left."""

    async def next(self, now_ms: int) -> Work | None:
        """The lane's oldest message that is not done and due, or None. Changes nothing."""

    async def save_step(self, turn: str, step: StoredStep) -> None:
        """Remember something that the turn must not do again. The same number twice: IllegalStep."""

    async def finish(self, turn: FinishedTurn) -> tuple[int, ...]:
        """Turn + conversation + messages + outbox + inbox done; returns the outbox ids.

        MUST raise IllegalStep, changing nothing, where the message is done already.
        """

    async def postpone(self, inbox_id: int, until_ms: int) -> None:
        """Not before that time again; the lane's later messages wait behind it."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a start found: reservations `held` that became `unknown`, sends `sending` that went back or were listed."""

    holds_unknown: int = 0
    sends_again: int = 0
    sends_unknown: int = 0


@dataclass(frozen=True, slots=True)
class LedgerFilter:
    """Which rows to read; times in Unix ms, from ≤ time < to."""

    bot: str | None = None
    turn: str | None = None
    from_ms: int | None = None
    to_ms: int | None = None


@dataclass(frozen=True, slots=True)
class UsageSum:
    """Ledger rows of one group, added up. `key` has one text for each grouping asked for."""

    key: tuple[str, ...]
    cost: Money = ZERO
    calls: int = 0
    retries: int = 0
    usage: Usage = NO_USAGE
    unknown: Money = ZERO


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """A finished turn as stored, for traces and answers asked for again."""

    turn: str
    bot: str
    channel: str
    conversation: str
    user: str
    stop_reason: str
    at_ms: int
    report: str


GROUPINGS = ("bot", "feature", "task", "user", "model", "provider", "route", "platform", "day")
"""What usage can be grouped by. `day` is the UTC day."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A name held until `until_ms`; `epoch` grows each time the holder changes."""

    name: str
    holder: str
    epoch: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class StoreFigures:
    """Counts for `status` and health."""

    waiting: Mapping[str, int] = field(default_factory=dict)
    """Inbox rows not done, by bot."""
    outbox: Mapping[str, int] = field(default_factory=dict)
    """Outbox rows by state, without `sent`."""
    possibly_doubled: int = 0
    """Sends that a restart repeated without knowing the fate of the first."""


class Store(MoneyStore, Protocol):
    """Everything that is remembered."""

    async def open(self) -> None:
        """Connect, migrate, check. Raises StoreRefused (newer schema, damaged, in use by another daemon)."""

    async def close(self) -> None:
        """Finish what was asked for and let go."""

    async def recover(self) -> Recovery:
        """What a holder of the store does once at start, before any work (holds and sends left by a crash)."""

    async def accept(self, message: NewInbound) -> Acceptance:
        """Insert once; two deliveries at the same instant end as one row."""

    async def seen(self, message: NewInbound) -> Acceptance | None:
        """Whether it was accepted earlier; inserts nothing."""

    async def recent(self, bot: str, channel: str, limit: int) -> list[str]:
        """The latest payload of each of that channel's latest lanes, done or not, the latest last.

        MAY look at the channel's latest messages only.
        """

    async def waiting_lanes(
        self, bots: Collection[str], exclude: Collection[str], limit: int, now_ms: int
    ) -> list[str]:
        """Lanes of these bots with a due message that is not done, oldest message first."""

    def lane(self, lane: str) -> AbstractAsyncContextManager[LaneSession | None]:
        """Hold a lane; None where another process holds it."""

    async def begin_sending(self, ids: Sequence[int]) -> None:
        """Pending -> sending. IllegalStep, changing nothing, where one is not pending."""

    async def end_sending(self, outbox_id: int, state: OutboxState, why: str = "", due_ms: int = 0) -> None:
        """Sending -> sent | rejected | unknown | pending (due then). IllegalStep where the table has no such step."""

    async def outgoing(self, state: OutboxState, limit: int, after_id: int = 0) -> list[Outgoing]:
        """Rows in that state with a larger id, by id."""

    async def answers(self, inbox_id: int) -> list[Outgoing]:
        """All parts of that message's reply, in order, whatever their state."""

    async def resend(self, outbox_id: int) -> None:
        """An operator's word: unknown -> pending."""

    async def counters(self, scopes: Collection[str] | None = None) -> dict[str, Counter]:
        """These scopes (all: None); a scope that never had a row is absent or empty."""

    def ledger(self, which: LedgerFilter) -> AsyncIterator[LedgerEntry]:
        """Rows by time, without holding up writers."""

    async def usage(self, which: LedgerFilter, by: Sequence[str]) -> list[UsageSum]:
        """Rows added up by some of `GROUPINGS`, dearest first."""

    async def turn(self, turn: str) -> TurnRecord | None:
        """A finished turn."""

    async def figures(self) -> StoreFigures:
        """Counts, cheap enough for each scrape."""

    async def lease(self, name: str, holder: str, ttl_ms: int, now_ms: int) -> Lease | None:
        """Take or renew a name; None while another holder's lease runs."""

    async def release(self, name: str, holder: str) -> None:
        """Let go of a name; no error where it is not held."""

    async def prune(self, finished_before_ms: int, conversations_before_ms: int) -> int:
        """Forget finished inbox rows, sent outbox rows, steps and idle conversations; returns rows removed.

        The ledger is never pruned.
        """
