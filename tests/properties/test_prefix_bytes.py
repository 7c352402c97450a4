"""What goes over the wire begins, between two moves of the window, with the same bytes: at every provider.

The provider's cache is by the bytes of the prefix: tools, system, messages. Marks for the cache are no content.
"""

import json
import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.agent.caching import PLANS
from runner.bots import ModelChoice
from runner.conversations.models import (
    AssistantMessage,
    Message,
    ToolCall,
    ToolMessage,
    ToolResult,
    UserMessage,
)
from runner.conversations.window import Marks, first_kept
from runner.ports.dialogue import CachePlan, ModelRequest, ToolSpec
from runner.providers.catalogue import SHIPPED
from runner.providers.chat_wire import chat_body
from runner.providers.messages_wire import messages_body

TOOLS = (
    ToolSpec("look_up", "Looks an order up.", {"type": "object", "properties": {"id": {"type": "string"}}}),
    ToolSpec("refund", "Pays back."),
)
CHAT = sorted(name for name, known in SHIPPED.items() if known.kind == "openai")
MARK = re.compile(r',"cache_control":\{[^}]*\}')

said = st.text(min_size=1, max_size=30)
turns = st.lists(
    st.tuples(said, st.lists(st.lists(said, min_size=1, max_size=2), max_size=2), said),
    min_size=1,
    max_size=12,
)
marks = st.tuples(st.integers(1, 8), st.integers(0, 12)).map(lambda two: Marks(two[0], two[0] + two[1]))


def calls_of(talk: list[tuple[str, list[list[str]], str]], window: Marks) -> list[tuple[bool, list[Message]]]:
    """Every call's messages in order, and whether the window moved before it."""
    history: list[Message] = []
    found = []
    for number, (asked, steps, answered) in enumerate(talk):
        history.append(UserMessage(asked))
        start = first_kept(history, window)
        history = history[start:]
        found.append((start > 0, list(history)))
        for step, results in enumerate(steps):
            made = tuple(ToolCall(f"{number}-{step}-{n}", "look_up", "{}") for n in range(len(results)))
            got = tuple(
                ToolResult(call.id, call.name, text) for call, text in zip(made, results, strict=True)
            )
            history += [AssistantMessage("", made), ToolMessage(got)]
            found.append((False, list(history)))
        history.append(AssistantMessage(answered))
    return found


def request(provider: str, messages: list[Message], plan: CachePlan) -> ModelRequest:
    return ModelRequest(ModelChoice(provider, "m"), "Be kind.", tuple(messages), TOOLS, cache=plan)


def anthropic_prefix(messages: list[Message], plan: CachePlan) -> str:
    """Tools, system and messages, up to the bracket that closes the messages, without the marks."""
    body = MARK.sub("", messages_body(request("anthropic", messages, plan)))
    return body[: body.rindex('],"service_tier"')]


def chat_prefix(provider: str, messages: list[Message], plan: CachePlan) -> str:
    body, _ = chat_body(request(provider, messages, plan), SHIPPED[provider].dialect, None)
    fields: dict[str, Any] = json.loads(body)
    tools = json.dumps(fields["tools"])
    return tools + json.dumps(fields["messages"])[:-1]


@given(turns, marks, st.lists(st.sampled_from(PLANS), min_size=1))
def test_anthropic(
    talk: list[tuple[str, list[list[str]], str]], window: Marks, plans: list[CachePlan]
) -> None:
    sent = [
        (moved, anthropic_prefix(messages, plans[number % len(plans)]))
        for number, (moved, messages) in enumerate(calls_of(talk, window))
    ]
    for (_, before), (moved, after) in pairwise(sent):
        assert moved or after.startswith(before)


@pytest.mark.parametrize("provider", CHAT)
def test_chat_completions(provider: str) -> None:
    @given(turns, marks, st.sampled_from(PLANS))
    def holds(talk: list[tuple[str, list[list[str]], str]], window: Marks, plan: CachePlan) -> None:
        sent = [(moved, chat_prefix(provider, messages, plan)) for moved, messages in calls_of(talk, window)]
        for (_, before), (moved, after) in pairwise(sent):
            assert moved or after.startswith(before)

    holds()


def test_a_hi_costs_its_own_prompt_and_nothing_more() -> None:
    """No hidden system text, no tools that nobody allowed."""
    asked = ModelRequest(ModelChoice("p", "m"), "", (UserMessage("hi"),))
    body = json.loads(messages_body(asked))
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]
    assert set(body) == {"model", "messages", "service_tier", "stream"}
    for provider in CHAT:
        text, count = chat_body(asked, SHIPPED[provider].dialect, None)
        assert json.loads(text)["messages"] == [{"role": "user", "content": "hi"}]
        assert count == 1
        assert "tools" not in json.loads(text)
