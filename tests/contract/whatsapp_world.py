"""WhatsApp as a fake on a real socket, and the daemon's webhook on another."""

import itertools
from typing import Self

from aiohttp import web

from adapters.contract import Adapter, Deliver, Delivery, WebhookAdapter, WebhookRequest
from adapters.http import Shared
from adapters.messages import InboundMessage
from adapters.registry import build, config_model
from adapters.testing.timer import QuickTimer
from adapters.testing.whatsapp_server import WhatsAppServer

NUMBER = "106540352242922"
APP_SECRET = "d3adb33fd3adb33fd3adb33fd3adb33f"
VERIFY_TOKEN = "a text of one's own".replace(" ", "-")


class Entrance:
    """The daemon's side of the webhooks: hands each to the adapter of the moment."""

    def __init__(self) -> None:
        self.adapter: WebhookAdapter | None = None
        self.deliver: Deliver | None = None
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self) -> None:
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/hook", self._serve)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/hook"

    async def stop(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.Response:
        asked = WebhookRequest(request.method, request.headers, await request.read(), request.query)
        if self.adapter is None or (request.method == "POST" and self.deliver is None):
            return web.Response(status=503)
        answer = await self.adapter.handle(asked, self.deliver or _nobody)
        return web.Response(
            status=answer.status, body=answer.body, content_type=answer.content_type, headers=answer.headers
        )


async def _nobody(message: InboundMessage) -> Delivery:
    raise AssertionError(f"nobody serves: {message.text}")


class WhatsAppWorld:
    platform = "whatsapp"
    secret = "EAAcontractsuite"
    stubborn = False

    async def __aenter__(self) -> Self:
        number = itertools.count(1)
        self._shared = Shared(QuickTimer(), lambda: f"made-{next(number)}", chance=lambda: 0.5)
        self._server = WhatsAppServer(retry_s=0.01)
        await self._server.start()
        self._number = self._server.number(NUMBER, self.secret, APP_SECRET, VERIFY_TOKEN)
        self._entrance = Entrance()
        await self._entrance.start()
        self.adapter = self.connect()
        await self._server.subscribe(self._number, self._entrance.url)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop()
        await self._entrance.stop()
        await self._shared.close()

    def connect(self) -> Adapter:
        raw = {
            "phone_number_id": NUMBER,
            "access_token": self.secret,
            "app_secret": APP_SECRET,
            "verify_token": VERIFY_TOKEN,
            "api_base_url": self._server.url,
        }
        self.adapter = build(self.platform, config_model(self.platform)(**raw), self._shared)
        self._entrance.adapter = self.adapter  # type: ignore[assignment]
        return self.adapter

    def serve(self, deliver: Deliver) -> None:
        self._entrance.deliver = deliver

    def say(self, text: str, user: int = 7) -> None:
        self._number.say(text, user=str(user))

    async def heard(self, count: int) -> list[str]:
        return [message.text for message in await self._number.replies(count)]

    async def acknowledged(self) -> None:
        await self._number.drained()

    async def stop(self) -> None:
        await self._server.stop()
