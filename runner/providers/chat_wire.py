"""Chat Completions: our request as its body. Pure.

Rules: equal requests give equal bytes; the output limit is appended last, so that nothing is serialised
twice; a field that this dialect does not know is not sent. Most servers cache by themselves; for those that are to
be told, the marks stand on texts, not on tools' results, which not all of them take in parts.
"""

from __future__ import annotations

import json
from typing import Any

from runner.conversations.models import AssistantMessage, Message, ToolMessage, UserMessage
from runner.money.amounts import Money, to_usd
from runner.money.prices import CacheWrites, Price
from runner.ports.dialogue import CachePlan, ModelRequest, ToolSpec
from runner.providers.dialects import Dialect
from runner.providers.messages_wire import CACHE_CONTROL
from runner.providers.wording import spoken


def chat_body(request: ModelRequest, dialect: Dialect, price: Price | None) -> tuple[str, int]:
    """The body's JSON text, all but the output limit, and how many messages are in it."""
    messages = [{"role": "system", "content": request.system}] if request.system.strip() else []
    for message in request.messages:
        messages.extend(_messages(message))
    if dialect.marks_cache and price is not None and not price.writes_unasked:
        _mark(messages, request.cache)
    body: dict[str, Any] = {"model": request.choice.model}
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
    body["messages"] = messages
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if dialect.pins_tier:
        body["service_tier"] = "default"
    if dialect.caps_price and price is not None:
        body["provider"] = {"max_price": _max_price(price)}
    body["stream"] = True
    body["stream_options"] = {"include_usage": True}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")), len(messages)


def _mark(messages: list[dict[str, Any]], plan: CachePlan) -> None:
    """Set the breakpoints: on the system prompt and on the last two messages of the user."""
    asked = [message for message in messages if message["role"] == "user"][-2:]
    said = [message for message in messages if message["role"] == "system"]
    for message, writes in (*((one, plan.prefix) for one in said), *((one, plan.history) for one in asked)):
        if writes is not CacheWrites.NONE:
            content = message["content"]
            parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
            parts[-1] = {**parts[-1], "cache_control": CACHE_CONTROL[writes]}
            message["content"] = parts


def _messages(message: Message) -> list[dict[str, Any]]:
    match message:
        case UserMessage(pictures=()):
            return [{"role": "user", "content": spoken(message)}]
        case UserMessage():
            pictures = [
                {"type": "image_url", "image_url": {"url": f"data:{p.media_type};base64,{p.data}"}}
                for p in message.pictures
            ]
            return [{"role": "user", "content": [*pictures, {"type": "text", "text": spoken(message)}]}]
        case AssistantMessage(tool_calls=()):
            return [{"role": "assistant", "content": spoken(message)}]
        case AssistantMessage():
            calls = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments or "{}"},
                }
                for call in message.tool_calls
            ]
            return [{"role": "assistant", "content": message.text or None, "tool_calls": calls}]
        case ToolMessage():
            return [
                {"role": "tool", "tool_call_id": result.call_id, "content": result.text}
                for result in message.results
            ]


def _tool(tool: ToolSpec) -> dict[str, Any]:
    parameters = dict(tool.parameters) or {"type": "object", "properties": {}}
    function = {"name": tool.name, "description": tool.description, "parameters": parameters}
    return {"type": "function", "function": function}


def _max_price(price: Price) -> dict[str, Any]:
    """The row's rates in dollars per million tokens, as JSON numbers."""
    rates = {"prompt": price.rates.input, "completion": price.rates.output}
    return {kind: json.loads(to_usd(Money(rate))) for kind, rate in rates.items()}
