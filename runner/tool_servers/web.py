"""The SDK's messages over streamable HTTP: a client of the server's own, with bounds.

Rules: the address is the operator's, so any may be called, private ones too; nothing is taken from the environment; an
answer is at most `LONGEST_ANSWER` bytes, and one that came compressed is not unpacked: what a server sends can fill no
memory. Redirects are followed to where the SDK follows them: within the same origin.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping

import httpx2

from runner.bots import Secret
from runner.tool_servers.link import Lost

LONGEST_ANSWER = 4 * 1024 * 1024
_TIMES = httpx2.Timeout(30.0, connect=10.0, read=300.0)
"""A stream of events may be silent for long; each call has its own limit besides."""
_KEPT_OUT = frozenset({401, 403})
_LIMITS = httpx2.Limits(max_connections=64, max_keepalive_connections=4)


def client_of(headers: Mapping[str, Secret], tls: ssl.SSLContext | None) -> httpx2.AsyncClient:
    """A client for one server; closed by who made it. `tls`: None where none is spoken."""
    verify = tls or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # an empty one trusts nobody, and costs nothing
    return httpx2.AsyncClient(
        headers={name: value.reveal() for name, value in headers.items()}
        | {"Accept-Encoding": "identity", "User-Agent": "botrunner"},
        timeout=_TIMES,
        transport=Bounded(httpx2.AsyncHTTPTransport(verify=verify, limits=_LIMITS, trust_env=False)),
        trust_env=False,
        verify=verify,
    )


class Bounded(httpx2.AsyncBaseTransport):
    """Another transport, whose answers are not endless; a stream of events is bounded by who reads it."""

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The answer, cut off where it is too long. Raises Lost where the key is not taken."""
        response = await self._inner.handle_async_request(request)
        if response.status_code in _KEPT_OUT:
            await response.aclose()
            raise Lost(f"it does not let this bot in (HTTP {response.status_code})")
        if response.headers.get("content-encoding", "identity") != "identity":
            await response.aclose()
            raise httpx2.DecodingError("an answer came compressed", request=request)
        if response.headers.get("content-type", "").startswith("text/event-stream"):
            return response
        assert isinstance(response.stream, httpx2.AsyncByteStream)  # noqa: S101 - an asynchronous transport's
        response.stream = _Counted(response.stream)
        return response

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


class _Counted(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The bytes, as far as they may go. Raises StreamError beyond: it costs the call, not the connection."""
        read = 0
        async for chunk in self._inner:
            read += len(chunk)
            if read > LONGEST_ANSWER:
                raise httpx2.StreamError(f"an answer of more than {LONGEST_ANSWER} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()
