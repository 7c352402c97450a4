"""Steps of a turn: what is written down is read back equal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.agent.replies import PaidReply, Step, ToolsDone, ToolsStarted, step_from_json, step_to_json
from runner.conversations.models import ToolCall, ToolResult
from runner.money.amounts import MAX_AMOUNT, Money
from runner.money.usage import Usage
from runner.ports.dialogue import FinishReason, ModelReply
from runner.ports.tools import ToolRun

TEXT = st.text(max_size=40)
COUNT = st.integers(0, 10**12)
CALLS = st.builds(ToolCall, TEXT, TEXT, TEXT)
USAGES = st.builds(
    lambda plain, read, short, long, out, more: Usage(
        plain + read + short + long, out + more, read, short, long, more
    ),
    *[COUNT] * 6,
)
REPLIES = st.builds(
    ModelReply, TEXT, st.lists(CALLS, max_size=3).map(tuple), st.sampled_from(FinishReason), TEXT
)
PAID = st.builds(
    PaidReply, REPLIES, USAGES, st.integers(0, MAX_AMOUNT).map(Money), TEXT, TEXT, TEXT, TEXT, TEXT
)
RUNS = st.builds(ToolRun, CALLS, st.builds(ToolResult, TEXT, TEXT, TEXT, st.booleans()), COUNT)
STEPS: st.SearchStrategy[Step] = (
    PAID
    | st.builds(ToolsStarted, st.lists(TEXT, max_size=3).map(tuple))
    | st.builds(ToolsDone, st.lists(RUNS, max_size=3).map(tuple))
)


@given(STEPS)
def test_there_and_back(step: Step) -> None:
    text = step_to_json(step)
    assert step_from_json(text) == step
    assert "\n" not in text


def test_what_was_written_before_is_still_read() -> None:
    """A row of the first version, as it stands in databases."""
    stored = (
        '{"kind":"reply","reply":{"text":"hi","tool_calls":[{"id":"c","name":"look","arguments":"{}"}],'
        '"finish":"tools","finish_detail":"tool_use"},"usage":{"input_tokens":10,"output_tokens":2,'
        '"cache_read_tokens":1,"cache_write_5m_tokens":0,"cache_write_1h_tokens":0,"reasoning_tokens":0},'
        '"cost":18,"provider":"p","model":"m","route":"default","route_reason":""}'
    )
    assert step_from_json(stored) == PaidReply(
        ModelReply("hi", (ToolCall("c", "look", "{}"),), FinishReason.TOOLS, "tool_use"),
        Usage(10, 2, 1),
        Money(18),
        "p",
        "m",
    )


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"kind":"other"}', '{"kind":"reply"}'])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        step_from_json(text)
