"""What was said, in a shape that every provider's wire format can be made from.

Rules: a history is a list of messages; an assistant message that calls tools is followed at once by ONE
tool message with a result for each call; JSON written here is read back equal by every later version.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model asks for a tool. `arguments` is the JSON text exactly as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What came of a tool call, already capped to the limit for tool results."""

    call_id: str
    name: str
    text: str
    ok: bool = True


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture for a model that sees: `data` is base64. Never written down: later turns read only of it."""

    media_type: str
    data: str


@dataclass(frozen=True, slots=True)
class UserMessage:
    """What a person wrote; `name` is context for the model, part of the message, never of the prompt."""

    text: str
    name: str | None = None
    pictures: tuple[Picture, ...] = ()
    role: Literal["user"] = "user"


@dataclass(frozen=True, slots=True)
class AssistantMessage:
    """What the model said and which tools it asked for."""

    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    role: Literal["assistant"] = "assistant"


@dataclass(frozen=True, slots=True)
class ToolMessage:
    """The results of all tool calls of the assistant message before it."""

    results: tuple[ToolResult, ...]
    role: Literal["tool"] = "tool"


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""Made once: `json.dumps` makes an encoder each time."""

Message = UserMessage | AssistantMessage | ToolMessage


def message_to_json(message: Message) -> str:
    """Compact JSON with a `role`."""
    match message:
        case UserMessage():
            seen = ["[The user sent a picture.]"] * len(message.pictures)
            raw: dict[str, Any] = {"role": "user", "text": "\n".join([message.text, *seen])}
            if message.name is not None:
                raw["name"] = message.name
        case AssistantMessage():
            raw = {"role": "assistant", "text": message.text}
            if message.tool_calls:
                raw["tool_calls"] = [[c.id, c.name, c.arguments] for c in message.tool_calls]
        case ToolMessage():
            raw = {"role": "tool", "results": [[r.call_id, r.name, r.text, r.ok] for r in message.results]}
    return _encode(raw)


def message_from_json(text: str) -> Message:
    """Read what `message_to_json` wrote. Raises ValueError or KeyError on anything else."""
    raw = json.loads(text)
    match raw["role"]:
        case "user":
            return UserMessage(raw["text"], raw.get("name"))
        case "assistant":
            return AssistantMessage(raw["text"], tuple(ToolCall(*c) for c in raw.get("tool_calls", ())))
        case "tool":
            return ToolMessage(tuple(ToolResult(*r) for r in raw["results"]))
        case other:
            raise ValueError(f"no message has the role {other!r}")
