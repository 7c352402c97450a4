"""A Discord on a real socket, REST API and gateway, for tests and benches; in this process or its own.

    async with DiscordServer() as server:                     python -m adapters.testing.discord_server --port 0
        bot = server.application(server.token(42))            prints {"url": …, "token": "a token of bot 42"}
        bot.say("hello")
        await bot.replies(1)                                  (what each bot can: `Application`)

A bot's `api_base_url` is `{url}/api/v10`. From another process the same by HTTP, all bodies JSON, errors 400 with
`{"error": …}`:

| call                                                            | answer                                       |
|-----------------------------------------------------------------|----------------------------------------------|
| POST /_control/account {token, username?, limits?, posts_to?}   | {id, public_key}                             |
| POST /_control/inject {token, messages: [{text, user_id?, channel?, mention?, …}]} | {message_ids, at_s}       |
| POST /_control/ask {token, name, text?, user_id?, channel?}     | {id, raw, body, headers}: body to be posted  |
| POST /_control/fail {token, route, kind, status?, body?, times?} | {}                                          |
| POST /_control/close {token, code?}                             | {closed}: gateway connections; no code: cut  |
| POST /_control/revoke {token, revoked?}                         | {}                                           |
| GET /_control/sent?token=&since=0                               | {sent: [{id, text, …}], calls, connections}  |
| GET /_control/wait?token=&count=&timeout_s=                     | the same, once `count` messages are sent, or 408 |

All times are of one clock. A token that nobody announced is 401, unless the server is `welcoming` (its own process
is, without --strict). Interactions are signed with a key that each server makes for itself.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import asdict
from email.utils import formatdate
from typing import Any, Self

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.testing.discord_gateway import INVALID, RECONNECT, Socket
from adapters.testing.discord_parts import ApiError, Fault, FaultKind
from adapters.testing.discord_rest import Call, answer
from adapters.testing.discord_state import Application

__all__ = ["DiscordServer", "Fault", "FaultKind"]


class DiscordServer:
    """The server. `stop` and `start` again on the same port: Discord was away; its memory stays.

    Args:
        welcoming: whether unknown tokens become applications by their first use.
        port: 0: any free one.

    Attributes:
        heartbeat_ms: how often a gateway connection has to show that it lives; None: no hello at all.
    """

    def __init__(self, *, welcoming: bool = False, port: int = 0) -> None:
        self.applications: dict[str, Application] = {}
        self.heartbeat_ms: int | None = 41_250
        self._key = Ed25519PrivateKey.generate()
        self._welcoming = welcoming
        self._port = port
        self._runner: web.AppRunner | None = None
        self._sockets: dict[Socket, web.Request] = {}

    @staticmethod
    def token(bot: int) -> str:
        """A token as Discord makes them, of the bot with this id."""
        return f"{urlsafe_b64encode(str(bot).encode()).decode().rstrip('=')}.GfAkE.fake-secret-of-{bot}"

    @property
    def url(self) -> str:
        """Where it listens; what a bot's `api_base_url` is, less `/api/v10`. Stays the same after a stop."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def public_key(self) -> str:
        """What interactions are signed with, as the portal shows it."""
        return self._key.public_key().public_bytes_raw().hex()

    def application(self, token: str, username: str = "") -> Application:
        """The application of a token, made now if there is none."""
        if token not in self.applications:
            made = Application(token, username or "fake-bot", self.public_key)
            self.applications[token] = made
        return self.applications[token]

    def signed(self, raw: Mapping[str, Any], stamp: int) -> tuple[bytes, dict[str, str]]:
        """What Discord posts for an interaction: body and headers. `stamp`: Unix seconds."""
        body = json.dumps(raw).encode()
        signature = self._key.sign(str(stamp).encode() + body).hex()
        headers = {"X-Signature-Ed25519": signature, "X-Signature-Timestamp": str(stamp)}
        return body, {**headers, "Content-Type": "application/json", "User-Agent": "Discord-Interactions/1.0"}

    def connections(self, token: str) -> int:
        """How many gateway connections a bot has."""
        return sum(socket.application is self.applications.get(token) for socket in self._sockets)

    def close(self, token: str, code: int | None = None) -> int:
        """Close a bot's gateway connections; without a code they are cut. Returns how many."""
        mine = [one for one in self._sockets.items() if one[0].application is self.applications.get(token)]
        for socket, request in mine:
            if code is None:
                socket.cut(request)
            else:
                socket.push(code)
        return len(mine)

    def reconnect(self, token: str) -> None:
        """Ask a bot to connect again."""
        self._push(token, {"op": RECONNECT, "d": None})

    def invalidate(self, token: str) -> None:
        """Forget a bot's sessions and say so."""
        self.applications[token].sessions.clear()
        self._push(token, {"op": INVALID, "d": False})

    def _push(self, token: str, frame: Mapping[str, Any]) -> None:
        for socket in self._sockets:
            if socket.application is self.applications.get(token):
                socket.push(frame)

    async def start(self) -> None:
        """Listen."""
        app = web.Application(client_max_size=2**24)
        app.router.add_get("/gateway", self._gateway)
        app.router.add_route("*", "/api/v10/{path:.*}", self._rest)
        app.router.add_get("/files/{bot}/{name}", self._file)
        control = _Control(self)
        app.router.add_post("/_control/{action}", control.post)
        app.router.add_get("/_control/{action}", control.get)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close the socket and all connections."""
        runner, self._runner = self._runner, None
        if runner is not None:
            for socket, request in list(self._sockets.items()):
                socket.cut(request)
            await runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _find(self, token: str) -> Application | None:
        known = self.applications.get(token)
        return self.application(token) if known is None and token and self._welcoming else known

    async def _gateway(self, request: web.Request) -> web.StreamResponse:
        socket = Socket(self._find, f"ws://127.0.0.1:{self._port}/gateway", self.heartbeat_ms)
        self._sockets[socket] = request
        try:
            return await socket.serve(request)
        finally:
            del self._sockets[socket]

    async def _file(self, request: web.Request) -> web.StreamResponse:
        for one in self.applications.values():
            if one.id == request.match_info["bot"] and request.match_info["name"] in one.files:
                one.calls["GET file"] += 1
                seen = "Authorization" in request.headers
                status = 403 if seen else 200  # a token that comes here has gone astray
                return web.Response(status=status, body=one.files[request.match_info["name"]])
        return web.Response(status=404)

    async def _rest(self, request: web.Request) -> web.StreamResponse:
        call = Call(
            request.method, f"/{request.match_info['path']}", dict(request.query), await request.read()
        )
        application = self._find(request.headers.get("Authorization", "").removeprefix("Bot "))
        if application is None:
            application = self._by_interaction(call)
        if application is None or application.revoked:
            return _refusal(ApiError(401, 0, "401: Unauthorized"), {})
        fault = application.enter(call.route)
        if fault is not None and fault.kind is not FaultKind.DROP_AFTER:
            return await _faulty(request, fault)
        headers = {"Date": formatdate(application.now_ms() / 1000, usegmt=True)}
        try:
            result = answer(application, call, f"ws://127.0.0.1:{self._port}/gateway", headers)
        except ApiError as error:
            return _refusal(error, headers)
        if fault is not None:
            return _dropped(request)
        if result is None:
            return web.Response(status=204, headers=headers)
        return web.json_response(result, headers=headers, content_type="application/json")

    def _by_interaction(self, call: Call) -> Application | None:
        """Interactions need no token besides the one in their path."""
        return next((one for one in self.applications.values() if one.asked.keys() & set(call.parts)), None)


class _Control:
    """The HTTP side of what a test does to the applications."""

    def __init__(self, server: DiscordServer) -> None:
        self._server = server

    async def post(self, request: web.Request) -> web.Response:
        """Do one thing to one application."""
        try:
            body = await request.json()
            application = self._server.application(body.pop("token"), body.pop("username", ""))
            return web.json_response(self._done(request.match_info["action"], application, body))
        except (KeyError, TypeError, ValueError) as error:
            return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=400)

    def _done(self, action: str, one: Application, body: dict[str, Any]) -> Mapping[str, object]:
        match action:
            case "account":
                one.limits = bool(body.get("limits", one.limits))
                one.posts_to = body.get("posts_to", one.posts_to)
                return {"id": one.id, "public_key": one.public_key}
            case "inject":
                at_s = asyncio.get_running_loop().time()
                return {"message_ids": [one.say(**message) for message in body["messages"]], "at_s": at_s}
            case "ask":
                asked = one.ask(**body)
                posted, headers = self._server.signed(asked.raw, one.now_ms() // 1000)
                return {"id": asked.id, "raw": asked.raw, "body": posted.decode(), "headers": headers}
            case "fail":
                route, times = body.pop("route"), body.pop("times", 1)
                one.fail(route, Fault(FaultKind(body.pop("kind")), **body), times)
            case "close":
                return {"closed": self._server.close(one.token, body.get("code"))}
            case "revoke":
                one.revoked = bool(body.get("revoked", True))
            case _:
                raise KeyError(action)
        return {}

    async def get(self, request: web.Request) -> web.Response:
        """Tell what one bot has sent, at once or as soon as it has."""
        query = request.query
        try:
            one = self._server.application(query["token"])
            async with asyncio.timeout(float(query.get("timeout_s", "10"))):
                if request.match_info["action"] == "wait":
                    await one.replies(int(query["count"]))
        except TimeoutError:
            return web.json_response({"error": f"{len(one.sent)} sent"}, status=408)
        except (KeyError, ValueError) as error:
            return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=400)
        sent = [asdict(message) for message in one.sent[int(query.get("since", "0")) :]]
        told = {"sent": sent, "calls": one.calls, "connections": self._server.connections(one.token)}
        return web.json_response(told)


async def _faulty(request: web.Request, fault: Fault) -> web.StreamResponse:
    if fault.kind is FaultKind.HANG:
        await asyncio.Event().wait()
    if fault.kind is FaultKind.ANSWER:
        return web.Response(status=fault.status, text=fault.body, headers=fault.headers)
    return _dropped(request)


def _dropped(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _refusal(error: ApiError, headers: Mapping[str, str]) -> web.Response:
    body = {"message": error.message, "code": error.code, **error.more}
    via = {"Via": "1.1 google"} if error.status == 429 else {}  # noqa: PLR2004 - the status of rate limits
    return web.json_response(body, status=error.status, headers={**headers, **via})


async def _serve(port: int, *, welcoming: bool) -> None:
    async with DiscordServer(welcoming=welcoming, port=port) as server:
        sys.stdout.write(json.dumps({"url": server.url, "token": server.token(42)}) + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m adapters.testing.discord_server")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--strict", action="store_true", help="unknown tokens are 401")
    arguments = parser.parse_args()
    try:
        asyncio.run(_serve(arguments.port, welcoming=not arguments.strict))
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
