"""A Slack server on a real socket, for tests and benches; in this process or its own.

    async with SlackServer() as server:                       python -m adapters.testing.slack_server --port 0
        bot = server.account("xoxb-1", "xapp-1")              prints {"url": "http://127.0.0.1:40001"}
        bot.say("hello")
        await bot.replies(1)                                  (what each account can: `Account`)

It has the Web API (`/api/{method}`: a bot's `api_base_url` is the url with `/api/`), Socket Mode
(`apps.connections.open`, then `/link`: hello, envelopes, disconnect frames), the Events API (where an account has
a `request_url`, events are posted there, signed, and again with `X-Slack-Retry-Num` until they are answered 200
within three seconds), and the files of `Account.files`.

From another process the same by HTTP, all bodies JSON, errors 400 with `{"error": …}`:

| call                                                                        | answer                                |
|-----------------------------------------------------------------------------|---------------------------------------|
| POST /_control/account {token, app_token?, signing_secret?, request_url?, limits?, retry_s?, socket_mode?} | {}     |
| POST /_control/inject {token, messages: [{text, user?, channel?, thread?}]} | {ts, at_s}; or `{token, event}` raw   |
| POST /_control/fail {token, method, kind, status?, body?, times?}           | {}                                    |
| POST /_control/revoke {token, revoked?}                                     | {}                                    |
| POST /_control/disconnect {token, reason?}                                  | {links}; cut, where there's no reason |
| GET /_control/sent?token=&since=0                                           | {sent: [{ts, at_s, …}], calls, links} |
| GET /_control/wait?token=&count=&timeout_s=                                 | the same, once so many are sent, 408  |
| GET /_control/drained?token=&timeout_s=                                     | the same, once all is taken, 408      |

All times are of one clock. A token that nobody announced is invalid_auth, unless the server is `welcoming` (its own
process is, without --strict): then xoxb-NAME becomes an account, and xapp-NAME its app-level token.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any, Self
from urllib.parse import urlencode

import aiohttp
from aiohttp import web
from slack_sdk.signature import Clock

from adapters.signatures import sha256_hex
from adapters.testing.slack_control import Link, SlackControl
from adapters.testing.slack_files import LOGIN_PAGE
from adapters.testing.slack_rules import ApiError
from adapters.testing.slack_state import Account, Delivery, Fault, FaultKind

_ANSWER_S = 3.0


class SlackServer:
    """The server. `stop` and `start` again on the same port: the platform was away; its memory stays.

    Args:
        welcoming: whether unknown tokens become accounts by their first use.
        port: 0: any free one.
        wall: the time of day in Unix seconds.
    """

    def __init__(
        self, *, welcoming: bool = False, port: int = 0, wall: Callable[[], float] | None = None
    ) -> None:
        self.accounts: dict[str, Account] = {}
        self.links: dict[str, list[Link]] = {}
        self.opened = 0
        self._wall = wall or Clock().now
        self._welcoming = welcoming
        self._port = port
        self._runner: web.AppRunner | None = None
        self._couriers: asyncio.TaskGroup | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._posting: aiohttp.ClientSession | None = None

    @property
    def url(self) -> str:
        """Where it listens; a bot's `api_base_url` is this with `/api/`. Stays the same after a stop."""
        return f"http://127.0.0.1:{self._port}"

    def account(self, bot_token: str, app_token: str = "", signing_secret: str = "") -> Account:
        """The account of a token, made now if there is none."""
        if bot_token not in self.accounts:
            account = Account(bot_token, self._wall, app_token, signing_secret, origin=self.url)
            self.accounts[bot_token] = account
            self.links[bot_token] = []
            if self._couriers is not None:
                self._send_courier(account)
        return self.accounts[bot_token]

    async def start(self) -> None:
        """Listen, and bring what waits."""
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/api/{method}", self._api_call)
        app.router.add_get("/link", self._link)
        app.router.add_get("/files-pri/{file}/download/{name}", self._download)
        control = SlackControl(self)
        app.router.add_post("/_control/{action}", control.post)
        app.router.add_get("/_control/{action}", control.get)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True).start()
        self._port = self._runner.addresses[0][1]
        self._posting = aiohttp.ClientSession()
        self._couriers = await asyncio.TaskGroup().__aenter__()
        for account in self.accounts.values():
            account.origin = self.url
            self._send_courier(account)

    async def stop(self) -> None:
        """Close the socket and all connections."""
        runner, self._runner = self._runner, None
        couriers, self._couriers = self._couriers, None
        posting, self._posting = self._posting, None
        for account in self.accounts.values():
            self.cut(account)
        for task in self._tasks:
            task.cancel()
        if couriers is not None:
            await couriers.__aexit__(None, None, None)
        if posting is not None:
            await posting.close()
        if runner is not None:
            await runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # ── what a test does to sockets ──────────────────────────────────────────────────────────────────────
    def cut(self, account: Account) -> int:
        """Cut all sockets of an account without a word; returns how many there were."""
        links, self.links[account.bot_token] = self.links[account.bot_token], []
        for link in links:
            link.transport.abort()
        return len(links)

    async def disconnect(self, account: Account, reason: str) -> int:
        """Give notice on all sockets of an account; returns how many there were."""
        links = list(self.links[account.bot_token])
        for link in links:
            await link.ws.send_str(json.dumps({"type": "disconnect", "reason": reason, "debug_info": {}}))
        return len(links)

    async def linked(self, account: Account, count: int = 1) -> None:
        """Wait until an account has that many sockets."""
        await account.bell.until(lambda: len(self.links[account.bot_token]) == count)

    # ── the Web API ──────────────────────────────────────────────────────────────────────────────────────
    async def _api_call(self, request: web.Request) -> web.StreamResponse:
        method, fields = request.match_info["method"], await _fields(request)
        token = request.headers.get("Authorization", "").partition(" ")[2]
        account = self._owner(token)
        if account is None:
            return _refusal(ApiError("invalid_auth" if token else "not_authed"))
        fault = account.enter(method)
        if fault is not None and fault.kind is not FaultKind.DROP_AFTER:
            return await _faulty(request, fault)
        try:
            result = self._result(account, method, token, fields)
        except ApiError as error:
            return _refusal(error)
        if fault is not None:
            return _dropped(request)
        return _json({"ok": True, **result}, headers={"X-OAuth-Scopes": account.scopes})

    def _result(
        self, account: Account, method: str, token: str, fields: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        is_app_token = token.startswith("xapp-")
        if is_app_token != (method == "apps.connections.open"):
            raise ApiError("not_allowed_token_type")
        if not is_app_token:
            return account.answer(method, fields)
        if not account.socket_mode or account.revoked:
            raise ApiError("invalid_auth" if account.revoked else "forbidden_team")
        ticket = urlencode({"ticket": account.bot_token})
        return {"url": f"{self.url.replace('http', 'ws', 1)}/link?{ticket}"}

    async def _download(self, request: web.Request) -> web.StreamResponse:
        """A file, for whoever may see it; a page to log in for all others, which has status 200 as well."""
        account = self._owner(request.headers.get("Authorization", "").partition(" ")[2])
        if account is None:
            return web.Response(status=302, headers={"Location": "https://fake.slack.example/?redir=x"})
        fault = account.enter("download")
        if fault is not None:
            return await _faulty(request, fault)
        file = account.files.get(request.match_info["file"])
        if file is None or account.revoked or "download" in account.missing_scopes:
            return web.Response(text=LOGIN_PAGE, content_type="text/html")
        return web.Response(body=file.data, content_type=file.media_type)

    def _owner(self, token: str) -> Account | None:
        for account in self.accounts.values():
            if token in {account.bot_token, account.app_token} and token:
                return account
        kind, _, name = token.partition("-")
        if self._welcoming and kind in {"xoxb", "xapp"} and name:
            return self.account(f"xoxb-{name}", f"xapp-{name}")
        return None

    # ── Socket Mode ──────────────────────────────────────────────────────────────────────────────────────
    async def _link(self, request: web.Request) -> web.StreamResponse:
        account = self.accounts.get(request.query.get("ticket", ""))
        if account is None:
            return web.Response(status=404)
        fault = account.enter("link")
        if fault is not None:
            return await _faulty(request, fault)
        ws = web.WebSocketResponse(autoping=not account.mute)
        await ws.prepare(request)
        assert request.transport is not None
        link = Link(ws, request.transport)
        links = self.links[account.bot_token]
        hello = {"type": "hello", "num_connections": len(links) + 1, "connection_info": {"app_id": "A0FAKE"}}
        await ws.send_str(json.dumps(hello))
        links.append(link)
        self.opened += 1
        account.bell.ring()
        try:
            async for frame in ws:
                if frame.type is aiohttp.WSMsgType.TEXT:
                    account.acknowledge(json.loads(frame.data)["envelope_id"])
        finally:
            if link in self.links[account.bot_token]:
                self.links[account.bot_token].remove(link)
            account.bell.ring()
        return ws

    # ── bringing ─────────────────────────────────────────────────────────────────────────────────────────
    def _send_courier(self, account: Account) -> None:
        assert self._couriers is not None
        task = self._couriers.create_task(self._courier(account), name=f"courier {account.bot_token}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _courier(self, account: Account) -> None:
        """Bring each thing in a task of its own, begun in their order."""
        begun: set[str] = set()
        async with asyncio.TaskGroup() as group:
            while True:
                fresh = [one for one in account.waiting if one not in begun]
                if not fresh:
                    await account.bell.next()
                begun &= account.waiting.keys()
                for envelope_id in fresh:
                    begun.add(envelope_id)
                    group.create_task(self._bring(account, envelope_id), name=f"bring {envelope_id}")

    async def _bring(self, account: Account, envelope_id: str) -> None:
        delivery = account.waiting[envelope_id]
        while envelope_id in account.waiting:
            if account.request_url is None:
                await self._by_socket(account, envelope_id, delivery)
            else:
                await self._by_post(account, envelope_id, delivery)
            delivery.tries += 1
            account.bell.ring()

    async def _by_socket(self, account: Account, envelope_id: str, delivery: Delivery) -> None:
        await account.bell.until(lambda: bool(self.links[account.bot_token]))
        links = self.links[account.bot_token]
        envelope = {
            "type": delivery.kind,
            "envelope_id": envelope_id,
            "payload": delivery.payload,
            "accepts_response_payload": delivery.kind != "events_api",
            "retry_attempt": delivery.tries,
            "retry_reason": "timeout" if delivery.tries else "",
        }
        link = links[-1]
        try:
            await link.ws.send_str(json.dumps(envelope))
        except (ConnectionError, RuntimeError):
            if link in links:
                links.remove(link)
            return
        try:
            async with asyncio.timeout(account.retry_s):
                await account.bell.until(lambda: envelope_id not in account.waiting or link not in links)
        except TimeoutError:
            return

    async def _by_post(self, account: Account, envelope_id: str, delivery: Delivery) -> None:
        headers = {"Content-Type": "application/json"}
        body = json.dumps(delivery.payload).encode()
        if delivery.kind == "slash_commands":
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = urlencode(delivery.payload).encode()
        if delivery.tries:
            headers |= {"X-Slack-Retry-Num": str(delivery.tries), "X-Slack-Retry-Reason": "http_timeout"}
        if await self.post(account, body, headers) == 200:  # noqa: PLR2004 - the one that means taken
            account.acknowledge(envelope_id)
            return
        try:
            async with asyncio.timeout(account.retry_s):
                await asyncio.Event().wait()
        except TimeoutError:
            return

    async def post(self, account: Account, body: bytes, headers: Mapping[str, str]) -> int:
        """Post something signed to the account's request URL; returns the status, 0 for none in time."""
        assert self._posting is not None
        assert account.request_url is not None
        time = str(int(self._wall()))
        signed = {
            **headers,
            "X-Slack-Request-Timestamp": time,
            "X-Slack-Signature": f"v0={sha256_hex(account.signing_secret, b'v0:%s:%s' % (time.encode(), body))}",
        }
        timeout = aiohttp.ClientTimeout(total=_ANSWER_S)
        try:
            async with self._posting.post(
                account.request_url, data=body, headers=signed, timeout=timeout
            ) as response:
                return response.status
        except (aiohttp.ClientError, TimeoutError, OSError):
            return 0


async def _fields(request: web.Request) -> dict[str, Any]:
    if request.content_type == "application/json":
        raw = json.loads(await request.read() or b"{}")
        return raw if isinstance(raw, dict) else {}
    return dict(await request.post())


async def _faulty(request: web.Request, fault: Fault) -> web.StreamResponse:
    match fault.kind:
        case FaultKind.HANG:
            await asyncio.Event().wait()
            return _dropped(request)
        case FaultKind.ERROR:
            return _refusal(ApiError(fault.body))
        case FaultKind.DROP_BEFORE | FaultKind.DROP_AFTER:
            return _dropped(request)
        case FaultKind.ANSWER:
            kind = "application/json" if fault.body[:1] in "{[" else "text/html"
            return web.Response(
                status=fault.status, text=fault.body, content_type=kind, headers=fault.headers
            )


def _dropped(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _refusal(error: ApiError) -> web.Response:
    headers = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
    return _json({"ok": False, "error": error.code, **error.more}, error.status, headers)


def _json(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(
        status=status, body=json.dumps(value).encode(), content_type="application/json", headers=headers
    )


async def _serve(port: int, *, welcoming: bool) -> None:
    async with SlackServer(welcoming=welcoming, port=port) as server:
        sys.stdout.write(json.dumps({"url": server.url}) + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m adapters.testing.slack_server")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--strict", action="store_true", help="unknown tokens are invalid_auth")
    arguments = parser.parse_args()
    try:
        asyncio.run(_serve(arguments.port, welcoming=not arguments.strict))
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
