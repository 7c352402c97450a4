"""One Slack bot against the fake server, for the fault tests: what was reported, what was delivered."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from adapters.contract import ConnectionState, Delivery, DeliveryState
from adapters.errors import RefusedConnection
from adapters.http import Shared
from adapters.messages import ChatKind, ChatRef, InboundMessage, OutboundMessage, SendResult
from adapters.slack.adapter import EventsAdapter, SlackAdapter
from adapters.slack.client import Patience
from adapters.slack.config import Config
from adapters.testing.slack_server import SlackServer
from adapters.testing.slack_state import Account
from adapters.testing.timer import QuickTimer

TOKEN, APP_TOKEN, SECRET = "xoxb-fault-suite", "xapp-fault-suite", "fault-suite-secret"
PATIENT = Patience(answer_s=20)
HASTY = Patience(call_s=0.3, hello_s=0.3, linger_s=0.3, answer_s=0.3)
"""Only for tests whose point is that the time runs out."""
NOW = 1_780_000_000.0
"""When the fake's messages are written; the bot's process began a while before."""


@dataclass
class Bot:
    server: SlackServer
    account: Account
    adapter: SlackAdapter
    timer: QuickTimer
    shared: Shared
    reports: list[tuple[ConnectionState, str]] = field(default_factory=list)
    delivered: list[InboundMessage] = field(default_factory=list)
    hook: Callable[[InboundMessage], Awaitable[Delivery]] | None = None
    refused: RefusedConnection | None = None
    bell: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def states(self) -> list[ConnectionState]:
        return [state for state, _ in self.reports]

    @property
    def events(self) -> EventsAdapter:
        assert isinstance(self.adapter, EventsAdapter)
        return self.adapter

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

    async def drained(self) -> None:
        async with asyncio.timeout(30):
            await self.account.drained()

    async def run(self) -> None:
        try:
            await self.adapter.run(self.deliver, self.report)
        except RefusedConnection as error:
            self.refused = error
            self.ring()

    async def send(
        self, text: str = "hi", chat: str = "D7", thread: str | None = None, key: str = "k", **details: object
    ) -> SendResult:
        return await self.adapter.send(answer(text, chat, thread, key, **details))

    async def draft(
        self, text: str, chat: str = "D7", thread: str | None = None, key: str = "k", after_s: float = 5.0
    ) -> None:
        """Show a draft, `after_s` after whatever was before."""
        await self.timer.sleep(after_s)
        await self.adapter.draft(answer(text, chat, thread, key))


def answer(
    text: str, chat: str = "D7", thread: str | None = None, key: str = "k", **details: object
) -> OutboundMessage:
    """An answer to something that U7 has just said."""
    kind = ChatKind.DIRECT if chat.startswith("D") else ChatKind.GROUP
    asked = {"ts": f"{NOW - 1:.6f}", "asker": "U7", "team": "T0FAKE", **details}
    return OutboundMessage(key, ChatRef(chat, kind, thread), text, "e", asked)


@asynccontextmanager
async def bot(
    *, running: bool = True, up: bool = True, events: bool = False, patience: Patience = PATIENT
) -> AsyncIterator[Bot]:
    """A bot; `up` False: the server is not listening yet."""
    server, timer = SlackServer(wall=lambda: NOW), QuickTimer()
    await server.start()
    account = server.account(TOKEN, APP_TOKEN, SECRET)
    account.retry_s = 30.0
    if not up:
        await server.stop()
    shared = Shared(timer, lambda: "id", chance=lambda: 0.0)
    raw = {"bot_token": TOKEN, "api_base_url": f"{server.url}/api/"}
    hours = itertools.chain([NOW - 3600], itertools.repeat(NOW))  # when it began, and since then
    make = EventsAdapter if events else SlackAdapter
    way = {"signing_secret": SECRET} if events else {"app_token": APP_TOKEN}
    adapter = make(Config.model_validate({**raw, **way}), shared, patience, lambda: next(hours))
    one = Bot(server, account, adapter, timer, shared)
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(one.run()) if running else None
            yield one
            if task is not None:
                task.cancel()
    finally:
        for _, why in one.reports:
            assert not {part for part in (TOKEN, APP_TOKEN, SECRET, "ticket") if part in why}
        await shared.close()
        await server.stop()
