"""A node's outcome as JSON text, in the step that stores it, and back. Pure.

Rule: what is written here is read back equal by every later version: a run that a crash cut short takes it.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from runner.agent.replies import PaidReply, ToolsDone, step_from_json, step_to_json
from runner.ports.runs import Errand
from runner.workflows.doing import Outcome
from runner.workflows.engine import Done, Failed, Paused, Result
from runner.workflows.state import Wait


def outcome_to_json(outcome: Outcome) -> str:
    """All of it but a refusal, which ends the run and is never stored; what is empty is left out."""
    written: dict[str, Any] = {
        "result": _result(outcome.result),
        "say": outcome.say,
        "errands": [asdict(errand) for errand in outcome.errands],
        "replies": [step_to_json(reply) for reply in outcome.replies],
        "tools": step_to_json(ToolsDone(outcome.tool_runs)) if outcome.tool_runs else None,
    }
    kept = {name: value for name, value in written.items() if value}
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


def outcome_from_json(text: str) -> Outcome:
    """Read what `outcome_to_json` wrote. Raises ValueError, KeyError or TypeError on anything else."""
    raw = json.loads(text)
    tools = step_from_json(raw["tools"]) if "tools" in raw else None
    replies = tuple(step_from_json(reply) for reply in raw.get("replies", ()))
    return Outcome(
        result=_read(raw["result"]),
        say=tuple(raw.get("say", ())),
        errands=tuple(Errand(**errand) for errand in raw.get("errands", ())),
        replies=tuple(reply for reply in replies if isinstance(reply, PaidReply)),
        tool_runs=tools.runs if isinstance(tools, ToolsDone) else (),
    )


def _result(result: Result) -> dict[str, Any]:
    match result:
        case Done():
            return {
                "kind": "done",
                "output": result.output,
                "handle": result.handle,
                "variables": None if result.variables is None else dict(result.variables),
                "removed": result.removed,
            }
        case Failed(message):
            return {"kind": "failed", "message": message}
        case Paused(wait):
            return {"kind": "paused", "wait": asdict(wait)}


def _read(raw: dict[str, Any]) -> Result:
    match raw.pop("kind"):
        case "done":
            return Done(**{**raw, "removed": tuple(raw["removed"])})
        case "failed":
            return Failed(raw["message"])
        case "paused":
            return Paused(Wait(**raw["wait"]))
        case other:
            raise ValueError(f"no node ends as {other!r}")
