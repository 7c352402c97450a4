"""One Discord bot against the fake server, for the fault tests: what was reported, what was delivered."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from adapters.contract import ConnectionState, Delivery, DeliveryState
from adapters.discord.adapter import DiscordAdapter
from adapters.discord.client import Patience
from adapters.discord.config import Config
from adapters.errors import RefusedConnection
from adapters.http import Shared
from adapters.messages import ChatKind, ChatRef, InboundMessage, OutboundMessage, SendResult
from adapters.testing.discord_server import DiscordServer
from adapters.testing.discord_state import Application
from adapters.testing.timer import QuickTimer

TOKEN = DiscordServer.token(4242)
SECRET = TOKEN.rpartition(".")[2]
PATIENT = Patience(interaction_s=20)
HASTY = Patience(connect_s=0.3, call_s=0.3, ready_s=0.3, interaction_s=0.3)
"""Only for tests whose point is that the time runs out."""


@dataclass
class Bot:
    server: DiscordServer
    application: Application
    adapter: DiscordAdapter
    timer: QuickTimer
    reports: list[tuple[ConnectionState, str]] = field(default_factory=list)
    delivered: list[InboundMessage] = field(default_factory=list)
    hook: Callable[[InboundMessage], Awaitable[Delivery]] | None = None
    refused: RefusedConnection | None = None

    @property
    def states(self) -> list[ConnectionState]:
        return [state for state, _ in self.reports]

    @property
    def heard(self) -> list[str]:
        return [message.text for message in self.delivered]

    def report(self, state: ConnectionState, why: str = "") -> None:
        self.reports.append((state, why))
        self.application.bell.ring()

    async def deliver(self, message: InboundMessage) -> Delivery:
        self.delivered.append(message)
        self.application.bell.ring()
        delivery = await self.hook(message) if self.hook else Delivery(DeliveryState.ACCEPTED)
        self.application.bell.ring()
        return delivery

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            await self.application.until(holds)

    async def reaches(self, *states: ConnectionState) -> None:
        """Wait until these states were reported in this order, others between them allowed."""

        def seen() -> bool:
            reported = iter(self.states)
            return all(state in reported for state in states)

        await self.until(seen)

    async def hears(self, *texts: str) -> None:
        await self.until(lambda: self.heard[-len(texts) :] == list(texts))

    async def run(self) -> None:
        try:
            await self.adapter.run(self.deliver, self.report)
        except RefusedConnection as error:
            self.refused = error
            self.application.bell.ring()

    async def send(
        self, text: str = "hi", chat: str = "700", key: str = "k", details: dict[str, Any] | None = None
    ) -> SendResult:
        chat_ref = ChatRef(chat, ChatKind.GROUP)
        return await self.adapter.send(OutboundMessage(key, chat_ref, text, "e", details or {}))


@asynccontextmanager
async def bot(
    *, running: bool = True, up: bool = True, patience: Patience = PATIENT, **config: object
) -> AsyncIterator[Bot]:
    """A bot; `up` False: the server is not listening yet."""
    server, timer = DiscordServer(), QuickTimer()
    await server.start()
    if not up:
        await server.stop()
    shared = Shared(timer, lambda: "id", chance=lambda: 0.0)
    raw = {"bot_token": TOKEN, "api_base_url": f"{server.url}/api/v10", "commands": False, **config}
    adapter = DiscordAdapter(Config.model_validate(raw), shared, patience)
    one = Bot(server, server.application(TOKEN), adapter, timer)
    one.application.channels["700"] = []
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one.run()) if running else None
            yield one
            if task is not None:
                task.cancel()
    finally:
        for _, why in one.reports:
            assert SECRET not in why
        await shared.close()
        await server.stop()
