"""An OpenAI-compatible server through the openai SDK: connections, headers, errors.

Rules: the bodies are ours, and answers are handed out raw, because the SDK's own types cost ten times the
processor time. One request a call: no retries, no redirects. Nothing is taken from the environment.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping

import httpx2

from runner.bots import Secret
from runner.clock import Clock
from runner.lean import piecemeal
from runner.providers.attempt import LIMITS, Opened, timeouts
from runner.providers.sdk_answers import SdkErrors, opened

with piecemeal("openai.types"):  # 10 MiB and half of the SDK's import, for types that nobody here makes
    import openai

NO_KEY = "none"
"""Sent to servers that take any key; without it the SDK would take one from the environment."""


def connections() -> httpx2.AsyncClient:
    """What all providers of this kind share: a pool of connections."""
    return openai.DefaultAioHttpClient(limits=LIMITS, follow_redirects=False)


class OpenAIHttp:
    """One server with one key. `http` is shared, and closed by whoever made it."""

    __slots__ = ("_client", "_clock", "secret")

    def __init__(self, *, base_url: str, key: Secret | None, clock: Clock, http: httpx2.AsyncClient) -> None:
        self._clock = clock
        self.secret = key.reveal() if key else ""
        self._client = openai.AsyncOpenAI(
            api_key=self.secret or NO_KEY, base_url=base_url, max_retries=0, http_client=http
        )
        self._client.organization = self._client.project = None

    async def post(self, path: str, timeout_s: float, content: bytes) -> Opened:
        """Send JSON, and open the answer."""
        sending = self._client.post(
            path,
            cast_to=httpx2.Response,
            content=content,
            options={"timeout": timeouts(timeout_s), "follow_redirects": False},
            stream=True,
            stream_cls=openai.AsyncStream[object],
        )
        return await self._open(sending)

    async def get(self, path: str, timeout_s: float, params: Mapping[str, object] | None = None) -> Opened:
        """Open an answer. `params`: what follows the question mark."""
        sending = self._client.get(
            path,
            cast_to=httpx2.Response,
            options={"timeout": timeouts(timeout_s), "follow_redirects": False, "params": params or {}},
            stream=True,
            stream_cls=openai.AsyncStream[object],
        )
        return await self._open(sending)

    async def upload(self, purpose: str, name: str, data: bytes, timeout_s: float) -> Opened:
        """Send a file, and open the answer."""
        sending = self._client.post(
            "/files",
            cast_to=httpx2.Response,
            body={"purpose": purpose},
            files=[("file", (name, data, "application/jsonl"))],
            options={
                "timeout": timeouts(timeout_s),
                "follow_redirects": False,
                "headers": {"Content-Type": "multipart/form-data"},
            },
            stream=True,
            stream_cls=openai.AsyncStream[object],
        )
        return await self._open(sending)

    async def _open(self, sending: Awaitable[object]) -> Opened:
        errors = SdkErrors(openai.APIStatusError, openai.APIConnectionError, openai.APITimeoutError)
        return await opened(sending, errors, self._clock, self.secret)
