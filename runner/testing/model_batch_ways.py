"""The two ways to hand batches to the fake model server: what is checked, and what is told. Pure.

Rules: as strict as the rest of it; ids are unique and well-formed, and all lines of a file ask for the same model.
"""

from __future__ import annotations

import json
import re
from typing import Any

from runner.clock import UnixMs, iso
from runner.money.usage import Usage
from runner.ports.batch_server import RemoteState
from runner.testing import model_wire
from runner.testing.model_batches import Canceled, Expired, Garbled, MadeBatch, MadeLine
from runner.testing.model_checks import BadRequest, chat_limit, message_limit
from runner.testing.model_script import Fault, Say

DAY_S = 86_400
ENDPOINT = "/v1/chat/completions"
MESSAGES = "messages"
CHAT = "chat"
_CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_FORM = re.compile(r'multipart/form-data; boundary="?([^";]{1,70})"?')


def fields(body: Any, *names: str) -> tuple[Any, ...]:  # noqa: ANN401 - JSON
    """The values of exactly these fields. Raises BadRequest where there are others."""
    if not isinstance(body, dict) or set(body) != set(names):
        raise BadRequest(
            f"expected {sorted(names)}, got {sorted(body) if isinstance(body, dict) else body!r}"
        )
    return tuple(body[name] for name in names)


def message_lines(raw: bytes) -> list[MadeLine]:
    """The lines of a Message Batch. Raises as `Way.read`."""
    (requests,) = fields(json.loads(raw), "requests")
    lines = []
    for request in requests:
        custom_id, params = fields(request, "custom_id", "params")
        limit = message_limit(params, batch=True)
        size = len(json.dumps(params, ensure_ascii=False, separators=(",", ":")).encode())
        lines.append(MadeLine(custom_id, params["model"], size, limit, params))
    return _checked(lines)


def chat_lines(data: bytes) -> list[MadeLine]:
    """The lines of a file for a batch. Raises as `Way.read`."""
    lines = []
    for text in data.decode().removesuffix("\n").split("\n"):
        custom_id, method, url, body = fields(json.loads(text), "custom_id", "method", "url", "body")
        if (method, url) != ("POST", ENDPOINT):
            raise BadRequest(f"expected POST {ENDPOINT}")
        limit = chat_limit(body, batch=True)
        size = len(json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode())
        lines.append(MadeLine(custom_id, body["model"], size, limit, body))
    if len({line.model for line in lines}) > 1:
        raise BadRequest("mismatched_model: all lines ask for the same model")
    return _checked(lines)


def uploaded(raw: bytes, content_type: str) -> bytes:
    """The file of a form that says what it is for. Raises BadRequest."""
    match = _FORM.match(content_type)
    if match is None:
        raise BadRequest("expected multipart/form-data with its boundary")
    parts = {}
    for part in raw.split(b"--" + match[1].encode())[1:-1]:
        head, _, value = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        name = re.search(rb'; name="([a-z_]+)"', head)
        if name is not None:
            parts[name[1].decode()] = value.removesuffix(b"\r\n")
    if set(parts) != {"purpose", "file"} or parts["purpose"] != b"batch":
        raise BadRequest(f"expected a file for a batch, got {sorted(parts)}")
    return parts["file"]


def _checked(lines: list[MadeLine]) -> list[MadeLine]:
    ids = [line.custom_id for line in lines]
    if not lines or len(set(ids)) < len(ids) or not all(map(_CUSTOM_ID.fullmatch, ids)):
        raise BadRequest("custom_id: unique, letters, digits, - and _, at most 64")
    return lines


