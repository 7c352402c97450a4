"""A tool server on a real socket, over streamable HTTP of the older generation, with sessions, and with bad habits.

    async with ToolWeb() as server:
        server.url                          where it is
        server.habit = "compressed"         how it answers calls from now on
        server.forget()                     it was started again: it knows no session of before
        await server.learn()                it has one tool more and says so

Habits: "" answers well; to a call `huge` answers with a JSON text of 5 MiB, `compressed` with a small body that unpacks
to 16 MiB, `odd` with a page in place of JSON, `broken` with half an answer, `error` with HTTP 500, `locked` with 403,
and `silent` not at all; `clinging` does not answer a good-bye.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from ssl import SSLContext
from types import TracebackType
from typing import Any, Self

from aiohttp import web

_VERSION = "2025-11-25"
_EVENTS = {"Content-Type": "text/event-stream"}
_SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}}


class ToolWeb:
    """The server.

    Attributes:
        seen: the headers of each request, lower case.
        listeners: streams on which it may say something by itself.
        over: it has let everybody go.
    """

    def __init__(self, tls: SSLContext | None = None) -> None:
        """`tls`: with its certificate; None: without."""
        self._tls = tls
        self.habit = ""
        self.tools = ["echo"]
        self.seen: list[dict[str, str]] = []
        self.listeners: list[web.StreamResponse] = []
        self.listened = asyncio.Event()
        self._sessions = 0
        self._known: set[str] = set()
        self._over = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self.url = ""
        self.over = False

    async def __aenter__(self) -> Self:
        """Listen on a port of the machine's choice."""
        app = web.Application()
        app.router.add_post("/mcp", self._post)
        app.router.add_get("/mcp", self._get)
        app.router.add_delete("/mcp", self._delete)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls).start()
        scheme = "http" if self._tls is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._runner.addresses[0][1]}/mcp"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Be gone."""
        self.over = True
        self._over.set()
        assert self._runner is not None
        await self._runner.cleanup()

    def forget(self) -> None:
        """Know no session any more."""
        self._known.clear()

    async def learn(self) -> None:
        """One tool more; whoever listens is told."""
        self.tools.append(f"learnt{len(self.tools)}")
        told = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
        for listener in self.listeners:
            await listener.write(f"event: message\ndata: {json.dumps(told)}\n\n".encode())

    async def _post(self, request: web.Request) -> web.StreamResponse:
        self.seen.append({name.lower(): value for name, value in request.headers.items()})
        message = await request.json()
        method, session = message["method"], request.headers.get("Mcp-Session-Id", "")
        if method == "initialize":
            self._sessions += 1
            session = f"session-{self._sessions}"
            self._known.add(session)
            can = {"tools": {"listChanged": True}}
            about = {"name": "tool_web", "version": "1"}
            answer = {"protocolVersion": _VERSION, "capabilities": can, "serverInfo": about}
            return _json(message, answer, {"Mcp-Session-Id": session})
        if not session:
            return web.Response(status=400)
        if session not in self._known:
            return web.Response(status=404)
        if "id" not in message:
            return web.Response(status=202)
        if method == "tools/list":
            return _json(message, {"tools": [{"name": name, "inputSchema": _SCHEMA} for name in self.tools]})
        return await self._call(message)

    async def _call(self, message: dict[str, Any]) -> web.StreamResponse:
        text = str(message["params"]["arguments"].get("text", ""))
        good = {"content": [{"type": "text", "text": text}]}
        if self.habit == "silent":
            await self._over.wait()
        return _badly(self.habit, message) or _json(message, good)

    async def _get(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=_EVENTS)
        await response.prepare(request)
        self.listeners.append(response)
        self.listened.set()
        await self._over.wait()
        return response

    async def _delete(self, request: web.Request) -> web.Response:
        if self.habit == "clinging":
            await self._over.wait()
        self._known.discard(request.headers.get("Mcp-Session-Id", ""))
        return web.Response()


def _badly(habit: str, message: dict[str, Any]) -> web.Response | None:
    """An answer as no server should give it; None: there is no such habit."""
    match habit:
        case "huge":
            return _json(message, {"content": [{"type": "text", "text": "x" * (5 << 20)}]})
        case "compressed":
            headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
            return web.Response(body=gzip.compress(bytes(16 << 20), 1), headers=headers)
        case "odd":
            return web.Response(text="<html>Welcome</html>", content_type="text/html")
        case "broken":
            return web.Response(text='{"jsonrpc": "2.0", "id"', content_type="application/json")
        case "error" | "locked":
            return web.Response(status=500 if habit == "error" else 403)
        case _:
            return None


def _json(
    message: dict[str, Any], result: dict[str, Any], headers: dict[str, str] | None = None
) -> web.Response:
    return web.json_response({"jsonrpc": "2.0", "id": message["id"], "result": result}, headers=headers)
