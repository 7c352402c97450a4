"""A server for tools on a real socket, and names that resolve to whatever a test says."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult


class Names(AbstractResolver):
    """Every name has this address, whatever its owner says it is; with none it has none."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.address = address
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        if not self.address:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            ResolveResult(
                hostname=host, host=self.address, port=port, family=socket.AF_INET, proto=0, flags=0
            )
        ]

    async def close(self) -> None:
        pass


@dataclass
class Server:
    """Answers as `answer` says and remembers what came."""

    answer: Callable[[web.Request], Any] = lambda _: web.Response(text="fine")
    seen: list[tuple[web.Request, str]] = field(default_factory=list)
    port: int = 0
    never: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append((request, await request.text()))
        answer = self.answer(request)
        response: web.StreamResponse = await answer if asyncio.iscoroutine(answer) else answer
        return response

    async def hang(self, _: web.Request) -> web.Response:
        await self.never.wait()
        return web.Response(text="late")


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    """A server until the block is left."""
    made = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.port = runner.addresses[0][1]
    try:
        yield made
    finally:
        made.never.set()
        await runner.cleanup()
