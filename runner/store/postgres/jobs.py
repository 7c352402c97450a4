"""What a writer is asked to do: one job for each call of the store, until its answer is known.

Rules: a job that came into a transaction is answered only when its fate is known; it may be run more than once, for
it has no effect but on the database; two jobs with a key in common are never in one transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Generic, TypeVar

from runner.ports.mail import NewOutbound, OutboxState, StoredStep

Q = TypeVar("Q")


class Kind(Enum):
    """In the order in which they are done."""

    ENTER = auto()
    ACCEPT = auto()
    SEEN = auto()
    NEXT = auto()
    STEPS = auto()
    PLAIN = auto()
    SAVE_STEP = auto()
    FINISH = auto()
    END_SENDING = auto()
    BEGIN_SENDING = auto()
    SETTLE = auto()
    HOLD = auto()
    LEAVE = auto()


READS = frozenset({Kind.SEEN, Kind.NEXT, Kind.STEPS})
LANE_LOCKS = frozenset({Kind.LEAVE, Kind.ENTER})


@dataclass(slots=True, eq=False)
class HeldLane:
    """A lane that a writer holds for us.

    Attributes:
        working: the message that its holder works on; None: none.
        since: how far the ledger's numbers were when its holder began.
        lost: another daemon has had it meanwhile.
    """

    name: str
    working: int | None = None
    since: int = 0
    lost: bool = False


@dataclass(frozen=True, slots=True)
class AskedNext:
    """`LaneSession.next`."""

    lane: HeldLane
    now_ms: int


@dataclass(frozen=True, slots=True)
class AskedStep:
    """`LaneSession.save_step`."""

    turn: str
    step: StoredStep
    outbox: tuple[NewOutbound, ...]
    first_state: OutboxState


@dataclass(frozen=True, slots=True)
class AskedEnd:
    """`Store.end_sending`."""

    id: int
    state: OutboxState
    why: str
    due_ms: int


@dataclass(slots=True, eq=False)
class Job(Generic[Q]):
    """`keys`: what no other job of its transaction may touch. `done`: durably.

    `counted`: it takes a place of those that may wait.
    """

    kind: Kind
    asked: Q
    future: asyncio.Future[Any]
    keys: tuple[object, ...] = ()
    lane: HeldLane | None = None
    result: Any = None
    error: Exception | None = None
    done: bool = False
    counted: bool = True

    @property
    def is_open(self) -> bool:
        """Whether it is still to be done."""
        return not self.done and self.error is None

    def refuse(self, error: Exception) -> None:
        """It cannot be done."""
        self.error = error

    def report(self) -> None:
        """Tell whoever still waits."""
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class Restart(Exception):
    """A job was refused after something of it, or on the strength of it, was written."""


@dataclass(slots=True)
class Batch:
    """Jobs of one transaction.

    Attributes:
        number: the transaction's, once something was written.
        sending: places that parts of replies were filed for.
    """

    jobs: Sequence[Job[Any]]
    number: str | None = None
    sending: set[tuple[str, str, str]] = field(default_factory=set)

    def of(self, kind: Kind) -> Sequence[Job[Any]]:
        """Those of a kind that are to be done, in the order in which they were asked."""
        return [job for job in self.jobs if job.kind is kind and job.is_open]

    def wrote(self, number: str | None) -> None:
        """Something was written in the transaction of that number."""
        self.number = number or self.number
