"""What of a turn must not be done again, stored with the payment: paid replies, tools' results, nodes' outcomes.

Rule: what is written here is read back equal by every later version; a turn begun again after a crash takes
its steps from here, in order, before it asks anybody anything.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from runner.conversations.models import ToolCall, ToolResult
from runner.money.amounts import Money
from runner.money.usage import Usage
from runner.ports.dialogue import FinishReason, ModelReply
from runner.ports.tools import ToolRun


@dataclass(frozen=True, slots=True)
class PaidReply:
    """A model's reply with what it used and cost. `feature` as in the ledger."""

    reply: ModelReply
    usage: Usage
    cost: Money
    provider: str
    model: str
    route: str = "default"
    route_reason: str = ""
    feature: str = "chat"


@dataclass(frozen=True, slots=True)
class ToolsStarted:
    """Calls that may do harm when made twice are about to be made."""

    call_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ToolsDone:
    """All tool calls of the reply before it have their results."""

    runs: tuple[ToolRun, ...]


@dataclass(frozen=True, slots=True)
class NodeDone:
    """A node of a workflow was done; what it paid and made stands before it.

    Attributes:
        key: the number of its step in the run, behind those of the sub-workflows that it is in: `3`, `3.1`.
        outcome: JSON text that only workflows look into.
        ms: how long it took.
    """

    key: str
    node: str
    outcome: str
    ms: int = 0


Step = PaidReply | ToolsStarted | ToolsDone | NodeDone


def step_to_json(step: Step) -> str:
    """Compact JSON with a `kind`."""
    match step:
        case PaidReply():
            raw: dict[str, Any] = {"kind": "reply", **_record(step)}
        case ToolsStarted():
            raw = {"kind": "tools_started", "call_ids": step.call_ids}
        case ToolsDone():
            raw = {"kind": "tools_done", "runs": step.runs}
        case NodeDone():
            raw = {"kind": "node_done", **_record(step)}
    return _encode(raw)


def _record(part: Any) -> dict[str, object]:  # noqa: ANN401 - whatever json does not know itself
    """A part's fields: its slots. `dataclasses.asdict` also copies what is in them, at four times the cost."""
    return {name: getattr(part, name) for name in part.__slots__}


_encode = json.JSONEncoder(default=_record, ensure_ascii=False, separators=(",", ":")).encode
"""Made once: `json.dumps` makes an encoder each time."""


def step_from_json(text: str) -> Step:
    """Read what `step_to_json` wrote. Raises ValueError or KeyError on anything else."""
    raw = json.loads(text)
    match raw.pop("kind"):
        case "reply":
            reply = raw.pop("reply")
            calls = tuple(ToolCall(**call) for call in reply.pop("tool_calls"))
            finish = FinishReason(reply.pop("finish"))
            return PaidReply(
                **{
                    **raw,
                    "reply": ModelReply(**reply, tool_calls=calls, finish=finish),
                    "usage": Usage(**raw["usage"]),
                },
            )
        case "tools_started":
            return ToolsStarted(tuple(raw["call_ids"]))
        case "tools_done":
            return ToolsDone(
                tuple(
                    ToolRun(ToolCall(**run["call"]), ToolResult(**run["result"]), run["latency_ms"])
                    for run in raw["runs"]
                ),
            )
        case "node_done":
            return NodeDone(**raw)
        case other:
            raise ValueError(f"no step is a {other!r}")
