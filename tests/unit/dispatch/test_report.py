"""The figures of a turn, as callers of the HTTP API see them."""

import json

from runner.agent.loop import LoopResult
from runner.agent.replies import PaidReply
from runner.conversations.models import ToolCall, ToolResult
from runner.dispatch.report import turn_report
from runner.money.amounts import Money
from runner.money.usage import Usage
from runner.ports.dialogue import ModelReply, StopReason
from runner.ports.tools import ToolRun


def paid(usage: Usage, cost: int, model: str, route: str = "default") -> PaidReply:
    return PaidReply(ModelReply("hi"), usage, Money(cost), "fake", model, route, "why")


def test_all_steps_are_added_up_and_the_last_one_s_route_is_told() -> None:
    run = ToolRun(ToolCall("c", "look", '{"a":1}'), ToolResult("c", "look", "no", ok=False), 12)
    replies = (
        paid(Usage(100, 10, 20, 5, 7, 3), 10**10, "m1"),
        paid(Usage(200, 20), 5 * 10**9, "m2", "fallback"),
    )
    result = LoopResult(StopReason.ANSWERED, "hi", (), replies, (run,))
    report = turn_report("t1", "c1", result, 1234, {"total": 330})
    assert report == {
        "tool_calls": [
            {"toolName": "look", "arguments": '{"a":1}', "result": "no", "latencyMs": 12, "success": False},
        ],
        "tokens": {"input": 300, "output": 30, "cache_read": 20, "cache_write": 12, "reasoning": 3},
        "token_breakdown": {"total": 330},
        "cost_cents": 2,
        "cost_usd": "0.015",
        "latency_ms": 1234,
        "loop_iterations": 2,
        "stop_reason": "answered",
        "conversation_id": "c1",
        "turn_id": "t1",
        "route": {"provider": "fake", "model": "m2", "route": "fallback", "reason": "why"},
    }
    assert json.loads(json.dumps(report)) == report


def test_a_turn_without_a_call_cost_nothing() -> None:
    report = turn_report("t1", "c1", LoopResult(StopReason.BUDGET), 0, {})
    assert (report["cost_cents"], report["cost_usd"], report["route"]) == (0, "0.00", None)
    assert (report["tool_calls"], report["loop_iterations"]) == ([], 0)
