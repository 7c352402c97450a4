"""What a run is given in one turn, and what it gives back.

Rule: a task holds all that the run may use; nothing of it is kept when the turn is over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from adapters.messages import InboundMessage
from runner.agent.asks import ScopesOf
from runner.agent.replies import PaidReply, Step
from runner.bots import Bot
from runner.conversations.models import Message
from runner.money.ledger import Attempt
from runner.ports.dialogue import StopReason
from runner.ports.mail import Filed, NewOutbound, OutboxState
from runner.ports.runs import Errand
from runner.ports.stores import LaneSession
from runner.ports.tools import Toolbox, ToolRun
from runner.workflows.engine import Waiting
from runner.workflows.expressions import Json
from runner.workflows.graph import Graph
from runner.workflows.state import RunState
from runner.workflows.tracing import Line


class Voice(Protocol):
    """How the user hears a text in the middle of a turn."""

    def rows(self, texts: Sequence[str], step: int) -> tuple[tuple[NewOutbound, ...], OutboxState]:
        """What is stored of it, and in which state; nothing where it is said at the turn's end."""

    def stored(self, filed: Sequence[Filed], rows: Sequence[NewOutbound]) -> None:
        """It was stored: on its way."""


@dataclass(frozen=True, slots=True)
class Woken:
    """Why a run that waited goes on.

    Attributes:
        step: the one whose time, `until_ms`, has come; 0: it is about another wait.
        decision: a reviewer's, with their `comment` and name; empty: nobody decided.
        reply: what the user wrote; None: nobody did.
    """

    step: int = 0
    decision: str = ""
    comment: str = ""
    by: str = ""
    reply: str | None = None
    until_ms: int = 0


@dataclass(frozen=True, slots=True)
class RunTask:
    """A run, and the turn that it goes on in.

    Attributes:
        parts: the sub-workflows, by name.
        state: begun, or stored by an earlier turn.
        stored: steps that an earlier try of this turn has stored; `first_step`: how many the turn has before them.
        has_spoken: whether an earlier turn of the run said something.
        woken: why it goes on; None: it begins.
    """

    run: str
    bot: Bot
    graph: Graph
    parts: Mapping[str, Graph]
    state: RunState
    about: Attempt
    scopes: ScopesOf
    deadline: float
    session: LaneSession
    toolbox: Toolbox
    history: tuple[Message, ...]
    message: InboundMessage
    channel: str
    platform: str
    lane: str
    stored: tuple[Step, ...]
    first_step: int
    attempts_used: int
    voice: Voice
    has_spoken: bool = False
    woken: Woken | None = None


@dataclass(frozen=True, slots=True)
class RunResult:
    """How far it came in this turn.

    Attributes:
        stop: NOTICE where it waits, or ended without a word that was not said before.
        text: what is left to be said at the turn's end; `said`: what was said before, in order.
        paused: the steps that began to wait in this turn.
        trace: a line for each node of this turn.
    """

    state: RunState
    stop: StopReason
    text: str = ""
    detail: str = ""
    said: tuple[str, ...] = ()
    replies: tuple[PaidReply, ...] = ()
    tool_runs: tuple[ToolRun, ...] = ()
    errands: tuple[Errand, ...] = ()
    paused: tuple[Waiting, ...] = ()
    trace: tuple[Line, ...] = ()


def trigger_variables(message: InboundMessage, platform: str) -> dict[str, Json]:
    """What a run begins with."""
    return {
        "message": message.text,
        "user_id": message.sender.id,
        "user_name": message.sender.name or "",
        "channel_id": message.chat.id,
        "platform": platform,
    }
