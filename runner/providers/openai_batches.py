"""The batches of OpenAI, and of servers that have the same.

    a file of lines is uploaded ──▶ a batch is made of it ──▶ a file of answers, and one of errors

    an answer with status 200                       Completed
    an answer with another status                   as `runner.providers.faults` says
    error batch_expired, batch_cancelled            NotRun
    any other error                                 FateUnknown

Rules: only the second call makes a batch: whatever comes of the first, none was made. A batch keeps the mark of
its submission in its metadata.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any
from urllib.parse import quote

import httpx2

from runner.bots import Secret
from runner.clock import Clock, UnixMs
from runner.ports.batch_server import BatchItem, NotTaken, RemoteBatch, RemoteState
from runner.ports.outcomes import FateUnknown, FaultKind, NotRun, Outcome
from runner.providers import batch_calls, faults
from runner.providers.batch_calls import AGAIN_S, Limits, Opening, packed, unstreamed
from runner.providers.chat_reader import ChatReader
from runner.providers.dialects import Dialect
from runner.providers.openai_http import OpenAIHttp

ENDPOINT = "/v1/chat/completions"
MARK = "botrunner"
MOST = Limits(lines=50_000, size=200_000_000)
LEFT_OUT = ("stream_options", "service_tier")
"""What goes with a stream, and the tier: a batch is a tier of its own."""
ENDED = RemoteState.ENDED
STATES = {
    "cancelling": RemoteState.CANCELING,
    "completed": ENDED,
    "expired": ENDED,
    "cancelled": ENDED,
    "failed": RemoteState.FAILED,
}
NEVER_RAN = {
    "batch_expired": (FaultKind.TIMEOUT, "it was not reached within the day"),
    "batch_cancelled": (FaultKind.REJECTED, "the batch was canceled before it was reached"),
}
OK = 200
FILES = ("output_file_id", "error_file_id")


class OpenAIBatches:
    """One server with one key. `http` is shared, and closed by whoever made it."""

    __slots__ = ("_clock", "_dialect", "_server")

    def __init__(
        self, *, dialect: Dialect, base_url: str, key: Secret | None, clock: Clock, http: httpx2.AsyncClient
    ) -> None:
        self._clock = clock
        self._dialect = dialect
        self._server = OpenAIHttp(base_url=base_url, key=key, clock=clock, http=http)

    async def submit(self, items: Sequence[BatchItem], mark: str, timeout_s: float) -> RemoteBatch | NotTaken:
        """Hand a whole batch in."""
        until = self._clock.monotonic() + timeout_s
        if unfit := batch_calls.unfit(items, MOST):
            return unfit
        data = await asyncio.to_thread(_file, items, self._dialect.limit_field)
        if too_large := batch_calls.too_large(data, MOST):
            return too_large
        file_id = await self._upload(data, timeout_s)
        left_s = until - self._clock.monotonic()
        if isinstance(file_id, NotTaken):
            return file_id
        if left_s <= 0:
            return NotTaken("no answer in time", certain=True, again_s=AGAIN_S)
        body = packed(
            {
                "input_file_id": file_id,
                "endpoint": ENDPOINT,
                "completion_window": "24h",
                "metadata": {MARK: mark},
            }
        )
        return await batch_calls.ask_of_batch(
            lambda: self._server.post("/batches", left_s, body), left_s, self._read
        )

    async def look(self, batch_id: str, timeout_s: float) -> RemoteBatch | NotTaken:
        """How far it is."""
        return await batch_calls.ask_of_batch(self._looking(batch_id, timeout_s), timeout_s, self._read)

    async def recent(self, since_ms: int, timeout_s: float) -> list[RemoteBatch] | NotTaken:
        """The batches made since then, the latest first; the server tells whole seconds."""
        return await batch_calls.recent(
            lambda params: lambda: self._server.get("/batches", timeout_s, params),
            "after",
            since_ms - since_ms % 1000,
            timeout_s,
            self._read,
        )

    async def cancel(self, batch_id: str, timeout_s: float) -> RemoteBatch | NotTaken:
        """Ask it to stop."""
        path = f"{_path(batch_id)}/cancel"
        return await batch_calls.ask_of_batch(
            lambda: self._server.post(path, timeout_s, b"{}"), timeout_s, self._read
        )

    async def results(self, batch_id: str, timeout_s: float) -> AsyncIterator[tuple[str, Outcome] | NotTaken]:
        """Each line's outcome; nothing of the network is waited for longer than `timeout_s`."""
        batch = await batch_calls.ask(self._looking(batch_id, timeout_s), timeout_s)
        if isinstance(batch, NotTaken):
            yield batch
            return
        if STATES.get(str(batch.get("status"))) not in (ENDED, RemoteState.FAILED):
            yield NotTaken("it has not ended", certain=True, again_s=AGAIN_S)
            return
        files = [quote(name, safe="") for field in FILES if isinstance(name := batch.get(field), str)]
        openings = [partial(self._server.get, f"/files/{name}/content", timeout_s) for name in files]
        read = partial(line_outcome, dialect=self._dialect, secret=self._server.secret)
        async with aclosing(batch_calls.results(openings, timeout_s, read)) as lines:
            async for told in lines:
                yield told

    async def close(self) -> None:
        """The connections are shared: nothing of its own to let go of."""

    async def _upload(self, data: bytes, timeout_s: float) -> str | NotTaken:
        """The id of the file that was made of the lines. No batch is made by that."""
        answer = await batch_calls.ask(
            lambda: self._server.upload("batch", "batch.jsonl", data, timeout_s), timeout_s
        )
        if isinstance(answer, NotTaken):
            return batch_calls.made_for_certain_not(answer)
        file_id = answer.get("id")
        if not isinstance(file_id, str):
            return NotTaken("the answer tells of no file", certain=True, again_s=AGAIN_S)
        return file_id

    def _looking(self, batch_id: str, timeout_s: float) -> Opening:
        return lambda: self._server.get(_path(batch_id), timeout_s)

    def _read(self, raw: Mapping[str, Any]) -> RemoteBatch:
        return remote_batch(raw, self._server.secret)


