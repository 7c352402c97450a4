"""A line for each node that was done, as people read a run: what went in, what came out, what it cost. Pure.

Rule: lines are bounded, each and in number; a text that is cut says so by `…`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from runner.agent.replies import PaidReply
from runner.money.amounts import ZERO, Money, to_usd
from runner.money.usage import NO_USAGE
from runner.workflows.engine import Done, Failed, Paused, Result
from runner.workflows.expressions import Json
from runner.workflows.graph import Placed

MOST_CHARS = 2_000
"""Of inputs, and of an output, as JSON."""
MOST_LINES = 300

Line: TypeAlias = Mapping[str, Json]


def line(
    placed: Placed,
    key: str,
    inputs: Mapping[str, Json],
    result: Result,
    replies: Sequence[PaidReply],
    ms: int,
) -> Line:
    """One node. `key`: the number of its step in the run."""
    usage = sum((paid.usage for paid in replies), NO_USAGE)
    cost = Money(sum((paid.cost for paid in replies), ZERO))
    return {
        "node": placed.id,
        "type": placed.type,
        "step": key,
        "inputs": cut({name: value for name, value in inputs.items() if value is not None}),
        "output": cut(_output(result)),
        "handle": result.handle if isinstance(result, Done) else "",
        "tokens_input": usage.input_tokens,
        "tokens_output": usage.output_tokens,
        "cost_usd": to_usd(cost),
        "ms": ms,
        "failure": result.message if isinstance(result, Failed) else None,
    }


def joined(before: Iterable[Line], now: Iterable[Line]) -> tuple[Line, ...]:
    """The lines of a run over several turns: the first and the last, where there are too many."""
    lines = (*before, *now)
    if len(lines) <= MOST_LINES:
        return lines
    half = MOST_LINES // 2
    return (*lines[:half], *lines[-half:])


def cut(value: Json) -> str:
    """A value as JSON text, its beginning where it is long."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MOST_CHARS else f"{text[: MOST_CHARS - 1]}…"


def _output(result: Result) -> Json:
    match result:
        case Done(output=None, variables=variables) if variables:
            return dict(variables)
        case Done():
            return result.output
        case Paused(wait):
            return {"waits": wait.kind, "until_ms": wait.until_ms}
        case Failed():
            return None
