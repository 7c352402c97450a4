"""JSON of the custom platform to our messages and back. Pure.

    in   {text, user_id, channel_id?, user_name?, message_id?, task?}, ids as text or whole number, the rest ignored
    out  200 {response, message_id, tool_calls, tokens, cost_cents, latency_ms, …}
         202 {message_id, status}, and the same as the 200 to `reply_url`
         else {error: {code, message, details: [{field, message}]}}

Rules: all faults of a body are found at once, each with its field; a text that cannot be stored everywhere
(lone surrogates, NUL) is a fault; `message_id` in the body goes before the Idempotency-Key header.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from adapters.contract import Capabilities, Pressure, WebhookResponse
from adapters.messages import ChatRef, InboundMessage, OutboundMessage, Sender

CAPABILITIES = Capabilities(
    max_text=1_000_000,
    pressure=Pressure.REFUSE,
    collects=True,
    reports=True,
    drafts=True,
    draft_every_s=0.25,
    draft_every_group_s=0.25,
    resends_unknown=True,
    chat_interval_s=0.0,
    bot_interval_s=0.0,
)
POSTING = replace(CAPABILITIES, collects=False, drafts=False)
"""The same where answers are posted to `reply_url`."""
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""Made once: `json.dumps` makes an encoder each time."""
_COMMAND = re.compile(r"/(\w{1,64})(?=\s|$)")
_TASK = re.compile(r"[a-z0-9_-]{1,64}")
LONGEST_BODY = 1024 * 1024
LONGEST_ID = 256
LONGEST_NAME = 256


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one field; the body itself is the field `""`."""

    field: str
    message: str


def parse(
    body: bytes, idempotency_key: str | None, new_id: Callable[[], str], *, live: bool = True
) -> InboundMessage | list[Fault]:
    """Read a posted body. Returns the message, or all that is wrong with it; raises nothing.

    Args:
        live: whether whoever posted it sees the answer grow.
    """
    try:
        raw = json.loads(body)
    except (ValueError, RecursionError):
        return [Fault("", "is not JSON")]
    if not isinstance(raw, dict):
        return [Fault("", "must be a JSON object")]
    faults: list[Fault] = []
    text = _text(raw, faults)
    user = _identifier(raw, "user_id", faults, required=True)
    channel = _identifier(raw, "channel_id", faults)
    name = _name(raw, faults)
    given = raw if raw.get("message_id") is not None else {"Idempotency-Key": idempotency_key}
    event = _identifier(given, "message_id" if given is raw else "Idempotency-Key", faults)
    task = _task(raw, faults)
    if faults or text is None or user is None:
        return faults
    return InboundMessage(
        event_id=event or new_id(),
        chat=ChatRef(channel or user),
        sender=Sender(user, name),
        text=text,
        command=_command(text),
        live=live,
        task=task,
    )


def answer(event_id: str, message: OutboundMessage) -> WebhookResponse:
    """The 200 with a reply and the facts of its turn."""
    return WebhookResponse(200, encoded(facts(event_id, message)))


def accepted(event_id: str) -> WebhookResponse:
    """The 202 of a message whose answer will be posted."""
    return WebhookResponse(202, encoded({"message_id": event_id, "status": "accepted"}))


def facts(event_id: str, message: OutboundMessage) -> dict[str, Any]:
    """A reply and the facts of its turn."""
    known: dict[str, Any] = {
        "response": message.text,
        "message_id": event_id,
        "tool_calls": [],
        "tokens": {"input": 0, "output": 0},
        "cost_cents": 0,
        "latency_ms": 0,
    }
    return {**known, **message.report}


def refusal(
    status: int,
    code: str,
    message: str = "",
    details: list[Fault] | None = None,
    headers: Mapping[str, str] | None = None,
) -> WebhookResponse:
    """An error as JSON; without a message it has the status' own phrase."""
    error = {
        "code": code,
        "message": message or HTTPStatus(status).phrase,
        "details": [{"field": fault.field, "message": fault.message} for fault in details or ()],
    }
    return WebhookResponse(status, encoded({"error": error}), headers=headers or {})


def encoded(value: object) -> bytes:
    """Compact JSON."""
    return _encode(value).encode(errors="replace")


def _storable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return "\0" not in text


def _text(raw: dict[str, Any], faults: list[Fault]) -> str | None:
    match raw.get("text"):
        case None:
            faults.append(Fault("text", "is missing"))
        case str(text) if not text.strip():
            faults.append(Fault("text", "must not be blank"))
        case str(text) if not _storable(text):
            faults.append(Fault("text", "must be Unicode text without NUL"))
        case str(text):
            return text
        case _:
            faults.append(Fault("text", "must be a text"))
    return None


def _identifier(
    raw: Mapping[str, Any], field: str, faults: list[Fault], *, required: bool = False
) -> str | None:
    value = raw.get(field)
    if value is None:
        if required:
            faults.append(Fault(field, "is missing"))
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        faults.append(Fault(field, "must be a text or a whole number"))
        return None
    text = str(value)
    if not text.strip() or len(text) > LONGEST_ID or not _storable(text):
        faults.append(Fault(field, f"must be Unicode text of 1 to {LONGEST_ID} characters without NUL"))
        return None
    return text


def _name(raw: dict[str, Any], faults: list[Fault]) -> str | None:
    match raw.get("user_name"):
        case None:
            return None
        case str(name) if _storable(name):
            return name[:LONGEST_NAME] or None
        case _:
            faults.append(Fault("user_name", "must be a text"))
    return None


def _task(raw: dict[str, Any], faults: list[Fault]) -> str:
    match raw.get("task"):
        case None:
            return ""
        case str(task) if _TASK.fullmatch(task):
            return task
        case _:
            faults.append(Fault("task", "must be a text of 1 to 64 of a-z, 0-9, _ and -"))
    return ""


def _command(text: str) -> str | None:
    found = _COMMAND.match(text)
    return found[1].lower() if found else None
