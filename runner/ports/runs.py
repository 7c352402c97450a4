"""Workflow runs, errands and hand-offs, as stores keep them.

    run       what a workflow did so far: kept when its turn ends, finished or waiting for a time, a person, a code
    errand    a message that the runner owes itself: at its time it becomes an inbox row, once, in its lane's order
    hand-off  a question to a reviewer; their decision is an errand that the run goes on with

Rules: a run, its errands and its hand-off are written in the transaction that ends the turn (`FinishedTurn`); a
decision and the errand that it makes are one transaction; an errand becomes a message and is gone in one
transaction. So a run goes on once for each thing that it waited for, whatever happens in between. What a user's
run said and what it waits for goes when the user is forgotten; a run that waits is never pruned.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from runner.clock import UnixMs

ERRAND_ACCOUNT = "~errand"
"""Whose events errands are, as inbox rows: no platform has an account of that name."""
MOST_MEMORIES = 1000
"""Keys that an owner's memory holds; the oldest go."""


class RunStatus(StrEnum):
    """How far a run is, seen between two turns."""

    WAITING = "waiting"
    FINISHED = "finished"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run as it was when a turn of it ended.

    Attributes:
        id: `r<turn>` of the turn that it began in.
        state: JSON that the engine goes on from; `trace`: JSON list, a line for each node that ran, for people.
        waiting_for: what it waits for, in words ("a reviewer", "2026-11-23T09:00:00Z"); empty: for nothing.
        turn: the turn that wrote it.
    """

    id: str
    bot: str
    conversation: str
    channel: str
    user: str
    status: RunStatus
    started_ms: UnixMs
    at_ms: UnixMs
    state: str
    trace: str
    turn: str
    waiting_for: str = ""


@dataclass(frozen=True, slots=True)
class Errand:
    """A message to ourselves, due at `due_ms`.

    Attributes:
        key: unique for ever: the inbox row's event id, so that it is done once.
        payload: what the inbox row will hold (`runner.dispatch.errands`).
        run: the run that it belongs to; empty: none.
        user: whose conversation it goes on in; with that user it is forgotten.
    """

    key: str
    bot: str
    channel: str
    lane: str
    payload: str
    due_ms: int
    run: str = ""
    user: str = ""


class Decision(StrEnum):
    """What became of a hand-off."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Handoff:
    """A question to a reviewer.

    Attributes:
        id: `h<turn>.<node>`.
        lane: where its run goes on; `errand`: what goes on then, as an errand's payload without the decision.
        by: who decided; `comment`: what they said, for the run and, where it uses it, for the user.
    """

    id: str
    run: str
    bot: str
    conversation: str
    channel: str
    lane: str
    user: str
    reason: str
    errand: str
    asked_ms: UnixMs
    decision: Decision = Decision.PENDING
    by: str = ""
    comment: str = ""
    decided_ms: UnixMs | None = None


class RunStore(Protocol):
    """Runs, errands, hand-offs; what a workflow remembers. `Store.runs` is one."""

    async def run(self, run: str) -> RunRecord | None:
        """A run as it was last written."""

    async def runs(self, bot: str, limit: int) -> list[RunRecord]:
        """The bot's latest runs, the one that was last written first."""

    async def waiting_runs(self, conversation: str) -> list[RunRecord]:
        """The runs of that conversation that wait, the one that was last written first."""

    async def errands(self, now_ms: int, limit: int) -> list[Errand]:
        """Those that are due, the earliest first; of the same time, the one that was owed first."""

    async def next_errand_ms(self) -> int | None:
        """When the earliest is due; None: there is none."""

    async def owe(self, errand: Errand) -> bool:
        """Remember an errand; False where one of that key was there, or was done, before."""

    async def send_errand(self, key: str, now_ms: int) -> int | None:
        """Make it an inbox row of `ERRAND_ACCOUNT` and forget it, in one transaction.

        The row's id; None: it is gone already, or was an inbox row before.
        """

    async def handoff(self, handoff: str) -> Handoff | None:
        """One hand-off."""

    async def handoffs(self, decision: Decision | None, limit: int) -> list[Handoff]:
        """Those asked last first, of that decision only where one is given."""

    async def decide(
        self, handoff: str, decision: Decision, by: str, comment: str, errand: Errand, now_ms: int
    ) -> Handoff:
        """Write a decision down together with the errand that goes on with it.

        MUST raise IllegalStep, changing nothing, where it was decided before or is not there.
        """

    async def recall(self, bot: str, owner: str, key: str) -> str | None:
        """What a workflow remembers under this key; `owner`: a user's id, or empty for the whole bot."""

    async def remember(self, bot: str, owner: str, key: str, value: str | None, at_ms: int) -> None:
        """Remember it in place of what was there; None forgets it. Bounded by `MOST_MEMORIES` an owner."""
