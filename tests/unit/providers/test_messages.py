"""Anthropic Messages: bodies with their breakpoints, and streams."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.bots import ModelChoice
from runner.conversations.models import (
    AssistantMessage,
    Message,
    ToolCall,
    ToolMessage,
    ToolResult,
    UserMessage,
)
from runner.money.prices import CacheWrites
from runner.money.usage import Usage
from runner.ports.dialogue import CachePlan, FinishReason, ModelRequest, ToolSpec
from runner.ports.outcomes import Completed, FateUnknown, FaultKind, Outcome
from runner.providers.messages_reader import MessagesReader, messages_usage
from runner.providers.messages_wire import messages_body
from runner.providers.wording import with_limit
from runner.testing.model_checks import message_limit

ASKED = ModelRequest(ModelChoice("anthropic", "m"), "Be kind.", (UserMessage("Hello?"),), temperature=0.5)
LOOK = ToolSpec("look", "Looks.")
MARK = {"type": "ephemeral"}


def body_of(request: ModelRequest) -> Any:
    return json.loads(with_limit(messages_body(request), "max_tokens", 300))


def marks(body: Any) -> list[str]:
    """Where the breakpoints are."""
    found = [name for name in ("tools", "system") if any("cache_control" in b for b in body.get(name, []))]
    for index, message in enumerate(body["messages"]):
        found += [str(index)] if "cache_control" in message["content"][-1] else []
    return found


def test_a_body() -> None:
    assert body_of(ASKED) == {
        "model": "m",
        "system": [{"type": "text", "text": "Be kind."}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello?"}]}],
        "service_tier": "standard_only",
        "stream": True,
        "max_tokens": 300,
    }


@pytest.mark.parametrize(
    ("cache", "mark"), [(CacheWrites.MINUTES, MARK), (CacheWrites.HOUR, {"type": "ephemeral", "ttl": "1h"})]
)
def test_breakpoints(cache: CacheWrites, mark: dict[str, str]) -> None:
    history = (
        UserMessage("1"),
        AssistantMessage("2"),
        UserMessage("3"),
        AssistantMessage("4"),
        UserMessage("5"),
    )
    body = body_of(replace(ASKED, tools=(LOOK,), messages=history, cache=CachePlan(cache, cache)))
    assert marks(body) == ["system", "2", "4"]
    assert body["system"][-1]["cache_control"] == mark
    assert marks(body_of(replace(ASKED, system="", tools=(LOOK,), cache=CachePlan(cache, cache)))) == [
        "tools",
        "0",
    ]
    assert marks(body_of(replace(ASKED, system="", cache=CachePlan(cache, cache)))) == ["0"]
    assert marks(body_of(replace(ASKED, tools=(LOOK,), messages=history))) == []


def test_the_bots_prefix_may_be_kept_longer_than_the_conversation() -> None:
    plan = CachePlan(CacheWrites.HOUR, CacheWrites.MINUTES)
    body = body_of(replace(ASKED, cache=plan))
    assert body["system"][-1]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    assert body["messages"][-1]["content"][-1]["cache_control"] == MARK
    assert marks(body_of(replace(ASKED, cache=CachePlan(CacheWrites.HOUR)))) == ["system"]


def test_the_request_before_ended_where_this_one_has_a_breakpoint() -> None:
    calls = tuple(ToolCall(f"c{n}", "look", "{}") for n in range(15))
    results = ToolMessage(tuple(ToolResult(f"c{n}", "look", "x") for n in range(15)))
    before = (UserMessage("1"), AssistantMessage("2"), UserMessage("3"))
    body = body_of(
        replace(
            ASKED,
            tools=(LOOK,),
            messages=(*before, AssistantMessage("", calls), results),
            cache=CachePlan(CacheWrites.HOUR, CacheWrites.HOUR),
        )
    )
    assert marks(body) == ["system", "2", "4"]


def test_what_other_providers_left_in_the_history_is_mended() -> None:
    calls = (ToolCall("functions.look:0", "look", "no json"), ToolCall("", "look", "[1]"))
    results = ToolMessage(
        (ToolResult("functions.look:0", "look", " "), ToolResult("", "look", "b", ok=False))
    )
    body = body_of(replace(ASKED, messages=(UserMessage(""), AssistantMessage(" ", calls), results)))
    assert body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "(no text)"}]},
        {
            "role": "assistant",
            "content": [
                {
                    "type": "tool_use",
                    "id": "functions_look_0",
                    "name": "look",
                    "input": {"unreadable": "no json"},
                },
                {"type": "tool_use", "id": "_", "name": "look", "input": {"unreadable": "[1]"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "functions_look_0", "content": "(no text)"},
                {"type": "tool_result", "tool_use_id": "_", "content": "b", "is_error": True},
            ],
        },
    ]


rounds = st.lists(st.tuples(st.text(), st.text(), st.lists(st.text(), max_size=3, unique=True)), max_size=6)


@given(rounds=rounds, last=st.text(), cache=st.sampled_from(CacheWrites))
def test_every_history_makes_a_legal_body(
    rounds: list[tuple[str, str, list[str]]], last: str, cache: CacheWrites
) -> None:
    history: list[Message] = []
    for number, (asked, answered, arguments) in enumerate(rounds):
        calls = tuple(ToolCall(f"{number}.{n}", "look", text) for n, text in enumerate(arguments))
        history += [UserMessage(asked), AssistantMessage(answered, calls)]
        if calls:
            history += [ToolMessage(tuple(ToolResult(c.id, "look", c.arguments) for c in calls))]
    request = replace(
        ASKED, messages=(*history, UserMessage(last)), tools=(LOOK,), cache=CachePlan(cache, cache)
    )
    assert message_limit(body_of(request)) == 300


START_USAGE = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 7,
    "cache_read_input_tokens": 5,
    "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4},
    "output_tokens": 1,
}
STARTED = Usage(22, 0, cache_read_tokens=5, cache_write_5m_tokens=3, cache_write_1h_tokens=4)
START = {"type": "message_start", "message": {"id": "msg_1", "usage": START_USAGE}}
STOP = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}}
END = {"type": "message_stop"}


def text(index: int, *pieces: str) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": ""}},
        *[
            {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": piece}}
            for piece in pieces
        ],
        {"type": "content_block_stop", "index": index},
    ]


def read(*events: dict[str, Any], broken: tuple[FaultKind, str] | None = None) -> Outcome:
    reader = MessagesReader("sk-secret")
    for event in events:
        if reader.feed(json.dumps(event).encode()):
            break
    return reader.outcome("", broken)


def test_input_and_output_are_told_at_different_ends() -> None:
    outcome = read(START, {"type": "ping"}, *text(0, "Hel", "lo."), STOP, END)
    assert isinstance(outcome, Completed)
    assert (outcome.reply.text, outcome.request_id) == ("Hello.", "msg_1")
    assert outcome.usage == replace(STARTED, output_tokens=9)


def test_the_last_usage_holds() -> None:
    early = {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 4}}
    later = STOP | {"usage": {"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 6}}}
    outcome = read(START, early, later, END)
    assert isinstance(outcome, Completed)
    assert outcome.usage == replace(STARTED, output_tokens=9, reasoning_tokens=6)


def test_usage_before_the_reason_to_stop_is_not_final() -> None:
    early = {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 4}}
    outcome = read(START, early, broken=(FaultKind.TIMEOUT, "late"))
    assert outcome == FateUnknown(FaultKind.TIMEOUT, "late", started=STARTED, request_id="msg_1")


def test_thinking_is_not_said() -> None:
    block = {"type": "thinking", "thinking": ""}
    thinking = [
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "x"}},
    ]
    outcome = read(START, *thinking, *text(1, "Yes."), STOP, END)
    assert isinstance(outcome, Completed)
    assert outcome.reply.text == "Yes."


def test_a_tool_call_without_arguments_is_json_all_the_same() -> None:
    block = {"type": "tool_use", "id": "a", "name": "look", "input": {}}
    stop = STOP | {"delta": {"stop_reason": "tool_use"}}
    outcome = read(START, {"type": "content_block_start", "index": 0, "content_block": block}, stop, END)
    assert isinstance(outcome, Completed)
    assert outcome.reply.tool_calls == (ToolCall("a", "look", "{}"),)
    assert outcome.reply.finish is FinishReason.TOOLS


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("overloaded_error", FaultKind.OVERLOADED),
        ("rate_limit_error", FaultKind.RATE_LIMITED),
        ("api_error", FaultKind.SERVER),
    ],
)
def test_an_error_event_is_no_proof_that_nothing_ran(kind: str, fault: FaultKind) -> None:
    error = {"type": "error", "error": {"type": kind, "message": "not now, sk-secret"}}
    assert read(error) == FateUnknown(fault, "an error in the stream: not now, ***")
    late = read(START, *text(0, "Hel"), error)
    assert isinstance(late, FateUnknown)
    assert (late.kind, late.started) == (fault, STARTED)


def test_written_without_a_ttl_counts_as_five_minutes() -> None:
    raw = {"input_tokens": 1, "output_tokens": 1, "cache_creation_input_tokens": 8}
    assert messages_usage(raw) == Usage(9, 1, cache_write_5m_tokens=8)


@pytest.mark.parametrize("usage", [None, {"output_tokens": "9"}, {"output_tokens": -9}])
def test_no_usable_usage(usage: dict[str, Any] | None) -> None:
    outcome = read(START, *text(0, "Hi."), STOP | {"usage": usage}, END)
    assert isinstance(outcome, FateUnknown)
    assert (outcome.kind, outcome.started) == (FaultKind.NO_USAGE, STARTED)
    assert outcome.reply is not None
