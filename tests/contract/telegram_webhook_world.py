"""A Telegram bot in webhook mode: the fake posts to a socket of ours."""

import asyncio
import itertools
from typing import Self

from aiohttp import web

from adapters.contract import Adapter, Deliver, WebhookAdapter, WebhookRequest
from adapters.http import Shared
from adapters.registry import build, config_model
from adapters.testing.telegram_server import TelegramServer
from adapters.testing.timer import QuickTimer


class Doorway:
    """The daemon's HTTP side: hands each post to the adapter of the moment."""

    def __init__(self) -> None:
        self.adapter: WebhookAdapter | None = None
        self.deliver: Deliver | None = None
        self.statuses: list[int] = []
        self.url = ""
        self._inside: set[asyncio.Task[object]] = set()
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/api/bots/webhook/telegram/shop", self._serve)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    def crash(self) -> None:
        """Whatever is under way ends without an answer."""
        for task in self._inside:
            task.cancel()

    async def _serve(self, request: web.Request) -> web.Response:
        if self.adapter is None or self.deliver is None:
            return web.Response(status=503)
        task = asyncio.current_task()
        assert task is not None
        self._inside.add(task)
        try:
            asked = WebhookRequest(request.method, request.headers, await request.read(), request.query)
            answer = await self.adapter.handle(asked, self.deliver)
        finally:
            self._inside.discard(task)
        self.statuses.append(answer.status)
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)


class TelegramWebhookWorld:
    platform = "telegram"
    secret = "42:AAE-contract_suite"
    stubborn = False

    async def __aenter__(self) -> Self:
        self._doorway = Doorway()
        await self._doorway.start()
        number = itertools.count(1)
        self._shared = Shared(
            QuickTimer(),
            lambda: f"made-{next(number)}",
            chance=lambda: 0.5,
            public_url=self._doorway.url,
        )
        self._server = TelegramServer()
        await self._server.start()
        self._account = self._server.account(self.secret)
        self.adapter = self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop()
        await self._doorway.stop()
        await self._shared.close()

    def connect(self) -> Adapter:
        raw = {"bot_token": self.secret, "api_base_url": self._server.url, "mode": "webhook"}
        self.adapter = build(self.platform, config_model(self.platform)(**raw), self._shared, "shop")
        self._doorway.adapter = self.adapter  # type: ignore[assignment]
        self._doorway.crash()
        return self.adapter

    def serve(self, deliver: Deliver) -> None:
        self._doorway.deliver = deliver

    def say(self, text: str, user: int = 7) -> None:
        self._account.say(text, user_id=user)

    async def heard(self, count: int) -> list[str]:
        return [message.text for message in await self._account.replies(count)]

    async def acknowledged(self) -> None:
        await self._account.drained()

    async def stop(self) -> None:
        await self._server.stop()
