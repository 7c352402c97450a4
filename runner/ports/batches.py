"""Batches as stores keep them: many requests of one bot, handed to a provider together.

    held ──▶ submitting ──▶ running ──▶ ended ──▶ done | failed | canceled
      ▲          │  │                    ▲
      └──────────┘  └────────────────────┘          refused: no money was held, nothing was kept but the row
      certainly not taken: later again

    held         money is held for every line; nothing was sent
    submitting   it is being sent, or was when the process died: it may be at the provider
    running      the provider has it, under the name `remote`
    ended        nothing more will run; `ending` says how the lines end, which is being written down

Rules for every implementation:

* A batch comes into being with its lines and with a ledger row `held` for each of them, in ONE transaction:
  all lines are held, or nothing is written.
* The ledger row of line n has the id `attempt_id(batch, n)`, the turn `batch` and the feature `FEATURE`; it
  ends once. An answer is a step of the turn `batch` with the number n, stored in the transaction that settles it.
* `Store.recover` leaves `held` what is of the feature `FEATURE` and whose turn is a batch that is open: its fate
  can still be learned. All other holds become `unknown`, those of batches that are over, too.
* A batch that is over never changes. Its lines and answers are forgotten by `Store.prune` when conversations of
  its age are; the batch itself and its ledger rows stay.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from runner.errors import IllegalStep
from runner.money.amounts import ZERO, Money
from runner.money.budget import Busy, Exhausted
from runner.money.reservation import ReservationState
from runner.money.usage import NO_USAGE, Usage
from runner.ports.books import HoldRequest, Settled, Settlement

FEATURE = "batch"
"""What the ledger calls a line's call; also its platform and its channel."""


class BatchState(StrEnum):
    """Where a batch is in its life."""

    HELD = "held"
    SUBMITTING = "submitting"
    RUNNING = "running"
    ENDED = "ended"
    DONE = "done"
    FAILED = "failed"
    CANCELED = "canceled"
    REFUSED = "refused"


OPEN = (BatchState.HELD, BatchState.SUBMITTING, BatchState.RUNNING, BatchState.ENDED)

LEGAL_BATCH_STEPS: Mapping[BatchState, frozenset[BatchState]] = {
    BatchState.HELD: frozenset({BatchState.SUBMITTING, BatchState.ENDED}),
    BatchState.SUBMITTING: frozenset({BatchState.HELD, BatchState.RUNNING, BatchState.ENDED}),
    BatchState.RUNNING: frozenset({BatchState.ENDED}),
    BatchState.ENDED: frozenset({BatchState.DONE, BatchState.FAILED, BatchState.CANCELED}),
    BatchState.DONE: frozenset(),
    BatchState.FAILED: frozenset(),
    BatchState.CANCELED: frozenset(),
    BatchState.REFUSED: frozenset(),
}


def check_batch_step(now: BatchState, then: BatchState) -> None:
    """Raise IllegalStep unless the table has this step; an open batch may stay where it is."""
    if then not in LEGAL_BATCH_STEPS[now] and not (now is then and now in OPEN):
        raise IllegalStep(f"a batch cannot go from {now} to {then}")


class Ending(StrEnum):
    """How the lines of a batch end that has ended."""

    OPEN = ""
    RESULTS = "results"
    """As the provider's results say."""
    NOTHING_RAN = "nothing_ran"
    """Certainly none of them ran: released."""
    NOBODY_KNOWS = "nobody_knows"
    """What has no result yet may have run: unknown."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch. Times in Unix ms.

    Attributes:
        id: unique over all time and all daemons; goes to the provider with every line.
        key: its maker's own: the same key twice is one batch; empty: none.
        label: which schedule of the bot made it; empty: a person did.
        terms: JSON of what all its lines share, the batch meter's business.
        lines: how many it has; `held`: what was held for all of them together.
        cancel: somebody asked to stop it; only `BatchStore.ask_cancel` sets it.
        remote: its name at the provider; empty: not known, or it has none.
        reached: how many lines the provider has got to so far.
        why: what went wrong last, one sentence part; empty: nothing.
    """

    id: str
    bot: str
    provider: str
    model: str
    made_ms: int
    lines: int
    state: BatchState = BatchState.HELD
    key: str = ""
    label: str = ""
    terms: str = "{}"
    held: Money = ZERO
    cancel: bool = False
    ending: Ending = Ending.OPEN
    remote: str = ""
    reached: int = 0
    submitted_ms: int = 0
    ended_ms: int = 0
    why: str = ""

    @property
    def is_open(self) -> bool:
        """Whether something is left to do about it."""
        return self.state in OPEN


