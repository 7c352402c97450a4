"""One Telegram bot against the fake server, for the fault tests: what was reported, what was delivered."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from adapters.contract import ConnectionState, Delivery, DeliveryState
from adapters.errors import RefusedConnection
from adapters.http import Shared
from adapters.messages import ChatKind, ChatRef, InboundMessage, OutboundMessage, SendResult
from adapters.telegram.adapter import TelegramAdapter
from adapters.telegram.client import Patience
from adapters.telegram.config import Config
from adapters.testing.telegram_server import TelegramServer
from adapters.testing.telegram_state import Account
from adapters.testing.timer import QuickTimer

TOKEN = "4242:AAfault_suite_token"
HASTY = Patience(connect_s=0.3, call_s=0.3, poll_grace_s=0.3)
"""Only for tests whose point is that the time runs out."""


@dataclass
class Bot:
    server: TelegramServer
    account: Account
    adapter: TelegramAdapter
    timer: QuickTimer
    reports: list[tuple[ConnectionState, str]] = field(default_factory=list)
    delivered: list[InboundMessage] = field(default_factory=list)
    hook: Callable[[InboundMessage], Awaitable[Delivery]] | None = None
    refused: RefusedConnection | None = None
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
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

    async def send(self, text: str = "hi", chat: str = "7", thread: str | None = None) -> SendResult:
        return await self.adapter.send(
            OutboundMessage("k", ChatRef(chat, ChatKind.DIRECT, thread), text, "e")
        )


@asynccontextmanager
async def bot(
    *, running: bool = True, up: bool = True, patience: Patience | None = None
) -> AsyncIterator[Bot]:
    """A bot; `up` False: the server is not listening yet."""
    server, timer = TelegramServer(), QuickTimer()
    await server.start()
    if not up:
        await server.stop()
    shared = Shared(timer, lambda: "id", chance=lambda: 0.0)
    config = Config.model_validate({"bot_token": TOKEN, "api_base_url": server.url, "poll_timeout_s": 1})
    one = Bot(server, server.account(TOKEN, "fault_bot"), TelegramAdapter(config, shared, patience), timer)
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one.run()) if running else None
            yield one
            if task is not None:
                task.cancel()
    finally:
        for _, why in one.reports:
            assert "AAfault" not in why
        await shared.close()
        await server.stop()
