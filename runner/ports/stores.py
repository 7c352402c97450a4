"""What is remembered. One port, one contract suite (tests/contract/stores), several implementations.

Rules for every implementation:

* A method that returns has done it durably; one that raises `StoreError` has done nothing of it. Each method is
  one transaction.
* The inbox table is the truth. Who works, what waits and what is paid can be told from the store alone after
  a `kill -9`; everything in memory is a wake-up.
* Nothing may rely on being the only process: a lane is worked on through `lane()`, a connection is held by
  `lease()`. An embedded store grants both at once.
* The rules of `runner.ports.mail` and `runner.ports.books` hold too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from runner.ports.answers import AnswerStore
from runner.ports.batches import BatchStore
from runner.ports.books import BookStore, MoneyStore
from runner.ports.fleet import Fleet
from runner.ports.mail import (
    Acceptance,
    Filed,
    FinishedTurn,
    NewInbound,
    NewOutbound,
    OutboxState,
    Outgoing,
    StoredStep,
    Work,
)
from runner.ports.rates import Rates
from runner.ports.reports import ReportStore
from runner.ports.runs import RunStore
from runner.ports.sharing import SharedValues


class LaneSession(MoneyStore, Protocol):
    """One lane, held by this process: nobody else works on it until the context is left."""

    async def next(self, now_ms: int) -> Work | None:
        """The lane's oldest message that is not done and due, or None. Changes nothing."""

    async def save_step(
        self,
        turn: str,
        step: StoredStep,
        outbox: Sequence[NewOutbound] = (),
        first_state: OutboxState = OutboxState.PENDING,
    ) -> tuple[Filed, ...]:
        """Remember something that the turn must not do again, with what it sends at once; how those parts are filed.

        `turn` may be a turn's own part, such as `t12.d1`. The same number twice: IllegalStep, and nothing is sent.
        """

    async def steps(self, turn: str) -> tuple[tuple[StoredStep, ...], int]:
        """The steps of a turn's own part (`t12.d1`), in order, and how many ledger rows it has, as in `Work`."""

    async def finish(self, turn: FinishedTurn) -> tuple[Filed, ...]:
        """Turn + conversation + messages + outbox + inbox done + run, errands, hand-off; how its parts are filed.

        The conversation's heads afterwards are those of `runner.store.rules.heads_after`.
        MUST raise IllegalStep, changing nothing, where the message is done already.
        """

    async def postpone(self, inbox_id: int, until_ms: int) -> None:
        """Not before that time again, five minutes from now at most; the lane's later messages wait behind it."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a start found: reservations `held` that became `unknown`, sends `sending` that went back or were listed."""

    holds_unknown: int = 0
    sends_again: int = 0
    sends_unknown: int = 0


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
    oldest_ms: Mapping[str, int] = field(default_factory=dict)
    """When the oldest of `waiting` was accepted, Unix ms, by bot."""


class Store(BookStore, ReportStore, AnswerStore, Protocol):
    """Everything that is remembered."""

    @property
    def batches(self) -> BatchStore:
        """Batches, in the same store: a line's hold and end are in the same ledger and counters."""

    @property
    def runs(self) -> RunStore:
        """Workflow runs, in the same store: they are written by the transaction that ends their turn."""

    @property
    def values(self) -> SharedValues:
        """Small values that all daemons of the store share."""

    @property
    def fleet(self) -> Fleet | None:
        """The other daemons on this store; None: it has one daemon only, and nothing that follows is needed."""

    @property
    def rates(self) -> Rates | None:
        """Who counts messages a minute for all daemons; None: each daemon counts for itself."""

    async def open(self) -> None:
        """Connect, migrate, check. Raises StoreRefused (newer schema, damaged, in use by another daemon)."""

    async def close(self) -> None:
        """Finish what was asked for and let go."""

    async def recover(self) -> Recovery:
        """What a holder of the store does once at start, before any work (holds and sends left by a crash).

        Where several daemons share it: only what was left by those that are gone.

        The holds of open batches stay: `runner.ports.batches`.
        """

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
        """Lanes of these bots with a due message that is not done: the bots by turns, each one's oldest message first.

        MAY leave out lanes that another process holds at the moment.
        """

    def lane(self, lane: str) -> AbstractAsyncContextManager[LaneSession | None]:
        """Hold a lane; None where another process holds it.

        A holder whose connection with the store breaks keeps the lane where nobody else has had it in between; where
        somebody has, each of its methods raises `LaneLost`, for good.
        """

    async def begin_sending(self, ids: Sequence[int]) -> None:
        """Pending -> sending. IllegalStep, changing nothing, where one is not pending.

        Where several daemons share the store, also where an earlier part of its place is pending or being sent.
        """

    async def end_sending(self, outbox_id: int, state: OutboxState, why: str = "", due_ms: int = 0) -> None:
        """Sending -> sent | rejected | unknown | pending (due then). IllegalStep where the table has no such step.

        Where several daemons share the store, also where another one is sending it by now.
        """

    async def outgoing(self, state: OutboxState, limit: int, after_id: int = 0) -> list[Outgoing]:
        """Rows in that state with a larger id, by id."""

    async def answers(self, inbox_id: int) -> list[Outgoing]:
        """All parts of that message's reply, in order, whatever their state."""

    async def resend(self, outbox_id: int) -> None:
        """An operator's word: unknown -> pending."""

    async def turn(self, turn: str) -> TurnRecord | None:
        """A finished turn."""

    async def figures(self) -> StoreFigures:
        """Counts, cheap enough for each scrape."""

    async def lease(self, name: str, holder: str, ttl_ms: int, now_ms: int) -> Lease | None:
        """Take or renew a name; None while another holder's runs. `now_ms`: `Fleet.now_ms`, where there is a fleet."""

    async def release(self, name: str, holder: str) -> None:
        """Let go of a name; no error where it is not held."""

    async def prune(
        self, finished_before_ms: int, conversations_before_ms: int, answers_until_ms: int = 0
    ) -> int:
        """Forget finished inbox rows, sent outbox rows, steps and idle conversations; returns rows removed.

        A turn's steps include those of its own parts (`t12.d1`). So go kept answers whose time was over at
        `answers_until_ms`, and, of before `conversations_before_ms`, what was said in batches that were over, runs
        that do not wait, and hand-offs that were decided. The ledger is never pruned.
        """
