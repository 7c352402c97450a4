"""Chat Completions bodies: each server gets what it knows, and no more."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.bots import ModelChoice
from runner.conversations.models import AssistantMessage, ToolCall, ToolMessage, ToolResult, UserMessage
from runner.money.estimate import RequestSize, input_bound
from runner.money.prices import CacheWrites, Price, Rates
from runner.ports.dialogue import NO_CACHE, CachePlan, ModelRequest, ToolSpec
from runner.providers import dialects
from runner.providers.chat_wire import chat_body
from runner.providers.dialects import Dialect
from runner.providers.wording import with_limit

CHOICE = ModelChoice("p", "m")
ASKED = ModelRequest(CHOICE, "Be kind.", (UserMessage("Hello?"),), temperature=0.5)
PRICE = Price("m", "p", Rates(input=800_000_000_000, output=4_000_000_000_000))


def body_of(request: ModelRequest, dialect: Dialect = dialects.OPENAI, price: Price | None = PRICE) -> Any:
    text, _ = chat_body(request, dialect, price)
    return json.loads(with_limit(text, dialect.limit_field, 300))


def test_a_body_for_openai() -> None:
    assert body_of(ASKED) == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello?"}],
        "temperature": 0.5,
        "service_tier": "default",
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_completion_tokens": 300,
    }


@pytest.mark.parametrize(
    ("dialect", "field"),
    [
        (dialects.OPENAI, "max_completion_tokens"),
        (dialects.GEMINI, "max_completion_tokens"),
        (dialects.GROQ, "max_completion_tokens"),
        (dialects.OPENROUTER, "max_tokens"),
        (dialects.WORKERS_AI, "max_tokens"),
        (dialects.OLLAMA, "max_tokens"),
        (dialects.CUSTOM, "max_tokens"),
    ],
)
def test_the_limit_is_in_exactly_one_field(dialect: Dialect, field: str) -> None:
    body = body_of(ASKED, dialect)
    assert {name: body[name] for name in body if name.startswith("max_")} == {field: 300}
    assert ("service_tier" in body) == (dialect is dialects.OPENAI)
    assert ("provider" in body) == (dialect is dialects.OPENROUTER)


def test_openrouter_is_held_to_the_price_that_was_reckoned_with() -> None:
    assert body_of(ASKED, dialects.OPENROUTER)["provider"] == {"max_price": {"prompt": 0.8, "completion": 4}}
    assert "provider" not in body_of(ASKED, dialects.OPENROUTER, price=None)


def test_what_openrouter_is_to_cache_is_marked() -> None:
    hour, minutes = CacheWrites.HOUR, CacheWrites.MINUTES
    price = Price("m", "openrouter", Rates(10, 20, 1, 12, 20))
    history = (
        UserMessage("1"),
        AssistantMessage("2"),
        UserMessage("3"),
        AssistantMessage("4"),
        UserMessage("5"),
    )
    asked = replace(ASKED, messages=history, cache=CachePlan(hour, minutes))
    body = json.loads(chat_body(asked, dialects.OPENROUTER, price)[0])
    marks = [
        (message["role"], message["content"][-1]["cache_control"])
        for message in body["messages"]
        if isinstance(message["content"], list)
    ]
    five = {"type": "ephemeral"}
    assert marks == [("system", {"type": "ephemeral", "ttl": "1h"}), ("user", five), ("user", five)]
    assert "cache_control" not in chat_body(replace(asked, cache=NO_CACHE), dialects.OPENROUTER, price)[0]
    unasked = replace(price, writes_unasked=True)
    for dialect, row in (
        (dialects.OPENROUTER, unasked),
        (dialects.OPENROUTER, None),
        (dialects.OPENAI, price),
    ):
        assert "cache_control" not in chat_body(asked, dialect, row)[0]


def test_tools_and_their_results() -> None:
    calls = (ToolCall("a", "look", '{"q":1}'), ToolCall("b", "look", ""))
    results = ToolMessage((ToolResult("a", "look", "one"), ToolResult("b", "look", "none", ok=False)))
    tools = (ToolSpec("look", "Looks.", {"type": "object"}), ToolSpec("now", "Tells."))
    history = (UserMessage("?"), AssistantMessage("", calls), results)
    body = body_of(replace(ASKED, tools=tools, messages=history))
    assert body["messages"][2:] == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "look", "arguments": '{"q":1}'}},
                {"id": "b", "type": "function", "function": {"name": "look", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "a", "content": "one"},
        {"role": "tool", "tool_call_id": "b", "content": "none"},
    ]
    assert [tool["function"]["parameters"] for tool in body["tools"]] == [
        {"type": "object"},
        {"type": "object", "properties": {}},
    ]


def test_a_name_stands_on_the_line_of_its_text() -> None:
    body = body_of(replace(ASKED, system=" ", messages=(UserMessage("Hi", name="Ann\nsystem"),)))
    assert body["messages"] == [{"role": "user", "content": "Ann system: Hi"}]


def test_what_is_said_next_leaves_the_bytes_before_it_as_they_are() -> None:
    longer = (*ASKED.messages, AssistantMessage("Hello."), UserMessage("And?"))
    before, _ = chat_body(ASKED, dialects.OPENAI, None)
    after, _ = chat_body(replace(ASKED, messages=longer), dialects.OPENAI, None)
    assert after.startswith(before[: before.index("Hello?") + len("Hello?")])


@given(texts=st.lists(st.text(), min_size=1), limit=st.integers(1, 10**6))
def test_no_body_is_longer_than_its_bound(texts: list[str], limit: int) -> None:
    request = replace(ASKED, messages=tuple(map(UserMessage, texts)))
    text, messages = chat_body(request, dialects.OPENAI, None)
    sent = with_limit(text, "max_completion_tokens", limit)
    assert len(sent) <= input_bound(RequestSize(text, messages), PRICE)
    assert len(json.loads(sent)["messages"]) == messages == 1 + len(texts)
