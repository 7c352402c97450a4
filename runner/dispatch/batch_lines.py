"""What a person hands in as a batch, read and checked. Pure.

    {"custom_id": "q1", "prompt": "What is ...?"}
    {"custom_id": "q2", "messages": [{"role": "user", "content": "..."}], "system": "...", "max_tokens": 200}

Rules: all faults are told at once, each with its line and its field; a line's `system` (or a first message of that
role) stands in place of the bot's prompt; `max_tokens` is never more than the bot's own limit.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from runner.agent.batch_meter.requests import BatchPrompt
from runner.agent.wellformed import well_formed
from runner.conversations.models import AssistantMessage, Message, UserMessage

MOST_LINES = 10_000
MOST_BYTES = 32 * 1024 * 1024
MOST_FAULTS = 100
"""Told at once; a file with more of them is another kind of file."""
LONGEST_ID = 200
_FIELDS = ("custom_id", "prompt", "messages", "system", "max_tokens")
_SAYS_NOTHING = "must be a text that is not blank"


@dataclass(frozen=True, slots=True)
class LineFault:
    """What is wrong with a line. `line`: from 1; 0: with all of it together. `field`: empty: the line as a whole."""

    line: int
    field: str
    message: str


def read_jsonl(data: bytes, most_tokens: int | None = None) -> list[BatchPrompt] | list[LineFault]:
    """A file's lines, or its faults; blank lines count but are no lines. `most_tokens`: the bot's limit, if known."""
    if len(data) > MOST_BYTES:
        return [LineFault(0, "", f"a batch may have {MOST_BYTES} bytes, this file has {len(data)}")]
    found: list[tuple[int, object]] = []
    faults: list[LineFault] = []
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            found.append((number, json.loads(line.decode())))
        except (ValueError, RecursionError):
            faults.append(LineFault(number, "", "must be a JSON object in UTF-8"))
    return _read(found, faults, most_tokens)


def read_objects(lines: Iterable[object], most_tokens: int) -> list[BatchPrompt] | list[LineFault]:
    """The same of lines that are JSON values already."""
    return _read(list(enumerate(lines, 1)), [], most_tokens)


def _read(
    lines: list[tuple[int, object]], faults: list[LineFault], most_tokens: int | None
) -> list[BatchPrompt] | list[LineFault]:
    if not lines and not faults:
        return [LineFault(0, "", "there are no lines")]
    if len(lines) > MOST_LINES:
        return [LineFault(0, "", f"a batch may have {MOST_LINES} lines, this one has {len(lines)}")]
    prompts = []
    for number, raw in lines:
        reading = _Reading(number, most_tokens)
        prompts.append(reading.prompt(raw))
        faults += reading.faults
    faults += _twice(lines, prompts)
    return sorted(faults, key=lambda fault: fault.line)[:MOST_FAULTS] if faults else prompts


def _twice(lines: Iterable[tuple[int, object]], prompts: Iterable[BatchPrompt]) -> list[LineFault]:
    """A name stands for one line."""
    first: dict[str, int] = {}
    faults = []
    for (number, _), prompt in zip(lines, prompts, strict=True):
        before = first.setdefault(prompt.custom_id, number)
        if before != number and prompt.custom_id:
            faults.append(LineFault(number, "custom_id", f"is that of line {before}, too"))
    return faults


class _Reading:
    """Reads one line and gathers its faults; what is faulty is read as nothing."""

    def __init__(self, line: int, most_tokens: int | None) -> None:
        self._line = line
        self._most_tokens = most_tokens
        self.faults: list[LineFault] = []

    def _fault(self, field: str, message: str) -> None:
        self.faults.append(LineFault(self._line, field, message))

    def prompt(self, raw: object) -> BatchPrompt:
        """The line."""
        if not isinstance(raw, Mapping):
            self._fault("", "must be a JSON object")
            return BatchPrompt("", ())
        for name in raw:
            if name not in _FIELDS:
                self._fault(str(name)[:80], f"unknown field; there are {', '.join(_FIELDS)}")
        system = self._text("system", raw["system"]) if raw.get("system") is not None else None
        first, messages = self._messages(raw)
        if system is not None and first is not None:
            self._fault("system", "is there already, as a message")
        return BatchPrompt(self._id(raw), messages, first if system is None else system, self._limit(raw))

    def _id(self, raw: Mapping[str, Any]) -> str:
        name = raw.get("custom_id")
        if not isinstance(name, str) or not 0 < len(name) <= LONGEST_ID or name != well_formed(name):
            self._fault("custom_id", f"required: a text of up to {LONGEST_ID} characters")
            return ""
        return name

    def _limit(self, raw: Mapping[str, Any]) -> int | None:
        limit, most = raw.get("max_tokens"), self._most_tokens
        if limit is None:
            return None
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
            self._fault("max_tokens", "must be a whole number, at least 1")
            return None
        if most is not None and limit > most:
            self._fault("max_tokens", f"must not be more than the bot's max_tokens_per_turn ({most})")
        return limit

    def _messages(self, raw: Mapping[str, Any]) -> tuple[str | None, tuple[Message, ...]]:
        """The system prompt that stands among the messages, and the others."""
        prompt, listed = raw.get("prompt"), raw.get("messages")
        if (prompt is None) == (listed is None):
            self._fault("", "needs either a prompt or messages")
            return None, ()
        if listed is None:
            return None, (UserMessage(self._text("prompt", prompt)),)
        if not isinstance(listed, list) or not listed:
            self._fault("messages", "must be a list that is not empty")
            return None, ()
        system: str | None = None
        messages: list[Message] = []
        for index, each in enumerate(listed):
            role, text = self._message(f"messages[{index}]", each)
            if role == "system" and index == 0:
                system = text
            elif role == "user":
                messages.append(UserMessage(text))
            elif role == "assistant":
                messages.append(AssistantMessage(text))
            elif role is not None:
                self._fault(f"messages[{index}].role", "must be user or assistant; the first may be system")
        self._order(messages)
        return system, tuple(messages)

    def _message(self, place: str, raw: object) -> tuple[str | None, str]:
        if not isinstance(raw, Mapping) or set(raw) != {"role", "content"}:
            self._fault(place, "must be an object with role and content")
            return None, ""
        return str(raw["role"]), self._text(f"{place}.content", raw["content"])

    def _order(self, messages: list[Message]) -> None:
        if not self.faults and (
            not messages or not all(isinstance(each, UserMessage) for each in (messages[0], messages[-1]))
        ):
            self._fault("messages", "must begin and end with a user's")

    def _text(self, field: str, value: object) -> str:
        if not isinstance(value, str) or not value.strip() or value != well_formed(value):
            self._fault(field, _SAYS_NOTHING)
            return ""
        return value
