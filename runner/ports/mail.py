"""What comes in and what goes out, as stores keep it: inbox rows, turns, outbox rows.

Rule: payloads are JSON texts that a store does not look into.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from runner.ports.runs import Errand, Handoff, RunRecord


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
class PreparedHead:
    """A summary of all messages before `first_seq`, for the time when the window begins there."""

    first_seq: int
    text: str


@dataclass(frozen=True, slots=True)
class ConversationState:
    """A conversation as stored.

    Attributes:
        first_seq: sequence number of the first message that a model sees (the window's start).
        next_seq: sequence number that the next message gets; the first message of a conversation has 0.
        tier: the routing tier that the conversation stays with; empty: none yet.
        head: the summary that stands for all messages before `first_seq`; empty: none.
        prepared: a head that was made ahead, for when the window moves; never changed by a turn's end.
    """

    id: str
    started_ms: int
    last_ms: int
    first_seq: int = 0
    next_seq: int = 0
    tier: str = ""
    head: str = ""
    prepared: PreparedHead | None = None


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
class Filed:
    """A part that was stored. `state`: `pending` where an earlier part of its place is not through yet."""

    id: int
    state: OutboxState


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
        first_state: `sending` where the outbox tries at once, `sent` where the platform collects its answers. Several
            daemons may send to one place: a store that they share files a part as `pending` all the same where an
            earlier part of that place is not through.
        report: JSON of the turn's figures, for traces.
        platform: what its traffic counts for; empty: the channel's name.
        asked: whether somebody wrote; an errand counts for no message received and no active user.
        run: the workflow run as it is now, in place of what was stored of it.
        errands: what is owed from now on.
        handoff: what a reviewer is asked.
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
    platform: str = ""
    asked: bool = True
    run: RunRecord | None = None
    errands: tuple[Errand, ...] = ()
    handoff: Handoff | None = None
