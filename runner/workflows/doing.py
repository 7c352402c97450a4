"""What a node is done with, and what comes of it: the seam between the run loop and those who do nodes.

    running ── Doing ──▶ NodeDoer.do ── Outcome ──▶ running
                │ recall.ask, recall.tool: paid or made once, whatever crashes

Rules: a doer holds nothing of a run; what must not be done twice goes through `recall`, in the same order each time,
or through something that knows the turn and the step's number as a key. What goes wrong with a node is its result
(`engine.Failed`), not an exception; StoreError alone goes through: the turn is begun again. What a doer wants said,
owed or asked it hands back, and the run loop writes it down with the node's result or with the turn's end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from adapters.messages import InboundMessage
from runner.agent.asks import Failed, Refused, ScopesOf
from runner.agent.replies import PaidReply
from runner.bots import Bot
from runner.conversations.models import Message, ToolCall
from runner.money.ledger import Attempt
from runner.ports.dialogue import ModelRequest
from runner.ports.runs import Errand
from runner.ports.stores import LaneSession
from runner.ports.tools import Toolbox, ToolRun
from runner.workflows import engine
from runner.workflows.expressions import Json


class Recall(Protocol):
    """The stored steps of the turn, in order: what an earlier try paid or made is taken, not done again."""

    async def ask(self, request: ModelRequest, *, feature: str) -> PaidReply | Refused | Failed:
        """One metered call on the bot's own account, stored with its payment.

        After `Refused` the whole run ends with the limit's text, whatever the node's result is.
        """

    async def tool(self, call: ToolCall) -> ToolRun:
        """One call of the bot's toolbox, its result stored; not made again where that may do harm."""


@dataclass(frozen=True, slots=True)
class Doing:
    """What a node is done with.

    Attributes:
        run: the run's id.
        step: the node, its inputs, and the step's number, unique in its workflow for ever.
        about: the ledger row of the turn as far as it is known; `feature` is the node's already.
        deadline: `clock.monotonic()` at which the message's time is over.
        history: legal, the user's message last (with its pictures, in the turn that it came in).
        message: that message as the platform brought it; after a wait, the one that the run began with, or the
            user's answer where it waited for that.
        reply: what the user wrote to a node that waited for it (`Wait("reply")`); None: the node is begun.
        hops: how often the message was handed on between bots before.
        key: of this doing of the node, unique in the run for ever, those of its sub-workflows among them.
    """

    bot: Bot
    run: str
    turn: str
    step: engine.Run
    about: Attempt
    scopes: ScopesOf
    deadline: float
    session: LaneSession
    user: str
    channel: str
    platform: str
    toolbox: Toolbox
    history: tuple[Message, ...]
    recall: Recall
    lane: str
    message: InboundMessage
    reply: str | None = None
    hops: int = 0
    key: str = ""

    @property
    def feature(self) -> str:
        """What the ledger calls the node's calls."""
        return feature_of(self.step.placed.id)

    @property
    def inputs(self) -> Mapping[str, Json]:
        """The node's fields with the variables put in, by the names that its class gives them."""
        return self.step.inputs


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a node.

    Attributes:
        say: texts for the user, now.
        errands: owed from the turn's end on.
        replies, tool_runs: what was paid and made outside of `recall`; what went through it is known.
        refused: money was refused, outside of `recall`: the whole run ends with the limit's text.
    """

    result: engine.Result
    say: tuple[str, ...] = ()
    errands: tuple[Errand, ...] = ()
    replies: tuple[PaidReply, ...] = ()
    tool_runs: tuple[ToolRun, ...] = ()
    refused: Refused | None = None


class NodeDoer(Protocol):
    """Does nodes of one kind."""

    async def do(self, doing: Doing) -> Outcome:
        """Do one. Raises StoreError only."""


Doers: TypeAlias = Mapping[type, NodeDoer]
"""By the class of the node (`runner.workflows.nodes`)."""


def feature_of(node: str) -> str:
    """What the ledger calls the calls of a node."""
    return f"workflow:{node}"
