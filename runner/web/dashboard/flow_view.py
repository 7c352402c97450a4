"""A workflow and its last runs, as pages show them. Values only; see `views` for the rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from runner.money.amounts import ZERO, Money

NodeKind = Literal["entry", "branch", "step", "catch"]
"""How a node is drawn: where runs begin, where they part, what is done, where failures go."""
LinkKind = Literal["plain", "error", "join"]
Standing = Literal["good", "busy", "bad"]


@dataclass(frozen=True, slots=True)
class FlowNode:
    """A node.

    Attributes:
        times: how often it was done in the runs that are looked at, for `cost` in all.
        failures: how often it failed.
        on_path: whether the run that is shown went through it; `waits`: whether it waits there.
    """

    id: str
    label: str
    type: str
    kind: NodeKind = "step"
    times: int = 0
    cost: Money = ZERO
    failures: int = 0
    on_path: bool = False
    waits: bool = False


@dataclass(frozen=True, slots=True)
class FlowLink:
    """An edge. `handle`: the word beside it; `on_path`: whether the run that is shown went along it."""

    source: str
    target: str
    handle: str = ""
    kind: LinkKind = "plain"
    on_path: bool = False


@dataclass(frozen=True, slots=True)
class TraceLine:
    """A node that a run did: what went in and came out, as JSON text, and what it took."""

    node: str
    type: str
    inputs: str = ""
    output: str = ""
    handle: str = ""
    failure: str = ""
    tokens: int = 0
    cost: Money = ZERO
    ms: int = 0


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run. `took_ms`: in all of its nodes; `why`: what it waits for, or why it failed."""

    id: str
    user: str
    conversation: str
    state: Standing
    word: str
    started_ms: int
    took_ms: int
    cost: Money
    lines: tuple[TraceLine, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class WorkflowCard:
    """A bot's workflow.

    Attributes:
        runs: the latest first.
        shown: the id of the run whose path is drawn; empty: none.
        fault: why it cannot be drawn; empty: it can.
    """

    nodes: tuple[FlowNode, ...]
    links: tuple[FlowLink, ...]
    runs: tuple[RunRow, ...] = ()
    shown: str = ""
    fault: str = ""
