"""Anthropic Messages: our request as its body. Pure.

Rules: equal requests give equal bytes; the output limit is appended last; breakpoints for the cache stand
after tools and system, at the end of this request, and where the request before it ended, so that it is
found again however much a turn has added (the provider looks back 20 blocks only); never more than four.
A temperature is put away: the API takes none. What the API refuses (empty texts, odd ids) is mended.
"""

from __future__ import annotations

import json
import re
from typing import Any

from runner.conversations.models import AssistantMessage, Message, ToolCall, ToolMessage, UserMessage
from runner.money.prices import CacheWrites
from runner.ports.dialogue import CachePlan, ModelRequest
from runner.providers.wording import NOTHING_SAID, spoken

Block = dict[str, Any]
CACHE_CONTROL: dict[CacheWrites, dict[str, str]] = {
    CacheWrites.MINUTES: {"type": "ephemeral"},
    CacheWrites.HOUR: {"type": "ephemeral", "ttl": "1h"},
}
ODD_IN_ID = re.compile(r"[^A-Za-z0-9_-]")


def messages_body(request: ModelRequest) -> str:
    """The body's JSON text, all but the output limit."""
    tools: list[Block] = [
        {
            "name": tool.name,
            "description": tool.description,
            "input_schema": dict(tool.parameters) or {"type": "object", "properties": {}},
        }
        for tool in request.tools
    ]
    system: list[Block] = [{"type": "text", "text": request.system}] if request.system.strip() else []
    messages = [_message(message) for message in request.messages]
    _mark(system or tools, messages, request.cache)
    body: dict[str, Any] = {"model": request.choice.model}
    if tools:
        body["tools"] = tools
    if system:
        body["system"] = system
    body["messages"] = messages
    body["service_tier"] = "standard_only"
    body["stream"] = True
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def _mark(prefix: list[Block], messages: list[dict[str, Any]], plan: CachePlan) -> None:
    """Set the breakpoints, on the last block of each place."""
    ends = [message["content"] for message in messages if message["role"] == "user"][-2:]
    for blocks, writes in ((prefix, plan.prefix), *((blocks, plan.history) for blocks in ends)):
        if blocks and writes is not CacheWrites.NONE:
            blocks[-1]["cache_control"] = CACHE_CONTROL[writes]


def _message(message: Message) -> dict[str, Any]:
    match message:
        case UserMessage():
            pictures: list[Block] = [
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": picture.media_type, "data": picture.data},
                }
                for picture in message.pictures
            ]
            return {"role": "user", "content": [*pictures, {"type": "text", "text": spoken(message)}]}
        case AssistantMessage(tool_calls=()):
            return {"role": "assistant", "content": [{"type": "text", "text": spoken(message)}]}
        case AssistantMessage():
            said: list[Block] = [{"type": "text", "text": message.text}] if message.text.strip() else []
            return {"role": "assistant", "content": [*said, *map(_tool_use, message.tool_calls)]}
        case ToolMessage():
            results: list[Block] = [
                {
                    "type": "tool_result",
                    "tool_use_id": _id(result.call_id),
                    "content": result.text if result.text.strip() else NOTHING_SAID,
                    **({} if result.ok else {"is_error": True}),
                }
                for result in message.results
            ]
            return {"role": "user", "content": results}


def _tool_use(call: ToolCall) -> Block:
    try:
        arguments = json.loads(call.arguments or "{}")
    except ValueError:
        arguments = None
    if not isinstance(arguments, dict):
        arguments = {"unreadable": call.arguments}
    return {"type": "tool_use", "id": _id(call.id), "name": call.name, "input": arguments}


def _id(given: str) -> str:
    """An id that another provider made, in the letters that this one takes."""
    return ODD_IN_ID.sub("_", given) or "_"
