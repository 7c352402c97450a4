"""What the fake model server refuses with a 400, as strictly as the strictest of the real ones. Pure.

Rules: no field that is not known; an output limit in exactly one field; always streamed, with usage, but for the
lines of a batch, which say nothing of streams; tool results stand right behind the calls that they answer, each
call answered once; nothing empty.
"""

from __future__ import annotations

from typing import Any

CHAT_FIELDS = frozenset(
    [
        "model",
        "messages",
        "stream",
        "stream_options",
        "service_tier",
        "temperature",
        "tools",
        "max_tokens",
        "max_completion_tokens",
        "provider",
    ]
)
MESSAGE_FIELDS = frozenset(
    ["model", "messages", "stream", "service_tier", "system", "tools", "max_tokens", "cache_control"]
)
CHAT_LIMITS = ("max_tokens", "max_completion_tokens")
MOST_BREAKPOINTS = 4


class BadRequest(ValueError):
    """What is wrong with a request."""


def chat_limit(body: dict[str, Any], *, batch: bool = False) -> int:
    """Check a Chat Completions request, or a batch's line of one, and return its output limit. Raises BadRequest."""
    if batch:
        _shape(body, CHAT_FIELDS - {"stream", "stream_options", "service_tier"}, streams=False)
    else:
        _shape(body, CHAT_FIELDS)
    if not batch and body.get("stream_options") != {"include_usage": True}:
        raise BadRequest("stream_options.include_usage: must be true")
    if body.get("service_tier", "default") != "default":
        raise BadRequest("service_tier: only default is free of surprises")
    limits = [body[field] for field in CHAT_LIMITS if field in body]
    if len(limits) != 1:
        raise BadRequest("one of max_tokens and max_completion_tokens is required")
    waiting: list[str] = []
    for index, message in enumerate(body["messages"]):
        waiting = _chat_message(index, message, waiting)
    if waiting:
        raise BadRequest(f"tool calls without a result: {waiting}")
    return _positive(limits[0])


def _chat_message(index: int, message: dict[str, Any], waiting: list[str]) -> list[str]:
    """Check one message; returns the tool calls that still wait for their results."""
    role, content = message.get("role"), message.get("content")
    if role == "tool":
        if message.get("tool_call_id") not in waiting:
            raise BadRequest(f"messages[{index}]: a tool result without its call")
        return [call for call in waiting if call != message["tool_call_id"]]
    if waiting:
        raise BadRequest(f"messages[{index}]: tool calls without a result: {waiting}")
    if role not in ("system", "user", "assistant") or (role == "system" and index):
        raise BadRequest(f"messages[{index}]: role {role!r} may not stand here")
    calls: list[dict[str, Any]] = message.get("tool_calls", []) if role == "assistant" else []
    if not calls and not (isinstance(content, str) and content.strip()):
        raise BadRequest(f"messages[{index}]: content is empty")
    return [call["id"] for call in calls]


def message_limit(body: dict[str, Any], *, batch: bool = False) -> int:
    """Check an Anthropic Messages request, or a batch's line of one, and return its output limit. Raises BadRequest."""
    if batch:
        _shape(body, MESSAGE_FIELDS - {"stream"}, streams=False)
    else:
        _shape(body, MESSAGE_FIELDS)
    if body.get("service_tier") != "standard_only":
        raise BadRequest("service_tier: only standard_only is free of surprises")
    waiting: set[str] = set()
    for index, message in enumerate(body["messages"]):
        role, blocks = message.get("role"), message.get("content")
        if role not in ("user", "assistant") or (index == 0 and role != "user"):
            raise BadRequest(f"messages.{index}: role {role!r} may not stand here")
        if not isinstance(blocks, list) or not blocks:
            raise BadRequest(f"messages.{index}: content is empty")
        results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        if set(results) != waiting or len(results) != len(waiting):
            raise BadRequest(f"messages.{index}: tool_use and tool_result do not match")
        if any(block["type"] == "text" and not block["text"].strip() for block in blocks):
            raise BadRequest(f"messages.{index}: text content blocks must be non-empty")
        waiting = {block["id"] for block in blocks if block["type"] == "tool_use"}
    if waiting:
        raise BadRequest("tool_use without tool_result")
    blocks = [*body.get("tools", []), *body.get("system", [])]
    blocks += [block for message in body["messages"] for block in message["content"]]
    _marks([block["cache_control"] for block in (*blocks, body) if "cache_control" in block])
    return _positive(body.get("max_tokens"))


def _marks(controls: list[dict[str, Any]]) -> None:
    """Check all `cache_control` of a request, in its order; the one of the request itself stands last."""
    if len(controls) > MOST_BREAKPOINTS:
        raise BadRequest(f"at most {MOST_BREAKPOINTS} blocks with cache_control")
    lives = [control.get("ttl", "5m") for control in controls]
    if any(control.get("type") != "ephemeral" for control in controls) or not set(lives) <= {"5m", "1h"}:
        raise BadRequest("cache_control: {type: ephemeral, ttl: 5m or 1h}")
    if lives != sorted(lives):  # "1h" sorts before "5m"
        raise BadRequest("cache_control: a ttl of 1h must not come after one of 5m")


def _shape(body: dict[str, Any], known: frozenset[str], *, streams: bool = True) -> None:
    unknown = set(body) - known
    if unknown:
        raise BadRequest(f"unknown fields: {sorted(unknown)}")
    if not isinstance(body.get("model"), str) or not body.get("messages"):
        raise BadRequest("model and messages are required")
    if streams and body.get("stream") is not True:
        raise BadRequest("stream: this server only streams")


def _positive(limit: object) -> int:
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        raise BadRequest("the output limit must be a number above 0")
    return limit
