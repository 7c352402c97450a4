"""Anthropic, through its SDK.

Rules: the SDK brings the connection, the headers and the errors; the body is ours and the stream is read
raw. One request a call: no retries, no redirects. No credentials, address or tracing are taken from the
environment.
"""

from __future__ import annotations

from typing import cast

import anthropic
import httpx2

from runner.bots import Secret
from runner.clock import Clock
from runner.money.estimate import RequestSize
from runner.ports.dialogue import ModelRequest
from runner.ports.outcomes import Outcome
from runner.ports.provider import Hear, Prepared
from runner.providers import faults
from runner.providers.attempt import LIMITS, Opened, attempt, timeouts
from runner.providers.messages_reader import MessagesReader
from runner.providers.messages_wire import messages_body
from runner.providers.wording import with_limit, without_pictures

NO_KEY = "none"
"""Sent to servers that take any key; without it the SDK would look for one in the environment."""


def connections() -> httpx2.AsyncClient:
    """What all providers of this kind share: a pool of connections."""
    return anthropic.DefaultAioHttpClient(limits=LIMITS, follow_redirects=False)


class AnthropicProvider:
    """One server with one key. `http` is shared, and closed by whoever made it."""

    __slots__ = ("_client", "_clock", "_secret")

    def __init__(self, *, base_url: str, key: Secret | None, clock: Clock, http: httpx2.AsyncClient) -> None:
        self._clock = clock
        self._secret = key.reveal() if key else ""
        self._client = anthropic.AsyncAnthropic(
            api_key=self._secret or NO_KEY,
            base_url=base_url,
            max_retries=0,
            http_client=http,
            open_telemetry=False,
        )

    def prepare(self, request: ModelRequest) -> Prepared:
        """Serialise the request."""
        body = messages_body(request)
        text, pictures = without_pictures(body, request)
        size = RequestSize(
            text,
            messages=len(request.messages) + 1,
            images=pictures,
            anthropic_tools=bool(request.tools),
            cache_writes=request.cache.widest,
        )
        return Prepared(body, size)

    async def complete(
        self, prepared: Prepared, max_output_tokens: int, timeout_s: float, hear: Hear | None = None
    ) -> Outcome:
        """Make one attempt."""
        body = with_limit(prepared.body, "max_tokens", max_output_tokens)
        reader = MessagesReader(self._secret, hear)
        return await attempt(lambda: self._open(body, timeout_s), reader, timeout_s)

    async def close(self) -> None:
        """The connections are shared: nothing of its own to let go of."""

    async def _open(self, body: bytes, timeout_s: float) -> Opened:
        try:
            stream: object = await self._client.post(
                "/v1/messages",
                cast_to=httpx2.Response,
                content=body,
                options={"timeout": timeouts(timeout_s), "follow_redirects": False},
                stream=True,
                stream_cls=anthropic.AsyncStream[object],
            )
            return cast("httpx2.Response", stream)  # what `cast_to` asked for, whatever `stream_cls` says
        except anthropic.APIStatusError as error:
            response = error.response
            return faults.of_status(
                response.status_code,
                response.headers,
                error.body,
                now=self._clock.now_ms(),
                secret=self._secret,
            )
        except anthropic.APIConnectionError as error:
            return faults.of_connection(error, timeout=isinstance(error, anthropic.APITimeoutError))
