"""Discord without a connection: it posts `/ask` and the other commands to our address, signed.

    POST ─▶ is it Discord? ─▶ is it recent? ─▶ PING: PONG
             401               401              command: deliver ─▶ a placeholder, once durable

Rules: the Ed25519 signature is over the timestamp and the body as raw as they came, and checked before anything
is read; Discord itself posts forged ones to see that. The time is Discord's own, so that a wrong clock here does
not shut everybody out; a replay within the window is known by the interaction's id. Each request is answered
within three seconds, and with a placeholder only where the message is durable.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from adapters.contract import (
    Capabilities,
    ConnectionState,
    Deliver,
    Fetched,
    NotFetched,
    Pressure,
    Report,
    WebhookRequest,
    WebhookResponse,
)
from adapters.discord import account, asking, files, wire
from adapters.discord.client import Client, Patience
from adapters.discord.config import Config
from adapters.discord.health import Health, Unreadable
from adapters.discord.sending import Outgoing
from adapters.errors import UnreadableUpdate
from adapters.http import Backoff, Shared
from adapters.messages import Attachment, ChatRef, OutboundMessage, SendResult

LONGEST_BODY = 1024 * 1024
LATEST_S = 300.0
"""How far a request's timestamp may be from Discord's time."""
_CAPABILITIES = replace(
    wire.CAPABILITIES, pressure=Pressure.REFUSE, shows_working=False, recalls=False, exclusive=False
)


class InteractionsAdapter:
    """One bot that Discord posts to. A `WebhookAdapter`.

    Attributes:
        unreadable: the interactions that could not be read.
    """

    __slots__ = ("_client", "_config", "_key", "_outgoing", "_patience", "_shared", "unreadable")

    def __init__(self, config: Config, shared: Shared, patience: Patience | None = None) -> None:
        self._config = config
        self._shared = shared
        self._patience = patience or Patience()
        self._client = Client(config, shared, self._patience)
        self._outgoing = Outgoing(self._client, shared.timer)
        self._key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(config.public_key or ""))
        self.unreadable = Unreadable()

    @property
    def capabilities(self) -> Capabilities:
        """What Discord can do, but for typing (the placeholder shows it) and for what was said without a command."""
        return _CAPABILITIES

    async def run(self, deliver: Deliver, report: Report) -> None:
        """Ask whose token it is, register the commands, then wait; raises RefusedConnection for a dead token."""
        health, backoff = Health(report), Backoff(self._shared.chance)
        health.tell(ConnectionState.CONNECTING)
        await account.login(self._client, self._shared.timer, backoff, health)
        if self._config.commands:
            health.trouble(await account.register(self._client, self._config))
        health.tell(ConnectionState.UP)
        await asyncio.Event().wait()

    async def send(self, message: OutboundMessage) -> SendResult:
        """Send one part. Raises nothing but cancellation."""
        return await self._outgoing.send(message)

    async def draft(self, message: OutboundMessage) -> None:
        """Show an answer while it grows. Raises nothing but cancellation."""
        await self._outgoing.draft(message)

    async def fetch(self, attachment: Attachment, max_bytes: int) -> Fetched | NotFetched:
        """Load an attachment of at most `max_bytes`; see `files`."""
        return await files.fetch(self._client, attachment, max_bytes)

    async def show_working(self, chat: ChatRef) -> None:
        """Nothing: the placeholder shows it."""

    async def who_am_i(self) -> str:
        """`name (id)`. Raises RefusedConnection, also where the portal's settings do not fit, or Unreachable."""
        return await account.described(self._client, self._config, self._shared.webhook_url("discord"))

    async def close(self) -> None:
        """Nothing: the session is everybody's."""

    async def handle(self, request: WebhookRequest, deliver: Deliver) -> WebhookResponse:
        """Answer one request; see the drawing above."""
        refused = self._refusal(request)
        if refused is not None:
            return refused
        try:
            raw = json.loads(request.body)
            kind = raw["type"]
            message = wire.parse_interaction(raw, self._config.account)
        except (UnreadableUpdate, KeyError, TypeError, ValueError, RecursionError):
            self.unreadable.keep(request.body[:4096])
            return _response(400, {"error": "this interaction cannot be read"})
        if message is None:
            return _response(200, asking.other(kind))
        acknowledged = self._outgoing.asked(message.event_id)
        try:
            return _response(200, await asking.take(message, deliver, self._patience.interaction_s))
        finally:
            acknowledged.set()

    def _refusal(self, request: WebhookRequest) -> WebhookResponse | None:
        """Why a request is not even read; None where it may be."""
        if request.method.upper() != "POST":
            return _response(405, {"error": "only POST"}, {"Allow": "POST"})
        if len(request.body) > LONGEST_BODY:
            return _response(413, {"error": f"the body may have {LONGEST_BODY} bytes"})
        headers = {name.lower(): value for name, value in request.headers.items()}
        stamp = headers.get("x-signature-timestamp", "")
        if not self._is_signed(headers.get("x-signature-ed25519", ""), stamp, request.body):
            return _response(401, {"error": "invalid request signature"})
        if not self._is_recent(stamp):
            return _response(401, {"error": "this request is too old"})
        return None

    def _is_signed(self, signature: str, stamp: str, body: bytes) -> bool:
        try:
            self._key.verify(bytes.fromhex(signature), stamp.encode() + body)
        except (InvalidSignature, ValueError):
            return False
        return True

    def _is_recent(self, stamp: str) -> bool:
        now = self._client.now_ms()
        try:
            return now is None or abs(now / 1000 - int(stamp)) <= LATEST_S
        except ValueError:
            return False


def _response(
    status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> WebhookResponse:
    return WebhookResponse(status, json.dumps(body, ensure_ascii=False).encode(), headers=headers or {})
