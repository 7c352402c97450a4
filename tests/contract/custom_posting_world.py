"""A program that posts messages and has its answers posted to an address of its own."""

import asyncio
import itertools
from typing import Any, Self

import aiohttp
from aiohttp import web

from adapters.contract import Adapter, Deliver, WebhookAdapter, WebhookRequest
from adapters.http import Shared
from adapters.registry import build, config_model
from adapters.signatures import is_signed
from adapters.testing.timer import QuickTimer


class CustomPostingWorld:
    """It posts a message, with the same id, until that is accepted; it takes an answer only with a good signature."""

    platform = "custom"
    secret = "a contract suite's secret"
    stubborn = False

    async def __aenter__(self) -> Self:
        made = itertools.count(1)
        self._shared = Shared(QuickTimer(), lambda: f"made-{next(made)}", chance=lambda: 0.5)
        self._deliver: Deliver | None = None
        self._answers: dict[str, str] = {}
        self._changed = asyncio.Condition()
        self._number = itertools.count(1)
        self._inside: set[asyncio.Task[Any]] = set()
        app = web.Application()
        app.router.add_post("/bot", self._serve)
        app.router.add_post("/answers", self._take)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self.adapter = self.connect()
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
        raw = {"secret": self.secret, "reply_url": f"{self._url}/answers"}
        self.adapter = build(self.platform, config_model(self.platform)(**raw), self._shared)
        for task in self._inside:
            task.cancel()  # what was under way ends with the process
        return self.adapter

    def serve(self, deliver: Deliver) -> None:
        self._deliver = deliver

    async def _serve(self, request: web.Request) -> web.Response:
        adapter: WebhookAdapter = self.adapter  # type: ignore[assignment]
        task = asyncio.current_task()
        if self._deliver is None or task is None:
            return web.Response(status=503)
        self._inside.add(task)
        try:
            asked = WebhookRequest(request.method, request.headers, await request.read())
            answer = await adapter.handle(asked, self._deliver)
        finally:
            self._inside.discard(task)
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        if not is_signed(self.secret, body, request.headers["X-Signature-256"]):
            return web.Response(status=401)
        answer = await request.json()
        async with self._changed:
            self._answers.setdefault(request.headers["Idempotency-Key"], answer["response"])
            self._changed.notify_all()
        return web.Response()

    def say(self, text: str, user: int = 7) -> None:
        body = {"text": text, "user_id": user, "message_id": f"id-{next(self._number)}"}
        self._tasks.add(self._users.create_task(self._ask(body)))

    async def _ask(self, body: dict[str, Any]) -> None:
        headers = {"Authorization": f"Bearer {self.secret}"}
        while True:
            try:
                async with self._shared.session.post(
                    f"{self._url}/bot", json=body, headers=headers
                ) as response:
                    if response.status == 202:
                        return
            except aiohttp.ClientError:
                pass
            await self._shared.timer.sleep(0.01)

    async def heard(self, count: int) -> list[str]:
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._answers) >= count)
        return list(self._answers.values())

    async def acknowledged(self) -> None:
        await asyncio.gather(*self._tasks)

    async def stop(self) -> None:
        await self._runner.cleanup()
