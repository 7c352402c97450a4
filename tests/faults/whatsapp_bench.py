"""One WhatsApp bot against the fake Cloud API, for the fault tests: what was reported, what was delivered."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from adapters.contract import ConnectionState, Delivery, DeliveryState, WebhookRequest, WebhookResponse
from adapters.errors import RefusedConnection
from adapters.http import Shared
from adapters.messages import ChatRef, InboundMessage, OutboundMessage, SendResult
from adapters.signatures import sha256_hex
from adapters.testing.timer import QuickTimer
from adapters.testing.whatsapp_server import WhatsAppServer
from adapters.testing.whatsapp_state import Number
from adapters.whatsapp.adapter import WhatsAppAdapter
from adapters.whatsapp.client import Patience
from adapters.whatsapp.config import Config
from tests.contract.whatsapp_world import Entrance

ID = "106540352242922"
TOKEN = "EAAfault_suite_token"
APP_SECRET = "fau1tfau1tfau1t"
VERIFY_TOKEN = "verify-fault"
HASTY = Patience(connect_s=0.3, call_s=0.3, fate_s=0.2, deliver_s=0.3)
"""Only for tests whose point is that the time runs out."""
PROBING = Patience(probe_s=0.05)
"""Looks all the time whether the credentials hold."""
USER = "491701234567"


@dataclass
class Bot:
    server: WhatsAppServer
    number: Number
    adapter: WhatsAppAdapter
    timer: QuickTimer
    url: str
    reports: list[tuple[ConnectionState, str]] = field(default_factory=list)
    delivered: list[InboundMessage] = field(default_factory=list)
    hook: Callable[[InboundMessage], Awaitable[Delivery]] | None = None
    refused: RefusedConnection | None = None
    bell: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def states(self) -> list[ConnectionState]:
        return [state for state, _ in self.reports]

    def ring(self) -> None:
        self.bell.set()
        self.bell = asyncio.Event()

    def report(self, state: ConnectionState, why: str = "") -> None:
        self.reports.append((state, why))
        self.ring()

    async def deliver(self, message: InboundMessage) -> Delivery:
        self.delivered.append(message)
        self.ring()
        return await self.hook(message) if self.hook else Delivery(DeliveryState.ACCEPTED)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not holds():
                await self.bell.wait()

    async def reaches(self, *states: ConnectionState) -> None:
        """Wait until these states were reported in this order, others between them allowed."""

        def seen() -> bool:
            reported = iter(self.states)
            return all(state in reported for state in states)

        await self.until(seen)

    async def hears(self, *texts: str) -> None:
        await self.until(lambda: [message.text for message in self.delivered][-len(texts) :] == list(texts))

    async def run(self) -> None:
        try:
            await self.adapter.run(self.deliver, self.report)
        except RefusedConnection as error:
            self.refused = error
            self.ring()

    async def send(self, text: str = "hi", to: str = USER, key: str = "t1.0", **details: Any) -> SendResult:
        return await self.adapter.send(OutboundMessage(key, ChatRef(to), text, "e", details))

    async def post(self, raw: object, signature: str | None = None) -> WebhookResponse:
        """Post a webhook by hand, well signed where no signature is given."""
        body = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
        signed = f"sha256={sha256_hex(APP_SECRET, body)}" if signature is None else signature
        headers = {"X-Hub-Signature-256": signed}
        return await self.adapter.handle(WebhookRequest("POST", headers, body), self.deliver)

    def webhook(self, *texts: str, user: str = USER) -> dict[str, Any]:
        """A webhook with these messages in it."""
        for text in texts:
            self.number.say(text, user=user)
        self.number.batch = len(texts)
        events, raw = self.number.next_webhook()
        for event in events:
            self.number.waiting.remove(event)
        return raw


@asynccontextmanager
async def bot(
    *, running: bool = True, up: bool = True, subscribed: bool = False, patience: Patience | None = None
) -> AsyncIterator[Bot]:
    """A bot; `up` False: Meta cannot be reached yet; `subscribed`: its webhook is known there."""
    server, timer, entrance = WhatsAppServer(retry_s=0.01), QuickTimer(), Entrance()
    await server.start()
    if not up:
        await server.stop()
    await entrance.start()
    shared = Shared(timer, lambda: "id", chance=lambda: 0.0)
    config = Config.model_validate(
        {
            "phone_number_id": ID,
            "access_token": TOKEN,
            "app_secret": APP_SECRET,
            "verify_token": VERIFY_TOKEN,
            "api_base_url": server.url,
        }
    )
    number = server.number(ID, TOKEN, APP_SECRET, VERIFY_TOKEN)
    one = Bot(server, number, WhatsAppAdapter(config, shared, patience), timer, entrance.url)
    entrance.adapter, entrance.deliver = one.adapter, one.deliver
    if subscribed:
        await server.subscribe(number, entrance.url)
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one.run()) if running else None
            yield one
            if task is not None:
                task.cancel()
    finally:
        for _, why in one.reports:
            assert TOKEN not in why
            assert APP_SECRET not in why
        await server.stop()
        await entrance.stop()
        await shared.close()
