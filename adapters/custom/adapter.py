"""The custom platform: each request waits for the answer to its own message.

    POST ─▶ who is it? ─▶ parse ─▶ wait for this id ─▶ deliver ─▶ … send(answer) … ─▶ 200
             401 403       400      503 too many        429 503     not in time:      504 ask again

Rules: the wait is registered before the message is delivered, so that no answer can come too early. Requests
with one id get one answer. A client that goes away loses nothing: the answer is stored, and whoever asks
again with the same id gets it (`DeliveryState.DUPLICATE`). Nothing here grows without a limit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from math import ceil

from adapters.contract import (
    Capabilities,
    ConnectionState,
    Deliver,
    Delivery,
    DeliveryState,
    Report,
    WebhookRequest,
    WebhookResponse,
)
from adapters.custom import wire
from adapters.custom.config import Config
from adapters.http import Shared
from adapters.messages import ChatRef, InboundMessage, OutboundMessage, SendResult, Sent
from adapters.signatures import is_signed, same

MOST_WAITING = 10_000
_SIGNATURES = ("x-signature-256", "x-hub-signature-256", "x-signature")


def build(config: Config, shared: Shared) -> CustomAdapter:
    """What the registry calls."""
    return CustomAdapter(config, shared)


class CustomAdapter:
    """A bot that is reached by HTTP. A `WebhookAdapter`.

    Args:
        most_waiting: the most requests that may wait at once; one more is answered 503.
    """

    __slots__ = ("_config", "_shared", "_waiting", "_waiting_count", "most_waiting")

    def __init__(self, config: Config, shared: Shared, most_waiting: int = MOST_WAITING) -> None:
        self._config = config
        self._shared = shared
        self._waiting: dict[str, set[asyncio.Future[OutboundMessage]]] = {}
        self._waiting_count = 0
        self.most_waiting = most_waiting

    @property
    def capabilities(self) -> Capabilities:
        """Answers are collected; the pace is the caller's."""
        return wire.CAPABILITIES

    async def run(self, deliver: Deliver, report: Report) -> None:
        """There is no connection to hold: up, until cancelled."""
        report(ConnectionState.UP)
        await asyncio.Event().wait()

    async def send(self, message: OutboundMessage) -> SendResult:
        """Hand the answer to all who wait for it; there may be nobody."""
        event = message.in_reply_to
        for future in self._waiting.get(event, ()) if event is not None else ():
            if not future.done():
                future.set_result(message)
        return Sent(event)

    async def show_working(self, chat: ChatRef) -> None:
        """Nothing: the open request shows it."""

    async def who_am_i(self) -> str:
        """There are no credentials to ask about."""
        return "custom, with a secret" if self._config.secret else "custom, for this machine only"

    async def close(self) -> None:
        """Let those who wait go; what they asked is stored and may be asked again."""
        for future in [future for futures in self._waiting.values() for future in futures]:
            future.cancel()

    async def handle(self, request: WebhookRequest, deliver: Deliver) -> WebhookResponse:
        """Answer one request; see the drawing above."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        refused = self._refusal(request, headers)
        if refused is not None:
            return refused
        parsed = wire.parse(request.body, headers.get("idempotency-key"), self._shared.new_id)
        if not isinstance(parsed, InboundMessage):
            return wire.refusal(400, "invalid", "the body has faults", parsed)
        if self._waiting_count >= self.most_waiting:
            return wire.refusal(503, "overloaded", headers={"Retry-After": "1"})
        return await self._ask(parsed, deliver)

    def _refusal(self, request: WebhookRequest, headers: Mapping[str, str]) -> WebhookResponse | None:
        """Why a request is not even read; None where it may be."""
        if request.method.upper() != "POST":
            return wire.refusal(405, "method_not_allowed", headers={"Allow": "POST"})
        if len(request.body) > wire.LONGEST_BODY:
            return wire.refusal(413, "too_large", f"the body may have {wire.LONGEST_BODY} bytes")
        if self._config.secret is None:
            if not request.peer_is_loopback:
                return wire.refusal(
                    403, "loopback_only", "a bot without a secret serves its own machine only"
                )
        elif not _proves(self._config.secret.get_secret_value(), headers, request.body):
            return wire.refusal(
                401,
                "unauthorized",
                "send the bot's secret as a bearer token, or the body's HMAC-SHA256 in X-Signature-256",
                headers={"WWW-Authenticate": "Bearer"},
            )
        # A browser may post a form or plain text to anywhere unasked, JSON only after asking: CSRF ends here.
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return wire.refusal(415, "not_json", "the content type must be application/json")
        return None

    async def _ask(self, message: InboundMessage, deliver: Deliver) -> WebhookResponse:
        event = message.event_id
        future: asyncio.Future[OutboundMessage] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(event, set()).add(future)
        self._waiting_count += 1
        try:
            refused = _refused(await deliver(message))
            if refused is not None:
                return refused
            await asyncio.wait((future,), timeout=self._config.answer_timeout_s)
            if future.done() and not future.cancelled():
                return wire.answer(event, future.result())
            return _pending(event)
        finally:
            self._waiting_count -= 1
            self._waiting[event].discard(future)
            if not self._waiting[event]:
                del self._waiting[event]


def _proves(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and same(token.strip(), secret):
        return True
    return any(name in headers and is_signed(secret, body, headers[name]) for name in _SIGNATURES)


def _refused(delivery: Delivery) -> WebhookResponse | None:
    retry = {"Retry-After": str(max(1, ceil(delivery.retry_after_s)))}
    match delivery.state:
        case DeliveryState.ACCEPTED | DeliveryState.DUPLICATE:
            return None
        case DeliveryState.IGNORED:
            return wire.refusal(403, "not_allowed", "this bot does not answer this user")
        case DeliveryState.LIMITED:
            return wire.refusal(429, "rate_limited", "Too Many Requests", headers=retry)
        case DeliveryState.OVERLOADED:
            return wire.refusal(503, "overloaded", headers=retry)


def _pending(event_id: str) -> WebhookResponse:
    return wire.refusal(
        504,
        "pending",
        f"the answer is not ready; ask again with the same message_id: {event_id}",
        headers={"Retry-After": "1"},
    )
