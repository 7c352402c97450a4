"""A world for each adapter: its platform as a fake on a real socket, and a user on it.

Another platform joins the contract suite with one class here and one line in WORLDS.
"""

import asyncio
import itertools
from collections.abc import Callable
from typing import Any, Protocol, Self

import aiohttp
from aiohttp import web

from adapters.contract import Adapter, Deliver, WebhookAdapter, WebhookRequest
from adapters.http import Shared
from adapters.registry import build, config_model
from adapters.testing.telegram_server import TelegramServer
from adapters.testing.timer import QuickTimer
from tests.contract.custom_posting_world import CustomPostingWorld
from tests.contract.discord_world import DiscordWorld
from tests.contract.slack_world import SlackEventsWorld, SlackWorld
from tests.contract.telegram_webhook_world import TelegramWebhookWorld
from tests.contract.whatsapp_world import WhatsAppWorld


class World(Protocol):
    """What the suite needs of a platform. `stubborn`: its sends succeed even with the platform away."""

    platform: str
    secret: str
    stubborn: bool
    adapter: Adapter

    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *_: object) -> None: ...
    def connect(self) -> Adapter:
        """A new adapter, as after a restart of the daemon."""

    def serve(self, deliver: Deliver) -> None:
        """Where messages that come by HTTP go."""

    def say(self, text: str, user: int = 7) -> None:
        """Let a user write; the platform brings it until it is acknowledged."""

    async def heard(self, count: int) -> list[str]:
        """The answers that users have, as soon as there are that many."""

    async def acknowledged(self) -> None:
        """As soon as the platform will bring nothing again."""

    async def stop(self) -> None:
        """Let the platform go away."""


def shared() -> Shared:
    number = itertools.count(1)
    return Shared(QuickTimer(), lambda: f"made-{next(number)}", chance=lambda: 0.5)


class TelegramWorld:
    platform = "telegram"
    secret = "42:AAE-contract_suite"
    stubborn = False

    async def __aenter__(self) -> Self:
        self._shared = shared()
        self._server = TelegramServer()
        await self._server.start()
        self._account = self._server.account(self.secret)
        self.adapter = self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._shared.close()
        await self._server.stop()

    def connect(self) -> Adapter:
        raw = {"bot_token": self.secret, "api_base_url": self._server.url, "poll_timeout_s": 1}
        self.adapter = build(self.platform, config_model(self.platform)(**raw), self._shared)
        return self.adapter

    def serve(self, deliver: Deliver) -> None:
        """Nothing comes by HTTP."""

    def say(self, text: str, user: int = 7) -> None:
        self._account.say(text, user_id=user)

    async def heard(self, count: int) -> list[str]:
        return [message.text for message in await self._account.replies(count)]

    async def acknowledged(self) -> None:
        await self._account.drained()

    async def stop(self) -> None:
        await self._server.stop()


class CustomWorld:
    """The user is a program that asks again, with the same id, until it has its answer."""

    platform = "custom"
    secret = "a contract suite's secret"
    stubborn = True

    async def __aenter__(self) -> Self:
        self._shared = shared()
        self._deliver: Deliver | None = None
        self._answers: list[str] = []
        self._changed = asyncio.Condition()
        self._number = itertools.count(1)
        self.adapter = self.connect()
        app = web.Application()
        app.router.add_post("/", self._serve)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/"
        self._users = asyncio.TaskGroup()
        await self._users.__aenter__()
        self._tasks: set[asyncio.Task[None]] = set()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await self._users.__aexit__(None, None, None)
        await self._runner.cleanup()
        await self._shared.close()

    def connect(self) -> Adapter:
        raw = {"secret": self.secret, "answer_timeout_s": 5}
        self.adapter = build(self.platform, config_model(self.platform)(**raw), self._shared)
        return self.adapter

    def serve(self, deliver: Deliver) -> None:
        self._deliver = deliver

    async def _serve(self, request: web.Request) -> web.Response:
        adapter: WebhookAdapter = self.adapter  # type: ignore[assignment]
        if self._deliver is None:
            return web.Response(status=503)
        asked = WebhookRequest(request.method, request.headers, await request.read())
        answer = await adapter.handle(asked, self._deliver)
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)

    def say(self, text: str, user: int = 7) -> None:
        body = {"text": text, "user_id": user, "message_id": f"id-{next(self._number)}"}
        self._tasks.add(self._users.create_task(self._ask(body)))

    async def _ask(self, body: dict[str, Any]) -> None:
        while True:
            headers = {"Authorization": f"Bearer {self.secret}"}
            try:
                async with self._shared.session.post(self._url, json=body, headers=headers) as response:
                    if response.status == 200:
                        answer = await response.json(content_type=None)
                        break
            except aiohttp.ClientError:
                pass
            await self._shared.timer.sleep(0.01)
        async with self._changed:
            self._answers.append(answer["response"])
            self._changed.notify_all()

    async def heard(self, count: int) -> list[str]:
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._answers) >= count)
        return self._answers

    async def acknowledged(self) -> None:
        await asyncio.gather(*self._tasks)

    async def stop(self) -> None:
        await self._runner.cleanup()


WORLDS: dict[str, Callable[[], World]] = {
    "custom": CustomWorld,
    "custom-posting": CustomPostingWorld,
    "discord": DiscordWorld,
    "slack": SlackWorld,
    "slack-events": SlackEventsWorld,
    "telegram": TelegramWorld,
    "telegram-webhook": TelegramWebhookWorld,
    "whatsapp": WhatsAppWorld,
}
