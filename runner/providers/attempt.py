"""One attempt at a streamed answer, whatever the protocol.

    open ──▶ a refusal            ──▶ that outcome
         └─▶ a stream ──▶ reader  ──▶ the reader's outcome, also for what came before it broke off

Rules: it ends within its time and never raises for what the network or the server does; cancelled, it
closes the connection. What was heard by then decides: a stream whose final usage arrived is complete,
however it ended afterwards.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

import aiohttp
import httpx2

from runner.ports.outcomes import FateUnknown, FaultKind, NotRun, Outcome
from runner.providers import faults
from runner.providers.sse import DataLines

MOST_BYTES = 32 * 1024 * 1024
"""A stream that is longer is broken off; no model's output comes near."""
LONGEST_CONNECT_S = 10.0
LIMITS = httpx2.Limits(max_connections=1000, max_keepalive_connections=100, keepalive_expiry=20.0)
"""Of the shared connections. An idle one is kept for a while, to spare a chat a handshake a message, but not
for long: one that the server closes just then costs a whole hold."""
DRAIN_S = 0.1
"""How long the connection may take to end after the answer did, to be used again."""

Opened = httpx2.Response | NotRun | FateUnknown
Broken = tuple[FaultKind, str]


def timeouts(timeout_s: float) -> httpx2.Timeout:
    """How long each part may take: a connection is given up first, so that it is known that nothing ran."""
    connect_s = min(LONGEST_CONNECT_S, timeout_s * 0.8)
    return httpx2.Timeout(timeout_s, connect=connect_s, pool=connect_s)


class Cutter(Protocol):
    """Cuts the bytes of an answer into what a reader takes."""

    def feed(self, data: bytes) -> list[bytes]:
        """Take more bytes; returns what is whole now."""


class Reader(Protocol):
    """Understands one answer, event by event. Pure."""

    def feed(self, data: bytes) -> bool:
        """Take one piece, such as the value of a `data:` line; True: nothing more is wanted. May raise on nonsense."""

    def outcome(self, request_id: str, broken: Broken | None) -> Outcome:
        """What became of the call, given how its stream broke off, if it did."""


async def attempt(
    opening: Callable[[], Awaitable[Opened]],
    reader: Reader,
    timeout_s: float,
    cutter: Callable[[], Cutter] = DataLines,
) -> Outcome:
    """Make one attempt. `cutter` stands between the stream and its reader."""
    request_id = ""
    broken: Broken | None
    try:
        async with asyncio.timeout(timeout_s):
            opened = await opened_by(opening)
            if not isinstance(opened, httpx2.Response):
                return opened
            request_id = opened.headers.get("x-request-id") or opened.headers.get("request-id") or ""
            broken = await _read(opened, reader, cutter())
    except TimeoutError:
        broken = (FaultKind.TIMEOUT, "no whole answer in time")
    return reader.outcome(request_id, broken)


async def opened_by(opening: Callable[[], Awaitable[Opened]]) -> Opened:
    """Open the stream; the SDKs let some of what the connection says pass through unwrapped."""
    try:
        return await opening()
    except (aiohttp.ClientError, httpx2.HTTPError, OSError) as error:
        return faults.of_connection(error, timeout=False)


async def _read(response: httpx2.Response, reader: Reader, cutter: Cutter) -> Broken | None:
    """Feed the stream to the reader and close it."""
    try:
        return await _feed(response, reader, cutter)
    except httpx2.TimeoutException:
        return FaultKind.TIMEOUT, "the answer stopped coming"
    except (aiohttp.ClientError, httpx2.HTTPError, OSError) as error:
        return FaultKind.CUT, f"the stream broke off ({type(error).__name__})"
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        return FaultKind.CUT, f"the stream cannot be read ({type(error).__name__})"
    finally:
        await response.aclose()


async def _feed(response: httpx2.Response, reader: Reader, cutter: Cutter) -> Broken | None:
    size = 0
    stream = response.aiter_bytes()
    async for data in stream:
        size += len(data)
        if size > MOST_BYTES:
            return FaultKind.CUT, "the stream has no end"
        for piece in cutter.feed(data):
            if reader.feed(piece):
                await _drain(stream)
                return None
    return None


async def _drain(stream: AsyncIterator[bytes]) -> None:
    """Read what little may follow an answer's end, so that the connection can be used again."""
    try:
        async with asyncio.timeout(DRAIN_S):
            async for _ in stream:
                pass
    except (aiohttp.ClientError, httpx2.HTTPError, OSError):  # TimeoutError is one of the last
        return