def remote_batch(raw: Mapping[str, Any], secret: str = "") -> RemoteBatch:
    """A batch as OpenAI tells of it. Raises on nonsense."""
    counts: Mapping[str, Any] = raw.get("request_counts") or {}
    batch_id = raw["id"]
    if not isinstance(batch_id, str) or not batch_id:
        raise ValueError("a batch without an id")
    state = STATES.get(raw["status"], RemoteState.RUNNING)
    done = int(counts.get("completed") or 0)
    if state is RemoteState.FAILED and (done or any(raw.get(field) for field in FILES)):
        state = ENDED  # it failed on the way: some lines ran
    return RemoteBatch(
        id=batch_id,
        state=state,
        total=int(counts.get("total") or 0),
        done=done,
        failed=int(counts.get("failed") or 0),
        created_ms=int(raw["created_at"]) * 1000,
        ours=str((raw.get("metadata") or {}).get(MARK) or ""),
        why=_why(raw, secret),
    )


def line_outcome(line: Mapping[str, Any], dialect: Dialect, secret: str = "") -> Outcome:
    """What a line of either file says. Raises on nonsense."""
    error = line.get("error")
    if error:
        code = str(error.get("code"))
        if never := NEVER_RAN.get(code):
            return NotRun(*never)
        why = faults.tidy(f"{code}: {error.get('message') or 'not said'}", secret)
        return FateUnknown(FaultKind.SERVER, why)
    response: Mapping[str, Any] = line["response"]
    status, body = int(response["status_code"]), response["body"]
    request_id = str(response.get("request_id") or "")
    if status != OK:
        return faults.of_status(status, {"x-request-id": request_id}, body, now=UnixMs(0), secret=secret)
    reader = ChatReader(dialect, limit=0, secret=secret)
    reader.take(body)
    return reader.outcome(request_id, None)


def _why(raw: Mapping[str, Any], secret: str) -> str:
    """What its errors say, or the word for how it ended where it did not end well."""
    errors = (raw.get("errors") or {}).get("data") or ()
    said = "; ".join(str(error.get("message")) for error in errors)
    status = str(raw["status"])
    return faults.tidy(said, secret) or (status if status in ("expired", "cancelled", "failed") else "")


def _file(items: Sequence[BatchItem], limit_field: str) -> bytes:
    """The lines, as a file of them."""
    lines = (
        {
            "custom_id": item.custom_id,
            "method": "POST",
            "url": ENDPOINT,
            "body": unstreamed(item, limit_field, LEFT_OUT),
        }
        for item in items
    )
    return b"".join(packed(line) + b"\n" for line in lines)


def _path(batch_id: str) -> str:
    return f"/batches/{quote(batch_id, safe='')}"
