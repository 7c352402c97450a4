"""The models of every OpenAI-compatible server, one streamed answer a call."""

from __future__ import annotations

import httpx2

from runner.bots import Secret
from runner.clock import Clock
from runner.money.estimate import RequestSize
from runner.money.prices import CacheWrites
from runner.ports.dialogue import ModelRequest
from runner.ports.outcomes import Outcome
from runner.ports.provider import Hear, Prepared
from runner.providers.attempt import attempt
from runner.providers.chat_reader import ChatReader
from runner.providers.chat_wire import chat_body
from runner.providers.dialects import Dialect, FindPrice
from runner.providers.openai_http import OpenAIHttp
from runner.providers.wording import with_limit, without_pictures


class OpenAIProvider:
    """One server with one key.

    `name` is its name in the catalogue, by which `find_price` knows it. `http` is shared, and closed by whoever
    made it.
    """

    __slots__ = ("_dialect", "_find_price", "_name", "_server")

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
        self._find_price = find_price
        self._server = OpenAIHttp(base_url=base_url, key=key, clock=clock, http=http)

    def prepare(self, request: ModelRequest) -> Prepared:
        """Serialise the request. The newest models write to their cache unasked, at a price: always bounded."""
        price = self._find_price(self._name, request.choice.model) if self._dialect.caps_price else None
        body, messages = chat_body(request, self._dialect, price)
        text, pictures = without_pictures(body, request)
        hour = self._dialect.marks_cache and request.cache.widest is CacheWrites.HOUR
        writes = CacheWrites.HOUR if hour else CacheWrites.MINUTES  # servers write without being asked, too
        return Prepared(body, RequestSize(text, messages, pictures, cache_writes=writes))

    async def complete(
        self, prepared: Prepared, max_output_tokens: int, timeout_s: float, hear: Hear | None = None
    ) -> Outcome:
        """Make one attempt."""
        body = with_limit(prepared.body, self._dialect.limit_field, max_output_tokens)
        reader = ChatReader(self._dialect, max_output_tokens, self._server.secret, hear)
        return await attempt(
            lambda: self._server.post("/chat/completions", timeout_s, body), reader, timeout_s
        )

    async def close(self) -> None:
        """The connections are shared: nothing of its own to let go of."""
