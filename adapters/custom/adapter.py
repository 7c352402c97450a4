"""The custom platform: each request waits for the answer to its own message, or has it posted to `reply_url`.

    POST ─▶ who is it? ─▶ parse ─▶ wait for this id ─▶ deliver ─▶ … send(answer) … ─▶ 200, or events
             401 403       400      503 too many        429 503     not in time:      504 ask again
                              with a `reply_url`  ─▶ deliver ─▶ 202   … send(answer) … ─▶ POST reply_url

Rules: the wait is registered before the message is delivered, so that no answer can come too early. Requests
with one id get one answer. A client that goes away loses nothing: the answer is stored, and whoever asks
again with the same id gets it (`DeliveryState.DUPLICATE`). Nothing here grows without a limit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
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
from adapters.custom import events, wire
from adapters.custom.config import Config
from adapters.custom.replies import Patience, Replies
from adapters.custom.waiting import Waiting
from adapters.http import Shared
from adapters.messages import ChatRef, InboundMessage, OutboundMessage, SendResult, Sent
from adapters.signatures import is_signed, same

MOST_WAITING = 10_000
_SIGNATURES = ("x-signature-256", "x-hub-signature-256", "x-signature")


def build(config: Config, shared: Shared) -> CustomAdapter:
    """What the registry calls."""
    return CustomAdapter(config, shared)


class CustomAdapter:
    """A bot that is reached by HTTP. A `WebhookAdapter` and a `DraftingAdapter`.

    Args:
        most_waiting: the most requests that may wait at once; one more is answered 503.
    """

    __slots__ = ("_config", "_replies", "_shared", "_waiting")

    def __init__(
        self,
        config: Config,
        shared: Shared,
        most_waiting: int = MOST_WAITING,
        patience: Patience | None = None,
    ) -> None:
        self._config = config
        self._shared = shared
        self._waiting = Waiting(most_waiting)
        secret = config.secret.get_secret_value() if config.secret is not None else ""
        self._replies = (
            None
            if config.reply_url is None
            else Replies(config.reply_url, secret, shared, patience or Patience())
        )

    @property
    def capabilities(self) -> Capabilities:
        """Answers are collected, or posted; the pace is the caller's."""
        return wire.CAPABILITIES if self._replies is None else wire.POSTING

    async def run(self, deliver: Deliver, report: Report) -> None:
        """There is no connection to hold: up, until cancelled."""
        report(ConnectionState.UP)
        await asyncio.Event().wait()

    async def send(self, message: OutboundMessage) -> SendResult:
        """Post the answer, or hand it to all who wait for it; there may be nobody."""
        if self._replies is not None:
            return await self._replies.post(message)
        self._waiting.answered(message)
        return Sent(message.in_reply_to)

    async def draft(self, message: OutboundMessage) -> None:
        """Show whoever reads events what there is of an answer."""
        self._waiting.drafted(message)

    async def show_working(self, chat: ChatRef) -> None:
        """Nothing: the open request shows it."""

    async def who_am_i(self) -> str:
        """There are no credentials to ask about."""
        posts = ", posting its answers" if self._replies is not None else ""
        return f"custom, with a secret{posts}" if self._config.secret else "custom, for this machine only"

    async def close(self) -> None:
        """Let those who wait go; what they asked is stored and may be asked again."""
        self._waiting.let_go()

    async def handle(self, request: WebhookRequest, deliver: Deliver) -> WebhookResponse:
        """Answer one request; see the drawing above."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        refused = self._refusal(request, headers)
        if refused is not None:
            return refused
        streamed = self._replies is None and events.wanted(headers.get("accept", ""))
        parsed = wire.parse(request.body, headers.get("idempotency-key"), self._shared.new_id, live=streamed)
        if not isinstance(parsed, InboundMessage):
            return wire.refusal(400, "invalid", "the body has faults", parsed)
        if self._replies is not None:
            return _refused(await deliver(parsed)) or wire.accepted(parsed.event_id)
        if self._waiting.is_full:
            return wire.refusal(503, "overloaded", headers={"Retry-After": "1"})
        return await self._ask(parsed, deliver, streamed=streamed)

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

    async def _ask(self, message: InboundMessage, deliver: Deliver, *, streamed: bool) -> WebhookResponse:
        event, timeout_s = message.event_id, self._config.answer_timeout_s
        with ExitStack() as place:
            waiter = place.enter_context(self._waiting.waiter(event))
            refused = _refused(await deliver(message))
            if refused is not None:
                return refused
            if streamed:
                return events.response(event, waiter, place.pop_all(), timeout_s)
            await asyncio.wait((waiter.answer,), timeout=timeout_s)
            if waiter.answer.done() and not waiter.answer.cancelled():
                return wire.answer(event, waiter.answer.result())
            return _pending(event)


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
