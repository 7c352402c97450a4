"""Anthropic Messages: the events of one answer as our reply and usage. Pure.

    message_start   exact input and cache usage          -> `started`, if the stream breaks off from here on
    content_block_* text and tool calls, by index
    message_delta   reason to stop, cumulative output    -> with it the answer is whole
    message_stop    end
    error           instead of the rest

Rule: `input_tokens` on the wire is only what was neither read from nor written to a cache; ours is all of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from runner.conversations.models import ToolCall
from runner.money.usage import BadUsage, Usage
from runner.ports.dialogue import FinishReason, ModelReply
from runner.ports.outcomes import Completed, FateUnknown, FaultKind, Outcome
from runner.ports.provider import Hear
from runner.providers.faults import tidy
from runner.providers.wording import count

FINISHES = {
    "end_turn": FinishReason.END,
    "stop_sequence": FinishReason.END,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "tool_use": FinishReason.TOOLS,
    "refusal": FinishReason.REFUSAL,
}
ERRORS = {"overloaded_error": FaultKind.OVERLOADED, "rate_limit_error": FaultKind.RATE_LIMITED}


class MessagesReader:
    """Understands one answer."""

    __slots__ = (
        "_blocks",
        "_error",
        "_hear",
        "_id",
        "_pieces",
        "_secret",
        "_started",
        "_stop",
        "_told",
        "_usage",
    )

    def __init__(self, secret: str = "", hear: Hear | None = None) -> None:
        self._hear = hear
        self._secret = secret
        self._blocks: dict[int, Mapping[str, Any]] = {}
        self._pieces: dict[int, list[str]] = {}
        self._usage: dict[str, Any] = {}
        self._told = False
        self._started: Usage | None = None
        self._stop: str | None = None
        self._error: tuple[FaultKind, str] | None = None
        self._id = ""

    def feed(self, data: bytes) -> bool:
        """Take one event; True at the end and at an error."""
        event = json.loads(data)
        match event.get("type"):
            case "content_block_delta":
                delta = event["delta"]
                if piece := delta.get("text") or delta.get("partial_json"):
                    self._pieces[event["index"]].append(piece)
                if self._hear is not None and delta.get("text"):
                    self._hear(delta["text"])
            case "content_block_start":
                block = event["content_block"]
                self._blocks[event["index"]] = block
                self._pieces[event["index"]] = [text] if (text := block.get("text")) else []
            case "message_start":
                self._start(event["message"])
            case "message_delta":
                self._stop = event["delta"].get("stop_reason") or self._stop
                if usage := event.get("usage"):
                    self._usage.update({field: value for field, value in usage.items() if value is not None})
                    self._told = True
            case "message_stop":
                return True
            case "error":
                error = event.get("error") or {}
                kind = ERRORS.get(error.get("type", ""), FaultKind.SERVER)
                self._error = (
                    kind,
                    tidy(f"an error in the stream: {error.get('message', '')}", self._secret),
                )
                return True
            case _:
                pass  # ping, content_block_stop, and what will be added one day
        return False

    def take_whole(self, message: Mapping[str, Any]) -> None:
        """Take a message that was not streamed. May raise on nonsense."""
        self._start(message)
        for index, block in enumerate(message["content"]):
            self._blocks[index] = block
            self._pieces[index] = [text] if (text := block.get("text")) else []
        self._stop = message.get("stop_reason")
        self._told = bool(self._usage)

    def outcome(self, request_id: str, broken: tuple[FaultKind, str] | None) -> Outcome:
        """What became of the call."""
        request_id = request_id or self._id
        if self._error is not None:
            kind, why = self._error
            return FateUnknown(kind, why, started=self._started, request_id=request_id)
        if self._stop is None:
            kind, why = broken or (FaultKind.CUT, "the stream ended before the answer did")
            return FateUnknown(kind, why, started=self._started, request_id=request_id)
        reply, why = self._reply(), "it did not say what it used"
        if self._told:
            try:
                return Completed(reply, messages_usage(self._usage), request_id)
            except (BadUsage, AttributeError) as fault:
                why = f"unusable usage: {fault}"
        return FateUnknown(FaultKind.NO_USAGE, why, reply, self._started, request_id=request_id)

    def _start(self, message: Mapping[str, Any]) -> None:
        self._id = str(message.get("id") or "")
        self._usage = dict(message.get("usage") or {})
        try:
            self._started = messages_usage({**self._usage, "output_tokens": 0, "output_tokens_details": None})
        except BadUsage:
            self._started = None

    def _reply(self) -> ModelReply:
        texts: list[str] = []
        calls: list[ToolCall] = []
        for index, block in sorted(self._blocks.items()):
            said = "".join(self._pieces[index])
            if block.get("type") == "text":
                texts.append(said)
            elif block.get("type") == "tool_use":
                calls.append(
                    ToolCall(block["id"], block["name"], said or json.dumps(block.get("input") or {}))
                )
        finish = FINISHES.get(self._stop or "", FinishReason.OTHER)
        return ModelReply("".join(texts), tuple(calls), finish, self._stop or "")


def messages_usage(raw: Mapping[str, Any]) -> Usage:
    """Usage as Anthropic tells it. Raises BadUsage."""
    written = count(raw, "cache_creation_input_tokens", 0)
    read = count(raw, "cache_read_input_tokens", 0)
    by_ttl: Mapping[str, Any] = raw.get("cache_creation") or {}
    hour = count(by_ttl, "ephemeral_1h_input_tokens", 0)
    minutes = max(written - hour, count(by_ttl, "ephemeral_5m_input_tokens", 0))
    details: Mapping[str, Any] = raw.get("output_tokens_details") or {}
    return Usage(
        input_tokens=count(raw, "input_tokens") + read + minutes + hour,
        output_tokens=count(raw, "output_tokens"),
        cache_read_tokens=read,
        cache_write_5m_tokens=minutes,
        cache_write_1h_tokens=hour,
        reasoning_tokens=count(details, "thinking_tokens", 0),
    )
