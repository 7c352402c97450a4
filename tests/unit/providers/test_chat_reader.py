"""Chat Completions streams as real servers write them, with all their differences."""

import json
from typing import Any

import pytest

from runner.conversations.models import ToolCall
from runner.money.amounts import from_usd
from runner.money.usage import Usage
from runner.ports.dialogue import FinishReason
from runner.ports.outcomes import Completed, FateUnknown, FaultKind, Outcome
from runner.providers import dialects
from runner.providers.chat_reader import ChatReader
from runner.providers.dialects import Dialect

USED = {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13}
CUT = (FaultKind.CUT, "cut")


def said(text: str, **more: Any) -> dict[str, Any]:
    return {"id": "gen-1", "choices": [{"index": 0, "delta": {"content": text}, **more}]}


def asked(*pieces: dict[str, Any]) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"tool_calls": list(pieces)}}]}


STOP = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
USAGE = {"choices": [], "usage": USED}


def read(
    *events: dict[str, Any] | str,
    dialect: Dialect = dialects.OPENAI,
    limit: int = 99,
    broken: tuple[FaultKind, str] | None = None,
) -> Outcome:
    reader = ChatReader(dialect, limit)
    for event in events:
        if reader.feed((event if isinstance(event, str) else json.dumps(event)).encode()):
            break
    return reader.outcome("", broken)


def whole(*events: dict[str, Any] | str, dialect: Dialect = dialects.OPENAI) -> Completed:
    outcome = read(*events, dialect=dialect)
    assert isinstance(outcome, Completed), outcome
    return outcome


def test_usage_in_each_event_counts_as_it_stands_with_the_reason_to_stop() -> None:
    growing = said("a") | {"usage": {"prompt_tokens": 10, "completion_tokens": 1}}
    last = said("b", finish_reason="stop") | {"usage": USED}
    assert whole(growing, last).usage == Usage(10, 3)
    early = read(growing, said("b", finish_reason="stop"), broken=CUT)
    assert isinstance(early, FateUnknown)
    assert early.kind is FaultKind.NO_USAGE


def test_usage_before_a_cut_is_not_final() -> None:
    growing = said("a") | {"usage": {"prompt_tokens": 10, "completion_tokens": 1}}
    outcome = read(growing, broken=CUT)
    assert isinstance(outcome, FateUnknown)
    assert (outcome.kind, outcome.reply) == (FaultKind.CUT, None)


def test_a_cut_after_the_usage_takes_nothing_away() -> None:
    outcome = read(said("a"), STOP, USAGE, broken=CUT)
    assert isinstance(outcome, Completed)
    assert (outcome.usage, outcome.request_id) == (Usage(10, 3), "gen-1")


def test_details_of_usage() -> None:
    details = {
        "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 5},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    usage = whole(said("a"), STOP, {"choices": [], "usage": USED | details}, "[DONE]").usage
    assert usage == Usage(10, 3, cache_read_tokens=4, cache_write_5m_tokens=5, reasoning_tokens=2)


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": 10},
        {"prompt_tokens": 10, "completion_tokens": None},
        {"prompt_tokens": "10", "completion_tokens": 3},
        {"prompt_tokens": 10.5, "completion_tokens": 3},
        {"prompt_tokens": True, "completion_tokens": 3},
        {"prompt_tokens": -1, "completion_tokens": 3},
        USED | {"prompt_tokens_details": {"cached_tokens": 11}},
        USED | {"prompt_tokens_details": [1]},
        USED | {"completion_tokens_details": {"reasoning_tokens": 4}},
    ],
)
def test_a_usage_that_cannot_be_is_none(usage: dict[str, Any]) -> None:
    outcome = read(said("a"), STOP, {"choices": [], "usage": usage}, "[DONE]")
    assert isinstance(outcome, FateUnknown)
    assert outcome.kind is FaultKind.NO_USAGE
    assert outcome.reply is not None


