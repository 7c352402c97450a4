"""Anthropic's Message Batches.

    succeeded                       Completed
    errored, canceled, expired      NotRun: the provider bills none of them

Rules: the lines' results are fetched from our own address for them, never from one that an answer names. A
batch keeps no mark of ours: after a submission that was cut off, what was made since then must be gone through.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import quote

import httpx2

from runner.bots import Secret
from runner.clock import Clock
from runner.ports.batch_server import BatchItem, NotTaken, RemoteBatch, RemoteState
from runner.ports.outcomes import FaultKind, NotRun, Outcome
from runner.providers import batch_calls
from runner.providers.anthropic_http import AnthropicHttp
from runner.providers.batch_calls import Limits, packed, unstreamed
from runner.providers.faults import tidy
from runner.providers.messages_reader import MessagesReader

PATH = "/v1/messages/batches"
MOST = Limits(lines=100_000, size=256_000_000)
STATES = {"canceling": RemoteState.CANCELING, "ended": RemoteState.ENDED}
ERRORS = {
    "api_error": FaultKind.SERVER,
    "overloaded_error": FaultKind.OVERLOADED,
    "rate_limit_error": FaultKind.RATE_LIMITED,
    "timeout_error": FaultKind.TIMEOUT,
}
"""The others are the request's own fault."""


class AnthropicBatches:
    """One server with one key. `http` is shared, and closed by whoever made it."""

    __slots__ = ("_server",)

    def __init__(self, *, base_url: str, key: Secret | None, clock: Clock, http: httpx2.AsyncClient) -> None:
        self._server = AnthropicHttp(base_url=base_url, key=key, clock=clock, http=http)

    async def submit(self, items: Sequence[BatchItem], mark: str, timeout_s: float) -> RemoteBatch | NotTaken:
        """Hand a whole batch in."""
        if unfit := batch_calls.unfit(items, MOST):
            return unfit
        body = await asyncio.to_thread(_submission, items)
        if too_large := batch_calls.too_large(body, MOST):
            return too_large
        return await batch_calls.ask_of_batch(
            lambda: self._server.post(PATH, timeout_s, body), timeout_s, remote_batch
        )

    async def look(self, batch_id: str, timeout_s: float) -> RemoteBatch | NotTaken:
        """How far it is. Its lines are counted as done all at once, when it has ended."""
        return await batch_calls.ask_of_batch(
            lambda: self._server.get(_path(batch_id), timeout_s), timeout_s, remote_batch
        )

    async def recent(self, since_ms: int, timeout_s: float) -> list[RemoteBatch] | NotTaken:
        """The batches made since then, the latest first."""
        return await batch_calls.recent(
            lambda params: lambda: self._server.get(PATH, timeout_s, params),
            "after_id",
            since_ms,
            timeout_s,
            remote_batch,
        )

    async def cancel(self, batch_id: str, timeout_s: float) -> RemoteBatch | NotTaken:
        """Ask it to stop."""
        path = f"{_path(batch_id)}/cancel"
        return await batch_calls.ask_of_batch(
            lambda: self._server.post(path, timeout_s, b"{}"), timeout_s, remote_batch
        )

    def results(self, batch_id: str, timeout_s: float) -> AsyncIterator[tuple[str, Outcome] | NotTaken]:
        """Each line's outcome; nothing of the network is waited for longer than `timeout_s`."""
        path = f"{_path(batch_id)}/results"
        read = partial(line_outcome, secret=self._server.secret)
        return batch_calls.results([lambda: self._server.get(path, timeout_s)], timeout_s, read)

    async def close(self) -> None:
        """The connections are shared: nothing of its own to let go of."""


def remote_batch(raw: Mapping[str, Any]) -> RemoteBatch:
    """A batch as Anthropic tells of it. Raises on nonsense."""
    counts: Mapping[str, int] = raw["request_counts"]
    failed = sum(int(counts[kind]) for kind in ("errored", "canceled", "expired"))
    done = int(counts["succeeded"])
    return RemoteBatch(
        id=_id(raw["id"]),
        state=STATES.get(raw["processing_status"], RemoteState.RUNNING),
        total=int(counts["processing"]) + done + failed,
        done=done,
        failed=failed,
        created_ms=round(datetime.fromisoformat(raw["created_at"]).timestamp() * 1000),
    )


def line_outcome(line: Mapping[str, Any], secret: str = "") -> Outcome:
    """What a line of results says. Raises on nonsense."""
    result: Mapping[str, Any] = line["result"]
    match result["type"]:
        case "succeeded":
            reader = MessagesReader(secret)
            reader.take_whole(result["message"])
            return reader.outcome("", None)
        case "errored":
            told: Mapping[str, Any] = result.get("error") or {}
            error: Mapping[str, Any] = told.get("error") or {}
            kind = ERRORS.get(str(error.get("type")), FaultKind.REJECTED)
            why = tidy(f"{error.get('type') or 'error'}: {error.get('message') or 'not said'}", secret)
            return NotRun(kind, why, request_id=str(told.get("request_id") or ""))
        case "canceled":
            return NotRun(FaultKind.REJECTED, "the batch was canceled before it was reached")
        case "expired":
            return NotRun(FaultKind.TIMEOUT, "it was not reached within the day")
        case other:
            raise ValueError(f"a result of type {other!r}")


def _submission(items: Sequence[BatchItem]) -> bytes:
    requests = [{"custom_id": item.custom_id, "params": unstreamed(item, "max_tokens", ())} for item in items]
    return packed({"requests": requests})


def _path(batch_id: str) -> str:
    return f"{PATH}/{quote(batch_id, safe='')}"


def _id(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a batch without an id")
    return value
