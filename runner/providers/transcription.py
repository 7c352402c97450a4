"""Speech written down by any server that has OpenAI's /audio/transcriptions.

Rules: one request a call: no retries, no redirects, nothing from the environment. What is used is the seconds
that the server names; where it names none, those that were counted in the file. `verbose_json` is asked for,
since every server tells the length in it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from runner.bots import Secret
from runner.clock import Clock
from runner.conversations.recordings import Recording
from runner.money.estimate import RequestSize
from runner.money.usage import Usage
from runner.ports.dialogue import ModelReply, ModelRequest
from runner.ports.outcomes import Completed, FateUnknown, FaultKind, Outcome
from runner.ports.provider import Hear, Prepared
from runner.providers import faults
from runner.providers.attempt import Broken, Opened, attempt, timeouts

MARGIN_S = 1
"""What a server's decoder may add to a recording, at most."""
MOST_ANSWER = 4 * 1024 * 1024
MOST_ERROR = 64 * 1024


@dataclass(frozen=True, slots=True)
class Form:
    """A request's body. `seconds`: how long its recording is."""

    body: bytes
    content_type: str
    seconds: int


class TranscriptionProvider:
    """One server with one key. `http` is shared, and closed by whoever made it."""

    __slots__ = ("_clock", "_http", "_secret", "_url")

    def __init__(self, *, base_url: str, key: Secret | None, clock: Clock, http: httpx2.AsyncClient) -> None:
        self._url = f"{base_url}/audio/transcriptions"
        self._clock = clock
        self._secret = key.reveal() if key else ""
        self._http = http

    def prepare(self, request: ModelRequest) -> Prepared:
        """Put the recording into a form. Raises ValueError where the request has none."""
        if request.recording is None:
            raise ValueError("there is no recording to write down")
        form = transcription_form(request.choice.model, request.recording)
        return Prepared(form, RequestSize("", messages=0, audio_seconds=form.seconds + MARGIN_S))

    async def complete(
        self, prepared: Prepared, max_output_tokens: int, timeout_s: float, hear: Hear | None = None
    ) -> Outcome:
        """Make one attempt. A text is as long as the speech: there is no limit to send."""
        form: Form = prepared.body
        reader = TranscriptReader(form.seconds, self._secret)
        return await attempt(lambda: self._open(form, timeout_s), reader, timeout_s, AsItComes)

    async def close(self) -> None:
        """The connections are shared: nothing of its own to let go of."""

    async def _open(self, form: Form, timeout_s: float) -> Opened:
        headers = {"Content-Type": form.content_type, "User-Agent": "botrunner"}
        if self._secret:
            headers["Authorization"] = f"Bearer {self._secret}"
        request = self._http.build_request(
            "POST", self._url, content=form.body, headers=headers, timeout=timeouts(timeout_s)
        )
        try:
            response = await self._http.send(request, stream=True, follow_redirects=False)
        except httpx2.TimeoutException as error:
            return faults.of_connection(error, timeout=True)
        if response.is_success:
            return response
        try:
            said = await _beginning(response)
        finally:
            await response.aclose()
        return faults.of_status(
            response.status_code, response.headers, said, now=self._clock.now_ms(), secret=self._secret
        )


class AsItComes:
    """Hands an answer's bytes on as they come."""

    __slots__ = ()

    def feed(self, data: bytes) -> list[bytes]:
        """All of it."""
        return [data]


class TranscriptReader:
    """Understands one answer: JSON with a `text`. `seconds`: how long the recording is by our own count."""

    __slots__ = ("_body", "_seconds", "_secret")

    def __init__(self, seconds: int, secret: str = "") -> None:
        self._seconds = seconds
        self._secret = secret
        self._body = bytearray()

    def feed(self, data: bytes) -> bool:
        """Take more of the body. Raises ValueError where it has no end."""
        self._body += data
        if len(self._body) > MOST_ANSWER:
            raise ValueError("longer than any text")
        return False

    def outcome(self, request_id: str, broken: Broken | None) -> Outcome:
        """What became of the call; an answer that is whole counts, however its connection ended."""
        answer = _json(self._body)
        if answer is None:
            kind, why = broken or (FaultKind.CUT, "the answer is no JSON")
            return FateUnknown(kind, why, request_id=request_id)
        text = answer.get("text") if isinstance(answer, Mapping) else None
        if not isinstance(text, str):
            return FateUnknown(FaultKind.NO_USAGE, "there is no text in the answer", request_id=request_id)
        reply = ModelReply(text.strip())
        usage = answer.get("usage")
        if isinstance(usage, Mapping) and usage.get("type") == "tokens":
            why = "it is billed by the token, not by the second"
            return FateUnknown(FaultKind.NO_USAGE, why, reply, request_id=request_id)
        told = _seconds(usage.get("seconds")) if isinstance(usage, Mapping) else None
        if told is None:
            told = _seconds(answer.get("duration"))
        return Completed(reply, Usage(self._seconds if told is None else told), request_id)


def transcription_form(model: str, recording: Recording) -> Form:
    """The request's body; equal requests make equal bytes."""
    boundary = f"botrunner-{hashlib.sha256(recording.data).hexdigest()[:40]}"
    fields = {"model": model, "response_format": "verbose_json", "temperature": "0"}
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    parts.append(
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="voice.{recording.ending}"\r\n'
        f"Content-Type: {recording.media_type}\r\n\r\n"
    )
    body = "".join(parts).encode() + recording.data + f"\r\n--{boundary}--\r\n".encode()
    return Form(body, f"multipart/form-data; boundary={boundary}", recording.seconds)


def _seconds(value: object) -> int | None:
    """Whole seconds, rounded up; None where it is no length. Some servers write it as a text."""
    try:
        seconds = float(value) if isinstance(value, int | float | str) else math.nan
    except (ValueError, OverflowError):
        return None
    return math.ceil(seconds) if 0 <= seconds < math.inf and not isinstance(value, bool) else None


def _json(body: bytes | bytearray) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


async def _beginning(response: httpx2.Response) -> object:
    """What an error says, as JSON or as nothing; no more of it than anybody reads."""
    body = bytearray()
    async for data in response.aiter_bytes():
        body += data
        if len(body) > MOST_ERROR:
            return None
    return _json(body)