@dataclass(frozen=True, slots=True)
class BatchLine:
    """A line as it is sent. `number` from 1; `custom_id`: its maker's; `request`: JSON that a store does not read."""

    number: int
    custom_id: str
    request: str
    max_output_tokens: int


@dataclass(frozen=True, slots=True)
class OpenHold:
    """What is held for a line that has not ended."""

    number: int
    amount: Money
    tokens: int
    max_output_tokens: int


@dataclass(frozen=True, slots=True)
class LineEnd:
    """What became of a line. `reply`: the step that its settlement stored; empty: no answer."""

    number: int
    custom_id: str
    state: ReservationState
    cost: Money
    usage: Usage = NO_USAGE
    stop_reason: str = ""
    why: str = ""
    reply: str = ""


@dataclass(frozen=True, slots=True)
class BatchFigures:
    """A batch's ledger rows, counted and added up. `cost`: of settled rows; corrections are in it."""

    open: int = 0
    settled: int = 0
    released: int = 0
    unknown: int = 0
    held: Money = ZERO
    cost: Money = ZERO
    unknown_cost: Money = ZERO
    usage: Usage = NO_USAGE


@dataclass(frozen=True, slots=True)
class Kept:
    """It is in the store. `fresh`: just now; else `batch` is what that key made earlier."""

    batch: Batch
    fresh: bool


def attempt_id(batch: str, number: int) -> str:
    """The ledger row of a line, and its name at the provider: at most 64 of [A-Za-z0-9_-]."""
    return f"{batch}-{number}"


def number_of(batch: str, name: str) -> int | None:
    """The line that `attempt_id` named so; None: it is no line of that batch."""
    whose, _, number = name.rpartition("-")
    is_number = number.isascii() and number.isdecimal() and not number.startswith("0")
    return int(number) if whose == batch and is_number and len(number) < 9 else None  # noqa: PLR2004 - more digits than any batch has lines


class BatchStore(Protocol):
    """Batches, and which runs of schedules were made."""

    async def add(
        self, batch: Batch, lines: Sequence[BatchLine], holds: Sequence[HoldRequest]
    ) -> Kept | Busy | Exhausted:
        """Keep it with its lines and hold for each of them, or refuse and write nothing.

        `holds`: one a line, in order, none of which may shrink; `batch.held` is filled in here. A `refused` batch has
        neither lines nor holds. MUST raise IllegalStep where the id exists already.
        """

    async def batch(self, batch_id: str) -> Batch | None:
        """One of them."""

    async def batches(self, bot: str | None, limit: int) -> list[Batch]:
        """The latest first."""

    async def open_batches(self) -> list[Batch]:
        """All that something is left to do about, the oldest first."""

    async def save(self, batch: Batch) -> Batch:
        """Write its state, ending, remote, reached, times and why; returns it as stored (`cancel` may be newer).

        MUST raise IllegalStep, changing nothing, where the table has no such step or there is no such batch.
        """

    async def ask_cancel(self, batch_id: str) -> Batch | None:
        """Remember that it shall stop; one that is over stays as it is. None: there is no such batch."""

    async def remotes(self) -> frozenset[str]:
        """The names at their providers of all batches that have one."""

    async def lines(self, batch_id: str, after: int, limit: int) -> list[BatchLine]:
        """Lines with a larger number, in order."""

    async def open_holds(self, batch_id: str) -> list[OpenHold]:
        """The lines that have not ended, in order."""

    async def settle_lines(self, settlements: Sequence[Settlement]) -> list[Settled | None]:
        """End the holds of lines, all in one transaction; None for one that had ended before, which stays as it is."""

    async def line_ends(self, batch_id: str, after: int, limit: int) -> list[LineEnd]:
        """Lines with a larger number, in order, with what became of them so far."""

    async def figures(self, batches: Collection[str]) -> dict[str, BatchFigures]:
        """Their ledger rows, added up."""

    async def last_run(self, bot: str, schedule: str) -> int | None:
        """Up to when (Unix ms) the runs of a schedule are dealt with; None: it was never seen."""

    async def set_last_run(self, bot: str, schedule: str, until_ms: int) -> None:
        """They are dealt with up to then."""
