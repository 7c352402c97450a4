"""Every OpenAI-compatible server, through the openai SDK.

Rules: the SDK brings the connection, the headers and the errors; the body is ours, and the stream is read
raw, because the SDK's own types cost ten times the processor time. One request a call: no retries, no
redirects. Nothing is taken from the environment.
"""

from __future__ import annotations

from typing import cast

import httpx2

from runner.bots import Secret
from runner.clock import Clock
from runner.lean import piecemeal
from runner.money.estimate import RequestSize
from runner.money.prices import CacheWrites
from runner.ports.dialogue import ModelRequest
from runner.ports.outcomes import Outcome
from runner.ports.provider import Hear, Prepared
from runner.providers import faults
from runner.providers.attempt import LIMITS, Opened, attempt, timeouts
from runner.providers.chat_reader import ChatReader
from runner.providers.chat_wire import chat_body
from runner.providers.dialects import Dialect, FindPrice
from runner.providers.wording import with_limit, without_pictures

with piecemeal("openai.types"):  # 10 MiB and half of the SDK's import, for types that nobody here makes
    import openai

NO_KEY = "none"
"""Sent to servers that take any key; without it the SDK would take one from the environment."""


def connections() -> httpx2.AsyncClient:
    """What all providers of this kind share: a pool of connections."""
    return openai.DefaultAioHttpClient(limits=LIMITS, follow_redirects=False)


class OpenAIProvider:
    """One server with one key.

    `name` is its name in the catalogue, by which `find_price` knows it. `http` is shared, and closed by whoever
    made it.
    """

    __slots__ = ("_client", "_clock", "_dialect", "_find_price", "_name", "_secret")

    def __init__(
        self,
        *,
        name: str,
        dialect: Dialect,
        base_url: str,
        key: Secret | None,
        clock: Clock,
        find_price: FindPrice,
        http: httpx2.AsyncClient,
    ) -> None:
        self._name = name
        self._dialect = dialect
        self._clock = clock
        self._find_price = find_price
        self._secret = key.reveal() if key else ""
        self._client = openai.AsyncOpenAI(
            api_key=self._secret or NO_KEY, base_url=base_url, max_retries=0, http_client=http
        )
        self._client.organization = self._client.project = None

    def prepare(self, request: ModelRequest) -> Prepared:
        """Serialise the request. The newest models write to their cache unasked, at a price: always bounded."""
        price = self._find_price(self._name, request.choice.model) if self._dialect.caps_price else None
        body, messages = chat_body(request, self._dialect, price)
        text, pictures = without_pictures(body, request)
        return Prepared(body, RequestSize(text, messages, pictures, cache_writes=CacheWrites.MINUTES))

    async def complete(
        self, prepared: Prepared, max_output_tokens: int, timeout_s: float, hear: Hear | None = None
    ) -> Outcome:
        """Make one attempt."""
        body = with_limit(prepared.body, self._dialect.limit_field, max_output_tokens)
        reader = ChatReader(self._dialect, max_output_tokens, self._secret, hear)
        return await attempt(lambda: self._open(body, timeout_s), reader, timeout_s)

    async def close(self) -> None:
        """The connections are shared: nothing of its own to let go of."""

    async def _open(self, body: bytes, timeout_s: float) -> Opened:
        try:
            stream: object = await self._client.post(
                "/chat/completions",
                cast_to=httpx2.Response,
                content=body,
                options={"timeout": timeouts(timeout_s), "follow_redirects": False},
                stream=True,
                stream_cls=openai.AsyncStream[object],
            )
            return cast("httpx2.Response", stream)  # what `cast_to` asked for, whatever `stream_cls` says
        except openai.APIStatusError as error:
            response = error.response
            return faults.of_status(
                response.status_code,
                response.headers,
                error.body,
                now=self._clock.now_ms(),
                secret=self._secret,
            )
        except openai.APIConnectionError as error:
            return faults.of_connection(error, timeout=isinstance(error, openai.APITimeoutError))