def message_batch(batch: MadeBatch, url: str) -> dict[str, Any]:
    """A batch as Anthropic tells of it: nothing is counted before it has ended."""
    over = batch.state is RemoteState.ENDED
    states = {RemoteState.ENDED: "ended", RemoteState.CANCELING: "canceling"}
    counts = {
        "processing": 0 if over else len(batch.lines),
        "succeeded": batch.count((Say, Garbled)) if over else 0,
        "errored": batch.count(Fault) if over else 0,
        "canceled": batch.count(Canceled) if over else 0,
        "expired": batch.count(Expired) if over else 0,
    }
    return {
        "id": batch.id,
        "type": "message_batch",
        "processing_status": states.get(batch.state, "in_progress"),
        "request_counts": counts,
        "created_at": iso(UnixMs(batch.created_ms)),
        "expires_at": iso(UnixMs(batch.created_ms + DAY_S * 1000)),
        "ended_at": iso(UnixMs(batch.created_ms)) if over else None,
        "cancel_initiated_at": iso(UnixMs(batch.created_ms)) if batch.canceled else None,
        "archived_at": None,
        "results_url": f"{url}/v1/messages/batches/{batch.id}/results" if over else None,
    }


def message_result(line: MadeLine) -> bytes:
    """A line of results as Anthropic tells it."""
    result: dict[str, Any]
    match line.fate:
        case Garbled(data=data):
            return data
        case Say() as said:
            usage = line.usage or Usage()
            message = model_wire.whole_message(said, usage, line.limit, line.request_id, line.model)
            result = {"type": "succeeded", "message": message}
        case Fault() as fault:
            error = model_wire.message_error(fault.message, fault.status)
            result = {"type": "errored", "error": {**error, "request_id": line.request_id}}
        case Expired():
            result = {"type": "expired"}
        case _:
            result = {"type": "canceled"}
    return _line({"custom_id": line.custom_id, "result": result})


def chat_batch(batch: MadeBatch) -> dict[str, Any]:
    """A batch as OpenAI tells of it."""
    over = batch.over
    counts = {
        "total": 0 if batch.state is RemoteState.FAILED else len(batch.lines),
        "completed": batch.count((Say, Garbled)),
        "failed": batch.count((Fault, Expired, Canceled)),
    }
    errors = {"object": "list", "data": [{"code": "invalid", "message": batch.invalid, "line": 1}]}
    told = {
        "id": batch.id,
        "object": "batch",
        "endpoint": ENDPOINT,
        "errors": errors if batch.state is RemoteState.FAILED else None,
        "input_file_id": batch.file_id,
        "completion_window": "24h",
        "status": _status(batch),
        "output_file_id": None,
        "error_file_id": None,
        "created_at": batch.created_ms // 1000,
        "request_counts": counts,
        "metadata": {"botrunner": batch.mark},
    }
    for kind in ("output", "error"):
        if over and chat_file(batch, kind):
            told[f"{kind}_file_id"] = f"{batch.id}.{kind}"
    return told


def chat_file(batch: MadeBatch, kind: str) -> list[MadeLine]:
    """The lines that a batch's file of that kind tells of."""
    over = [line for line in batch.lines if line.fate is not None]
    return [line for line in over if isinstance(line.fate, Say | Garbled) is (kind == "output")]


def chat_result(line: MadeLine) -> bytes:
    """A line of either file, as OpenAI tells it."""
    response: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    match line.fate:
        case Garbled(data=data):
            return data
        case Say() as said:
            usage = line.usage or Usage()
            body = model_wire.whole_chat(said, usage, line.limit, line.request_id, line.model)
            response = {"status_code": 200, "request_id": line.request_id, "body": body}
        case Fault() as fault:
            body = model_wire.chat_error(fault.message, fault.status)
            response = {"status_code": fault.status, "request_id": line.request_id, "body": body}
        case Expired():
            error = {"code": "batch_expired", "message": "the completion window expired"}
        case _:
            error = {"code": "batch_cancelled", "message": "the batch was cancelled"}
    told = {"id": f"batch_req_{line.custom_id}", "custom_id": line.custom_id}
    return _line({**told, "response": response, "error": error})


def _status(batch: MadeBatch) -> str:
    match batch.state:
        case RemoteState.FAILED:
            return "failed"
        case RemoteState.CANCELING:
            return "cancelling"
        case RemoteState.ENDED if batch.canceled:
            return "cancelled"
        case RemoteState.ENDED:
            return "expired" if batch.count(Expired) else "completed"
        case _:
            return "in_progress"


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
