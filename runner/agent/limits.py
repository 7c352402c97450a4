"""How far one message may go, as a decision after each reply of the model. Pure.

max_tool_calls          more calls than that in one message
same_call_limit         the same tool with the same arguments so many times
failing_calls_limit     so many failing calls in a row
max_loop_iterations     so many model calls (decided by the loop itself)
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable

from runner.bots import Limits
from runner.conversations.models import ToolCall
from runner.ports.dialogue import StopReason
from runner.ports.tools import ToolRun


def before_tools(made: Iterable[ToolRun], asked: Iterable[ToolCall], limits: Limits) -> StopReason | None:
    """Whether the calls that the model asks for may be made; a reason where not."""
    calls = [run.call for run in made] + list(asked)
    if len(calls) > limits.max_tool_calls:
        return StopReason.TOOL_LIMIT
    repeated = Counter((call.name, _canonical(call.arguments)) for call in calls)
    if repeated and max(repeated.values()) >= limits.same_call_limit:
        return StopReason.SAME_CALL
    return None


def after_tools(made: Iterable[ToolRun], limits: Limits) -> StopReason | None:
    """Whether the model may be asked again after these results; a reason where not."""
    last = [run.result.ok for run in made][-limits.failing_calls_limit :]
    if len(last) == limits.failing_calls_limit and not any(last):
        return StopReason.FAILING_TOOLS
    return None


def _canonical(arguments: str) -> str:
    """Equal arguments as equal texts, whatever their order and spacing."""
    try:
        return json.dumps(json.loads(arguments), sort_keys=True)
    except (ValueError, RecursionError):
        return arguments
