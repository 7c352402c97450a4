"""Webhook mode: Telegram posts each update to us, and we look now and then whether it still can.

    POST ─▶ secret token ─▶ parse ─▶ deliver ─▶ 200        401 forged        429, 503 not taken: comes again
    getMe ─▶ setWebhook ─▶ getWebhookInfo, each WATCH_S: another address? set again; a new error? degraded

Rules: 200 is said only when the message is durable. Telegram posts one update of a chat after the other and waits
for each 200, so order is kept, and the pictures of an album are messages of their own: to see the second we would
have to acknowledge the first. What cannot be read is acknowledged, counted and kept, or it would come for ever.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from math import ceil
from typing import Any

from adapters.contract import (
    ConnectionState,
    Deliver,
    Delivery,
    DeliveryState,
    Timer,
    WebhookRequest,
    WebhookResponse,
)
from adapters.errors import RefusedConnection, Unreachable, UnreadableUpdate
from adapters.signatures import same
from adapters.telegram import wire
from adapters.telegram.client import Client, Refused
from adapters.telegram.telling import ACKNOWLEDGED, Telling, Unreadable

WATCH_S = 60.0
_PROOF = "x-telegram-bot-api-secret-token"
_OVERLOADED = Delivery(DeliveryState.OVERLOADED, 1.0)


class Door:
    """Where Telegram's posts come in.

    Args:
        secret: the secret token that each post has to bring.
        deliver_s: how long a message may take to become durable before Telegram is asked to come again.

    Attributes:
        me: who the bot is; None until that is known: Telegram is asked to come again.
        forged: how many posts had no or a wrong secret token.
    """

    __slots__ = ("_deliver_s", "_secret", "_unreadable", "forged", "me")

    def __init__(self, secret: str, unreadable: Unreadable, deliver_s: float) -> None:
        self._secret = secret
        self._unreadable = unreadable
        self._deliver_s = deliver_s
        self.me: wire.Me | None = None
        self.forged = 0

    async def handle(self, request: WebhookRequest, deliver: Deliver) -> WebhookResponse:
        """Answer one post; see the drawing above."""
        if request.method.upper() != "POST":
            return _refusal(405, "POST only", {"Allow": "POST"})
        given = next((text for name, text in request.headers.items() if name.lower() == _PROOF), "")
        if not same(given, self._secret):
            self.forged += 1
            return _refusal(401, "the secret token is not this bot's")
        if self.me is None:
            return _come_again(_OVERLOADED)
        try:
            message = wire.parse(_update(request.body), self.me)
        except UnreadableUpdate:
            self._unreadable.note(request.body)
            return WebhookResponse(200)
        if message is None:
            return WebhookResponse(200)
        try:
            async with asyncio.timeout(self._deliver_s):
                delivery = await deliver(message)
        except TimeoutError:
            delivery = _OVERLOADED
        return WebhookResponse(200) if delivery.state in ACKNOWLEDGED else _come_again(delivery)


class WebhookWatch:
    """One life of a webhook: sets it, and looks after it.

    Args:
        url: where Telegram is to post.
        secret: what it is to bring with each post.
    """

    __slots__ = (
        "_client",
        "_door",
        "_error_at",
        "_is_set",
        "_odd",
        "_secret",
        "_telling",
        "_timer",
        "_unreadable",
        "_url",
    )

    def __init__(
        self,
        client: Client,
        timer: Timer,
        telling: Telling,
        door: Door,
        unreadable: Unreadable,
        url: str,
        secret: str,
    ) -> None:
        self._client = client
        self._timer = timer
        self._telling = telling
        self._door = door
        self._unreadable = unreadable
        self._url = url
        self._secret = secret
        self._is_set = False
        self._error_at: object = None
        self._odd = unreadable.count

    async def run(self) -> None:
        """Watch until cancelled. Raises RefusedConnection, and only that."""
        self._telling.tell(ConnectionState.CONNECTING)
        while True:
            try:
                await self._look()
            except RefusedConnection as error:
                self._telling.tell(ConnectionState.REFUSED, str(error))
                raise
            except (Unreachable, Refused) as error:
                await self._telling.wait_out(error)
            else:
                self._telling.works()
                await self._timer.sleep(WATCH_S)

    async def _look(self) -> None:
        if self._door.me is None:
            self._door.me = await self._client.introduce()
        info: Mapping[str, Any] = {}
        if self._is_set:
            info = await self._client.webhook()
            self._is_set = info.get("url") == self._url
            if not self._is_set:
                self._telling.tell(
                    ConnectionState.DEGRADED, "somebody else has set another webhook; ours is set again"
                )
        if not self._is_set:
            await self._client.set_webhook(self._url, self._secret)
            self._is_set = True
            info = await self._client.webhook()
            self._error_at = info.get("last_error_date")  # of another time
        self._judge(info)

    def _judge(self, info: Mapping[str, Any]) -> None:
        odd, self._odd = self._unreadable.count - self._odd, self._unreadable.count
        error_at, self._error_at = self._error_at, info.get("last_error_date")
        if self._error_at != error_at:
            why = self._client.scrub(str(info.get("last_error_message", "no reason given")))
            waiting = info.get("pending_update_count", "?")
            self._telling.tell(
                ConnectionState.DEGRADED,
                f"Telegram cannot deliver to {self._url}: {why}; {waiting} updates wait",
            )
        elif odd:
            self._telling.tell(ConnectionState.DEGRADED, f"{odd} updates could not be read")
        else:
            self._telling.tell(ConnectionState.UP)


def _update(body: bytes) -> dict[str, Any]:
    try:
        raw = json.loads(body)
    except (ValueError, RecursionError):
        raw = None
    if not isinstance(raw, dict):
        raise UnreadableUpdate("a post is no JSON object")
    return raw


def _come_again(delivery: Delivery) -> WebhookResponse:
    retry = {"Retry-After": str(max(1, ceil(delivery.retry_after_s)))}
    if delivery.state is DeliveryState.LIMITED:
        return _refusal(429, "Too Many Requests", retry)
    return _refusal(503, "not taken, come again", retry)


def _refusal(status: int, why: str, headers: Mapping[str, str] | None = None) -> WebhookResponse:
    return WebhookResponse(status, json.dumps({"error": {"message": why}}).encode(), headers=headers or {})
