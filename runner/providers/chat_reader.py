"""Chat Completions: the events of one answer as our reply and usage. Pure.

Rules: an answer is whole once it gave its reason to finish, or its end; its usage counts if it came with
that or after it, since some servers tell a growing one with each event. Tool calls come in pieces, and are
put together by their index, or by their id where a server gives each the same index.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runner.conversations.models import ToolCall
from runner.money.amounts import BadAmount, Money, from_usd
from runner.money.usage import BadUsage, Usage
from runner.ports.dialogue import FinishReason, ModelReply
from runner.ports.outcomes import Completed, FateUnknown, FaultKind, Outcome
from runner.ports.provider import Hear
from runner.providers.dialects import Dialect
from runner.providers.faults import tidy
from runner.providers.wording import count

FINISHES = {
    "stop": FinishReason.END,
    "length": FinishReason.LENGTH,
    "tool_calls": FinishReason.TOOLS,
    "function_call": FinishReason.TOOLS,
    "content_filter": FinishReason.REFUSAL,
}
END = b"[DONE]"


@dataclass(slots=True)
class _Call:
    """A tool call while its pieces come in."""

    id: str
    name: str
    arguments: str = ""


class ChatReader:
    """Understands one answer; `limit` is the output limit, in tokens, that was sent."""

    __slots__ = (
        "_calls",
        "_dialect",
        "_done",
        "_error",
        "_events",
        "_final",
        "_finish",
        "_hear",
        "_id",
        "_limit",
        "_over",
        "_secret",
        "_slots",
        "_texts",
        "_usage",
    )

    def __init__(self, dialect: Dialect, limit: int, secret: str = "", hear: Hear | None = None) -> None:
        self._hear = hear
        self._dialect = dialect
        self._limit = limit
        self._secret = secret
        self._texts: list[str] = []
        self._calls: list[_Call] = []
        self._slots: dict[int, _Call] = {}
        self._usage: Mapping[str, Any] | None = None
        self._final = False
        self._finish: str | None = None
        self._error: str | None = None
        self._done = False
        self._over = False
        self._events = 0
        self._id = ""

    def feed(self, data: bytes) -> bool:
        """Take one event; True at the end, at an error, and where the output limit must be kept here."""
        if data == END:
            self._done = True
            return True
        return self.take(json.loads(data))

    def take(self, event: Mapping[str, Any]) -> bool:
        """Take one event, read already; a completion that was not streamed is one, too."""
        if error := event.get("error"):
            self._error = str(error.get("message", "")) if isinstance(error, dict) else str(error)
            return True
        self._id = self._id or str(event.get("id") or "")
        for choice in event.get("choices") or ():
            self._choose(choice)
        usage = event.get("usage") or (event.get("x_groq") or {}).get("usage")
        if usage:
            self._usage = usage
            self._final = self._finish is not None
        return self._over

    def outcome(self, request_id: str, broken: tuple[FaultKind, str] | None) -> Outcome:
        """What became of the call."""
        request_id = request_id or self._id
        if self._error is not None:
            why = tidy(f"an error in the stream: {self._error}", self._secret)
            return FateUnknown(FaultKind.SERVER, why, request_id=request_id)
        if self._over:
            why = "it passed its output limit and was cut"
            return FateUnknown(FaultKind.NO_USAGE, why, self._reply(), request_id=request_id)
        if self._finish is None and not self._done:
            kind, why = broken or (FaultKind.CUT, "the stream ended before the answer did")
            return FateUnknown(kind, why, request_id=request_id)
        reply = self._reply()
        if self._usage is None or not (self._final or self._done):
            why = broken[1] if broken else "it did not say what it used"
            return FateUnknown(FaultKind.NO_USAGE, why, reply, request_id=request_id)
        try:
            usage = chat_usage(self._usage, self._dialect)
        except (BadUsage, AttributeError) as fault:
            return FateUnknown(FaultKind.NO_USAGE, f"unusable usage: {fault}", reply, request_id=request_id)
        return Completed(reply, usage, request_id, charged(self._usage, self._dialect))

    def _choose(self, choice: Mapping[str, Any]) -> None:
        delta = choice.get("delta") or choice.get("message") or {}
        text = delta.get("content") or delta.get("refusal")
        if text:
            self._texts.append(text)
            if self._hear is not None:
                self._hear(text)
            self._events += 1
            self._over = self._dialect.cuts and self._events > self._limit
        for piece in delta.get("tool_calls") or ():
            self._add(piece)
        self._finish = choice.get("finish_reason") or self._finish

    def _add(self, piece: Mapping[str, Any]) -> None:
        index = piece.get("index") or 0
        function = piece.get("function") or {}
        call = self._slots.get(index)
        given = piece.get("id") or ""
        if call is None or (given and given != call.id and function.get("name")):
            call = _Call(given or f"call_{len(self._calls)}", function.get("name") or "")
            self._slots[index] = call
            self._calls.append(call)
        call.arguments += function.get("arguments") or ""

    def _reply(self) -> ModelReply:
        calls = tuple(ToolCall(call.id, call.name, call.arguments) for call in self._calls)
        finish = FINISHES.get(self._finish or "", FinishReason.OTHER)
        if self._over:
            finish = FinishReason.LENGTH
        elif calls and finish in (FinishReason.END, FinishReason.OTHER):
            finish = FinishReason.TOOLS
        return ModelReply("".join(self._texts), calls, finish, self._finish or "")


def chat_usage(raw: Mapping[str, Any], dialect: Dialect) -> Usage:
    """Usage as this dialect tells it. Raises BadUsage."""
    prompt, output = count(raw, "prompt_tokens"), count(raw, "completion_tokens")
    into: Mapping[str, Any] = raw.get("prompt_tokens_details") or {}
    out: Mapping[str, Any] = raw.get("completion_tokens_details") or {}
    if dialect.output_by_total:
        output = max(output, count(raw, "total_tokens", 0) - prompt)
    return Usage(
        input_tokens=prompt,
        output_tokens=output,
        cache_read_tokens=count(into, "cached_tokens", 0),
        cache_write_5m_tokens=count(into, "cache_write_tokens", 0),
        reasoning_tokens=count(out, "reasoning_tokens", 0),
    )


def charged(raw: Mapping[str, Any], dialect: Dialect) -> Money | None:
    """What the server itself says that the call cost, where it tells that in dollars."""
    cost = raw.get("cost")
    if not dialect.tells_charge or cost is None or isinstance(cost, bool):
        return None
    try:
        return from_usd(str(cost))
    except BadAmount:
        return None
