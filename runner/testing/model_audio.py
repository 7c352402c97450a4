"""What the fake model server makes of a request to write speech down, as strict as the rest of it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from runner.conversations.recordings import Recording, measure
from runner.money.usage import Usage
from runner.testing.model_checks import BadRequest
from runner.testing.model_script import At, Say

FIELDS = {"model", "response_format", "temperature", "file"}
_BOUNDARY = re.compile(r'multipart/form-data; boundary="?([^";]{1,70})"?$')
_PART = re.compile(
    rb'Content-Disposition: form-data; name="([a-z_]+)"(?:; filename="([^"]+)"\r\nContent-Type: ([a-z/]+))?'
    rb"\r\n\r\n(.*)",
    re.DOTALL,
)


def read_form(raw: bytes, content_type: str) -> tuple[dict[str, Any], int]:
    """The form's fields, without the file's bytes, and how many seconds its file lasts. Raises BadRequest."""
    match = _BOUNDARY.match(content_type)
    if match is None:
        raise BadRequest("expected multipart/form-data with its boundary")
    mark = b"--" + match[1].encode()
    first, *parts, last = (b"\r\n" + raw).split(b"\r\n" + mark)
    if first or last != b"--\r\n":
        raise BadRequest("the form does not end, or does not begin")
    body: dict[str, Any] = {}
    seconds = 0
    for part in parts:
        field = _PART.fullmatch(part.removeprefix(b"\r\n"))
        if field is None or field[1].decode() in body:
            raise BadRequest("a part that is none, or is there twice")
        if field[2] is None:
            body[field[1].decode()] = field[4].decode()
            continue
        body[field[1].decode()] = field[2].decode()
        seconds = _length(field[4])
    if set(body) != FIELDS or not seconds:
        raise BadRequest(f"expected {sorted(FIELDS)}, got {sorted(body)}")
    if body["response_format"] not in {"json", "verbose_json"}:
        raise BadRequest("response_format: json or verbose_json")
    return body, seconds


def _length(file: bytes) -> int:
    found = measure(file)
    if not isinstance(found, Recording):
        raise BadRequest(f"file: {found.why}")
    return found.seconds


def heard_usage(said: Say, seconds: int) -> Usage:
    """What writing down costs: as told, else the recording's seconds."""
    return said.usage or Usage(seconds)


def audio_events(said: Say, usage: Usage) -> Iterator[tuple[At, bytes]]:
    """An answer in three pieces, so that it can be broken off."""
    told = {"type": "duration", "seconds": usage.input_tokens}
    answer: dict[str, Any] = {"task": "transcribe", "language": "english", "text": said.text, "segments": []}
    if said.tells_usage:
        answer |= {"duration": usage.input_tokens, "usage": told}
    data = json.dumps(answer, ensure_ascii=False).encode()
    third = max(1, len(data) // 3)
    yield At.START, data[:third]
    yield At.MIDDLE, data[third : 2 * third]
    yield At.STOP, data[2 * third :]
