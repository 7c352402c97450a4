"""Anthropic's server through its SDK: connections, headers, errors.

Rules: the bodies are ours, and answers are handed out raw. One request a call: no retries, no redirects. No
credentials, address or tracing are taken from the environment.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping

import anthropic
import httpx2

from runner.bots import Secret
from runner.clock import Clock
from runner.providers.attempt import LIMITS, Opened, timeouts
from runner.providers.sdk_answers import SdkErrors, opened

NO_KEY = "none"
"""Sent to servers that take any key; without it the SDK would look for one in the environment."""


def connections() -> httpx2.AsyncClient:
    """What all providers of this kind share: a pool of connections."""
    return anthropic.DefaultAioHttpClient(limits=LIMITS, follow_redirects=False)


class AnthropicHttp:
    """One server with one key. `http` is shared, and closed by whoever made it."""

    __slots__ = ("_client", "_clock", "secret")

    def __init__(self, *, base_url: str, key: Secret | None, clock: Clock, http: httpx2.AsyncClient) -> None:
        self._clock = clock
        self.secret = key.reveal() if key else ""
        self._client = anthropic.AsyncAnthropic(
            api_key=self.secret or NO_KEY,
            base_url=base_url,
            max_retries=0,
            http_client=http,
            open_telemetry=False,
        )

    async def post(self, path: str, timeout_s: float, content: bytes) -> Opened:
        """Send JSON, and open the answer."""
        sending = self._client.post(
            path,
            cast_to=httpx2.Response,
            content=content,
            options={"timeout": timeouts(timeout_s), "follow_redirects": False},
            stream=True,
            stream_cls=anthropic.AsyncStream[object],
        )
        return await self._open(sending)

    async def get(self, path: str, timeout_s: float, params: Mapping[str, object] | None = None) -> Opened:
        """Open an answer. `params`: what follows the question mark."""
        sending = self._client.get(
            path,
            cast_to=httpx2.Response,
            options={"timeout": timeouts(timeout_s), "follow_redirects": False, "params": params or {}},
            stream=True,
            stream_cls=anthropic.AsyncStream[object],
        )
        return await self._open(sending)

    async def _open(self, sending: Awaitable[object]) -> Opened:
        errors = SdkErrors(anthropic.APIStatusError, anthropic.APIConnectionError, anthropic.APITimeoutError)
        return await opened(sending, errors, self._clock, self.secret)
