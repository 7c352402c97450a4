"""What was said is written down and read back equal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.conversations.models import (
    AssistantMessage,
    Message,
    ToolCall,
    ToolMessage,
    ToolResult,
    UserMessage,
    message_from_json,
    message_to_json,
)

TEXT = st.text(max_size=30)
MESSAGES: st.SearchStrategy[Message] = (
    st.builds(UserMessage, TEXT, st.none() | TEXT)
    | st.builds(
        AssistantMessage, TEXT, st.lists(st.builds(ToolCall, TEXT, TEXT, TEXT), max_size=3).map(tuple)
    )
    | st.builds(
        ToolMessage,
        st.lists(st.builds(ToolResult, TEXT, TEXT, TEXT, st.booleans()), max_size=3).map(tuple),
    )
)


@given(MESSAGES)
def test_there_and_back(message: Message) -> None:
    assert message_from_json(message_to_json(message)) == message


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ('{"role":"user","text":"hi"}', UserMessage("hi")),
        ('{"role":"user","text":"hi","name":"Ada"}', UserMessage("hi", "Ada")),
        ('{"role":"assistant","text":"ü"}', AssistantMessage("ü")),
        (
            '{"role":"assistant","text":"","tool_calls":[["c","look","{}"]]}',
            AssistantMessage("", (ToolCall("c", "look", "{}"),)),
        ),
        (
            '{"role":"tool","results":[["c","look","no",false]]}',
            ToolMessage((ToolResult("c", "look", "no", ok=False),)),
        ),
    ],
)
def test_the_form_in_databases_does_not_change(stored: str, message: Message) -> None:
    assert message_to_json(message) == stored
    assert message_from_json(stored) == message


@pytest.mark.parametrize("text", ["", "{}", '{"role":"system","text":"x"}', '{"role":"user"}'])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        message_from_json(text)
