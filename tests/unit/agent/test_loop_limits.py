"""How far one message may go."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.agent.limits import after_tools, before_tools
from runner.bots import Limits
from runner.conversations.models import ToolCall, ToolResult
from runner.ports.dialogue import StopReason
from runner.ports.tools import ToolRun

LIMITS = Limits(max_tool_calls=4, same_call_limit=3, failing_calls_limit=3)


def call(name: str = "look", arguments: str = "{}") -> ToolCall:
    return ToolCall("c", name, arguments)


def made(oks: str) -> list[ToolRun]:
    """Calls that worked (+) and calls that failed (-)."""
    return [
        ToolRun(call(arguments=str(n)), ToolResult("c", "look", "", ok == "+"), 1) for n, ok in enumerate(oks)
    ]


def test_as_many_calls_as_allowed_and_no_more() -> None:
    assert before_tools(made("+++"), [call()], LIMITS) is None
    assert before_tools(made("++++"), [call()], LIMITS) is StopReason.TOOL_LIMIT
    assert before_tools([], [call(arguments=str(n)) for n in range(5)], LIMITS) is StopReason.TOOL_LIMIT


def test_the_same_call_the_third_time_is_not_made() -> None:
    same = [ToolRun(call(arguments='{"a":1,"b":2}'), ToolResult("c", "look", ""), 1)] * 2
    assert before_tools(same[:1], [call(arguments='{"b": 2, "a": 1}')], LIMITS) is None
    assert before_tools(same, [call(arguments='{"b": 2, "a": 1}')], LIMITS) is StopReason.SAME_CALL
    assert before_tools(same, [call("other", '{"a":1,"b":2}')], LIMITS) is None
    assert before_tools([], [call(), call(), call()], LIMITS) is StopReason.SAME_CALL


@pytest.mark.parametrize("arguments", ["{", "", "[" * 100_000, "1" * 5000])
def test_arguments_that_are_no_json_are_compared_as_they_are(arguments: str) -> None:
    assert before_tools([], [call(arguments=arguments)] * 3, LIMITS) is StopReason.SAME_CALL
    assert before_tools([], [call(arguments=arguments)] * 2, LIMITS) is None


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.none(), min_size=2))
def test_order_and_spacing_make_no_difference(arguments: dict[str, object]) -> None:
    turned = dict(reversed(arguments.items()))
    texts = [json.dumps(arguments), json.dumps(turned, indent=2), json.dumps(turned, ensure_ascii=False)]
    assert before_tools([], [call(arguments=text) for text in texts], LIMITS) is StopReason.SAME_CALL


@pytest.mark.parametrize(
    ("oks", "stop"),
    [("", None), ("--", None), ("--+", None), ("+---", StopReason.FAILING_TOOLS), ("--+--", None)],
)
def test_failing_calls_in_a_row(oks: str, stop: StopReason | None) -> None:
    assert after_tools(made(oks), LIMITS) is stop