def test_thinking_that_gemini_leaves_out_is_counted() -> None:
    usage = {"choices": [], "usage": USED | {"total_tokens": 500}}
    assert whole(said("a"), STOP, usage, dialect=dialects.GEMINI).usage == Usage(10, 490)
    assert whole(said("a"), STOP, usage).usage == Usage(10, 3)
    less = {"choices": [], "usage": USED | {"total_tokens": 12}}
    assert whole(said("a"), STOP, less, dialect=dialects.GEMINI).usage == Usage(10, 3)


def test_groq_may_tell_its_usage_in_a_place_of_its_own() -> None:
    assert whole(said("a"), STOP | {"x_groq": {"usage": USED}}, dialect=dialects.GROQ).usage == Usage(10, 3)


@pytest.mark.parametrize(
    ("cost", "charged"), [(0.00123, "0.00123"), (1e-05, "0.00001"), (0, "0"), (None, None)]
)
def test_openrouter_tells_what_it_charged(cost: float | None, charged: str | None) -> None:
    usage = {"choices": [], "usage": USED | {"cost": cost}}
    completed = whole(said("a"), STOP, usage, dialect=dialects.OPENROUTER)
    assert completed.charged == (None if charged is None else from_usd(charged))
    assert whole(said("a"), STOP, usage).charged is None


def test_tool_calls_by_index() -> None:
    reply = whole(
        asked({"index": 0, "id": "a", "function": {"name": "look", "arguments": ""}}),
        asked({"index": 1, "id": "b", "function": {"name": "find", "arguments": '{"x"'}}),
        asked({"index": 0, "function": {"arguments": "{}"}}, {"index": 1, "function": {"arguments": ":1}"}}),
        STOP,
        USAGE,
    ).reply
    assert reply.tool_calls == (ToolCall("a", "look", "{}"), ToolCall("b", "find", '{"x":1}'))
    assert reply.finish is FinishReason.TOOLS


def test_tool_calls_without_index_or_id() -> None:
    reply = whole(
        asked({"id": "a", "function": {"name": "look", "arguments": "{}"}}),
        asked({"id": "b", "function": {"name": "look", "arguments": "[]"}}),
        STOP,
        USAGE,
    ).reply
    assert [call.id for call in reply.tool_calls] == ["a", "b"]
    nameless = whole(asked({"index": 0, "function": {"name": "look", "arguments": "{}"}}), STOP, USAGE).reply
    assert nameless.tool_calls == (ToolCall("call_0", "look", "{}"),)


@pytest.mark.parametrize(
    ("word", "finish"),
    [
        ("stop", FinishReason.END),
        ("length", FinishReason.LENGTH),
        ("content_filter", FinishReason.REFUSAL),
        ("eos", FinishReason.OTHER),
    ],
)
def test_reasons_to_stop(word: str, finish: FinishReason) -> None:
    reply = whole(said("a", finish_reason=word), USAGE).reply
    assert (reply.finish, reply.finish_detail) == (finish, word)


@pytest.mark.parametrize("error", [{"message": "out of order", "code": 502}, "out of order"])
def test_an_error_event(error: object) -> None:
    outcome = read(said("a"), {"error": error})
    assert isinstance(outcome, FateUnknown)
    assert outcome.kind is FaultKind.SERVER
    assert "out of order" in outcome.why


def test_a_server_that_ignores_the_limit_is_cut() -> None:
    outcome = read(*[said("word ")] * 9, STOP, USAGE, dialect=dialects.OLLAMA, limit=3)
    assert isinstance(outcome, FateUnknown)
    assert outcome.kind is FaultKind.NO_USAGE
    assert outcome.reply is not None
    assert (outcome.reply.text, outcome.reply.finish) == ("word " * 4, FinishReason.LENGTH)
    assert isinstance(read(*[said("word ")] * 9, STOP, USAGE, dialect=dialects.CUSTOM, limit=3), Completed)
