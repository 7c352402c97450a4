"""What happened, as values: logs, metrics and alerts are made from these and from nothing else.

Rule: an event holds ids and figures, never a secret and never a message's text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from runner.money.amounts import Money
from runner.money.usage import Usage
from runner.ports.reloads import Reloaded


@dataclass(frozen=True, slots=True)
class MessageAccepted:
    """A message is durable."""

    bot: str
    channel: str
    turn: str
    fresh: bool


@dataclass(frozen=True, slots=True)
class MessageTurnedAway:
    """A message was not taken: `why` is ignored, limited or overloaded."""

    bot: str
    channel: str
    why: str


@dataclass(frozen=True, slots=True)
class CallEnded:
    """One attempt at a model has ended; `state` as in the ledger. `cost`: what stands against its limits for it."""

    bot: str
    turn: str
    attempt: str
    provider: str
    model: str
    state: str
    held: Money
    cost: Money
    usage: Usage
    latency_ms: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class SpendRefused:
    """No model was called: `busy` (money held by others until the time was over) or `limit`.

    `batch`: all lines of a batch together are more than a limit leaves, which may be far from reached.
    """

    bot: str
    turn: str
    scope: str
    kind: str
    limit: int = 0
    gone: int = 0


@dataclass(frozen=True, slots=True)
class LimitUsed:
    """A call has ended and a limit is used so far: `percent` is the highest of 50, 80 and 100 that is reached, or 0.

    `limit` and `gone` (spent, or of unknown fate) are in the scope's measure: pico-dollars, or tokens.
    """

    bot: str
    scope: str
    percent: int
    limit: int
    gone: int


@dataclass(frozen=True, slots=True)
class AlertRaised:
    """An operator is told, once, that a limit is used up to `percent`; 0: the wallet's soft limit is reached."""

    scope: str
    percent: int
    limit: int
    gone: int


@dataclass(frozen=True, slots=True)
class LimitChanged:
    """An operator set another limit: who was told of the old one may be told again."""

    scope: str


@dataclass(frozen=True, slots=True)
class BoundBroken:
    """A provider charged more than the bound: the truth is recorded, the model is quarantined."""

    bot: str
    attempt: str
    provider: str
    model: str
    held: Money
    cost: Money


@dataclass(frozen=True, slots=True)
class TurnFinished:
    """A message has its reply."""

    bot: str
    channel: str
    conversation: str
    turn: str
    stop_reason: str
    iterations: int
    tool_calls: int
    cost: Money
    latency_ms: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class SummaryMissed:
    """What was said before a conversation's window goes without the summary that it could have had."""

    bot: str
    conversation: str
    why: str


@dataclass(frozen=True, slots=True)
class SendEnded:
    """A part of a reply: `fate` is sent, later, rejected, unknown."""

    bot: str
    channel: str
    outbox_id: int
    fate: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class ConnectionChanged:
    """A bot's connection has another state."""

    bot: str
    channel: str
    state: str
    why: str


@dataclass(frozen=True, slots=True)
class ToolServerChanged:
    """A server of tools is up, down, or up with other tools: `tools` of them. `bots`: who has them."""

    workspace: str
    server: str
    state: str
    tools: int
    why: str = ""
    bots: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolServerSaid:
    """A line that a server of tools wrote to its standard error; for debugging only."""

    workspace: str
    server: str
    line: str


@dataclass(frozen=True, slots=True)
class ErrandsOwed:
    """A turn has left so many errands behind."""

    bot: str
    turn: str
    count: int


@dataclass(frozen=True, slots=True)
class ErrandBegun:
    """What was owed is a message of its lane now. `run`: the workflow run that it belongs to; empty: none."""

    bot: str
    channel: str
    turn: str
    run: str


@dataclass(frozen=True, slots=True)
class HandoffAsked:
    """A run waits for a reviewer; told again at each start for as long as it waits."""

    bot: str
    channel: str
    handoff: str
    run: str


@dataclass(frozen=True, slots=True)
class HandoffDecided:
    """A reviewer has decided: `decision` is approved or rejected."""

    bot: str
    channel: str
    handoff: str
    decision: str


@dataclass(frozen=True, slots=True)
class Fault:
    """Something of ours failed and was dealt with; `error` is set where a traceback helps."""

    where: str
    why: str
    bot: str = ""
    turn: str = ""
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class DaemonGone:
    """Another daemon of the fleet is gone, and what it left was ended: its holds are unknown, its sends go again.

    `stopped`: it had said that it stops.
    """

    daemon: int
    name: str
    holds_unknown: int = 0
    sends_again: int = 0
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class DaemonRenamed:
    """This daemon could not reach the store for so long that it was taken for dead; it goes on as another one."""

    before: int
    now: int


@dataclass(frozen=True, slots=True)
class ConfigReloaded:
    """bots.yaml was read again and is in force; `reason`: who asked."""

    reason: str
    done: Reloaded


@dataclass(frozen=True, slots=True)
class ConfigRefused:
    """bots.yaml was read again and cannot be used: the last good one goes on."""

    problems: tuple[str, ...]


Event = (
    MessageAccepted
    | MessageTurnedAway
    | CallEnded
    | SpendRefused
    | LimitUsed
    | AlertRaised
    | LimitChanged
    | BoundBroken
    | TurnFinished
    | SummaryMissed
    | SendEnded
    | ConnectionChanged
    | ToolServerChanged
    | ToolServerSaid
    | ErrandsOwed
    | ErrandBegun
    | HandoffAsked
    | HandoffDecided
    | DaemonGone
    | DaemonRenamed
    | ConfigReloaded
    | ConfigRefused
    | Fault
)


class Observer(Protocol):
    """Takes note. MUST be cheap, MUST NOT raise, MUST NOT block."""

    def note(self, event: Event) -> None:
        """Something happened."""
