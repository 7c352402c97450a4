"""Anthropic's models, one streamed answer a call."""

from __future__ import annotations

import httpx2

from runner.bots import Secret
from runner.clock import Clock
from runner.money.estimate import RequestSize
from runner.ports.dialogue import ModelRequest
from runner.ports.outcomes import Outcome
from runner.ports.provider import Hear, Prepared
from runner.providers.anthropic_http import AnthropicHttp
from runner.providers.attempt import attempt
from runner.providers.messages_reader import MessagesReader
from runner.providers.messages_wire import messages_body
from runner.providers.wording import with_limit, without_pictures


class AnthropicProvider:
    """One server with one key. `http` is shared, and closed by whoever made it."""

    __slots__ = ("_server",)

    def __init__(self, *, base_url: str, key: Secret | None, clock: Clock, http: httpx2.AsyncClient) -> None:
        self._server = AnthropicHttp(base_url=base_url, key=key, clock=clock, http=http)

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
        reader = MessagesReader(self._server.secret, hear)
        return await attempt(lambda: self._server.post("/v1/messages", timeout_s, body), reader, timeout_s)

    async def close(self) -> None:
        """The connections are shared: nothing of its own to let go of."""
