"""The figures of a turn, as callers of the HTTP API and traces see them. Pure.

Rule: `cost_usd` is exact; `cost_cents` is the ceiling of this one figure and is never added up.
"""

from __future__ import annotations

from collections.abc import Mapping

from runner.agent.loop import LoopResult
from runner.money.amounts import to_cents, to_usd


def turn_report(
    turn: str, conversation: str, result: LoopResult, latency_ms: int, breakdown: Mapping[str, int]
) -> dict[str, object]:
    """JSON values by the names of the bot API; `breakdown` as in `runner.dispatch.breakdown`."""
    usage, cost = result.usage, result.cost
    last = result.replies[-1] if result.replies else None
    return {
        "tool_calls": [
            {
                "toolName": run.call.name,
                "arguments": run.call.arguments,
                "result": run.result.text,
                "latencyMs": run.latency_ms,
                "success": run.result.ok,
            }
            for run in result.tool_runs
        ],
        "tokens": {
            "input": usage.input_tokens,
            "output": usage.output_tokens,
            "cache_read": usage.cache_read_tokens,
            "cache_write": usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
            "reasoning": usage.reasoning_tokens,
        },
        "token_breakdown": dict(breakdown),
        "cost_cents": to_cents(cost),
        "cost_usd": to_usd(cost),
        "latency_ms": latency_ms,
        "loop_iterations": len(result.replies),
        "stop_reason": result.stop,
        "conversation_id": conversation,
        "turn_id": turn,
        "route": {
            "provider": last.provider,
            "model": last.model,
            "route": last.route,
            "reason": last.route_reason,
        }
        if last
        else None,
    }
