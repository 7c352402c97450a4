"""What the fake model server writes: server-sent events of the two protocols. Pure.

Rule: an answer is a row of (place, bytes), so that it can be broken off at any place.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from runner.money.usage import Usage
from runner.testing.model_script import At, Say

Event = tuple[At, bytes]


def chat_events(said: Say, usage: Usage, limit: int, request_id: str, model: str) -> Iterator[Event]:
    """An answer as Chat Completions streams it; it ends with `[DONE]`."""
    head = {"id": request_id, "object": "chat.completion.chunk", "created": 0, "model": model}

    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return _data({**head, "choices": [choice], "usage": None})

    yield At.START, chunk({"role": "assistant", "content": ""})
    for piece in _pieces(said.text, said.pieces):
        yield At.MIDDLE, chunk({"content": piece})
    for index, call in enumerate(said.tools):
        first, *rest = _pieces(call.arguments, 3) or [""]
        function: dict[str, Any] = {"name": call.name, "arguments": first}
        named = {"index": index, "id": call.id, "type": "function", "function": function}
        yield At.MIDDLE, chunk({"tool_calls": [named]})
        for piece in rest:
            yield At.MIDDLE, chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield At.STOP, chunk({}, _finish(said, usage, limit))
    if said.tells_usage:
        yield At.END, _data({**head, "choices": [], "usage": chat_usage(usage)})
    yield At.END, b"data: [DONE]\n\n"


def whole_chat(said: Say, usage: Usage, limit: int, request_id: str, model: str) -> dict[str, Any]:
    """The same answer in one piece."""
    message: dict[str, Any] = {"role": "assistant", "content": said.text or None, "refusal": None}
    if said.tools:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in said.tools
        ]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(said, usage, limit)}
    answer = {
        "id": request_id,
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [choice],
    }
    return {**answer, "usage": chat_usage(usage)} if said.tells_usage else answer


def chat_usage(usage: Usage) -> dict[str, Any]:
    """Usage as Chat Completions tells it: cached tokens inside the prompt."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read_tokens,
            "cache_write_tokens": usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def message_events(said: Say, usage: Usage, limit: int, request_id: str, model: str) -> Iterator[Event]:
    """An answer as Anthropic Messages streams it; it ends with `message_stop`."""
    start: dict[str, Any] = {
        "id": request_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "usage": {**message_usage(usage), "output_tokens": 1} if said.tells_usage else None,
    }
    yield At.START, _named("message_start", {"message": start})
    yield At.START, _named("ping", {})
    index = 0
    if said.text:
        yield from _block(0, {"type": "text", "text": ""}, "text", _pieces(said.text, said.pieces))
        index = 1
    for index, call in enumerate(said.tools, start=index):  # noqa: B020 - goes on counting where the text was
        block = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
        yield from _block(index, block, "partial_json", _pieces(call.arguments, 3))
    stop = _stop(said, usage, limit)
    told = message_usage(usage) if said.tells_usage else None
    delta = {"delta": {"stop_reason": stop, "stop_sequence": None}, "usage": told}
    yield At.STOP, _named("message_delta", delta)
    yield At.END, _named("message_stop", {})


def whole_message(said: Say, usage: Usage, limit: int, request_id: str, model: str) -> dict[str, Any]:
    """The same answer in one piece."""
    content: list[dict[str, Any]] = [{"type": "text", "text": said.text}] if said.text else []
    content += [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": json.loads(call.arguments)}
        for call in said.tools
    ]
    return {
        "id": request_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": _stop(said, usage, limit),
        "stop_sequence": None,
        "usage": message_usage(usage) if said.tells_usage else None,
    }


def message_usage(usage: Usage) -> dict[str, Any]:
    """Usage as Anthropic tells it: cached tokens beside the rest of the input."""
    return {
        "input_tokens": usage.plain_input_tokens,
        "cache_creation_input_tokens": usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_5m_tokens,
            "ephemeral_1h_input_tokens": usage.cache_write_1h_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"thinking_tokens": usage.reasoning_tokens},
        "service_tier": "standard",
    }


def chat_error(message: str, status: int) -> dict[str, Any]:
    """An error as OpenAI-compatible servers tell it, in a body or in a stream."""
    return {"error": {"message": message, "type": "made_up", "param": None, "code": str(status)}}


def message_error(message: str, status: int) -> dict[str, Any]:
    """An error as Anthropic tells it, in a body or in a stream."""
    kinds = {400: "invalid_request_error", 401: "authentication_error", 429: "rate_limit_error"}
    kind = kinds.get(status, "overloaded_error" if status == 529 else "api_error")  # noqa: PLR2004 - HTTP
    return {"type": "error", "error": {"type": kind, "message": message}}


def chat_error_event(message: str) -> bytes:
    """An error inside a stream of Chat Completions."""
    return _data(chat_error(message, 500))


def message_error_event(message: str) -> bytes:
    """An error inside a stream of Anthropic Messages."""
    return b"event: error\n" + _data(message_error(message, 529))


def up_to(events: Iterator[Event], place: At) -> list[bytes]:
    """What of an answer comes before it breaks off at `place`."""
    row = list(events)
    said = [index for index, (at, _) in enumerate(row) if at is At.MIDDLE]
    half = said[(len(said) - 1) // 2] + 1 if said else 0
    places: dict[At, int] = {
        At.FIRST: 0,
        At.START: sum(at is At.START for at, _ in row),
        At.MIDDLE: half,
        At.END: sum(at in (At.START, At.MIDDLE) for at, _ in row),
        At.STOP: sum(at is not At.END for at, _ in row),
    }
    return [data for _, data in row[: places[place]]]


def _finish(said: Say, usage: Usage, limit: int) -> str:
    """Why Chat Completions stopped."""
    return "length" if usage.output_tokens >= limit else "tool_calls" if said.tools else "stop"


def _stop(said: Say, usage: Usage, limit: int) -> str:
    """Why Anthropic stopped."""
    return "max_tokens" if usage.output_tokens >= limit else "tool_use" if said.tools else "end_turn"


def _block(index: int, block: dict[str, Any], field: str, pieces: list[str]) -> Iterator[Event]:
    kind = "text_delta" if field == "text" else "input_json_delta"
    yield At.MIDDLE, _named("content_block_start", {"index": index, "content_block": block})
    for piece in pieces:
        delta = {"type": kind, field: piece}
        yield At.MIDDLE, _named("content_block_delta", {"index": index, "delta": delta})
    yield At.MIDDLE, _named("content_block_stop", {"index": index})


def _pieces(text: str, count: int) -> list[str]:
    size = max(1, -(-len(text) // max(1, count)))
    return [text[at : at + size] for at in range(0, len(text), size)]


def _named(name: str, fields: dict[str, Any]) -> bytes:
    return b"event: " + name.encode() + b"\n" + _data({"type": name, **fields})


def _data(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"
