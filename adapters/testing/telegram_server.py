"""A Telegram Bot API server on a real socket, for tests and benches; in this process or its own.

    async with TelegramServer() as server:                    python -m adapters.testing.telegram_server --port 0
        bot = server.account("42:token")                      prints {"url": "http://127.0.0.1:40001"}
        bot.say("hello")
        await bot.replies(1)                                  (what each account can: `Account`)

From another process the same by HTTP, all bodies JSON, errors 400 with `{"error": …}`:

| call                                                          | answer                                            |
|---------------------------------------------------------------|---------------------------------------------------|
| POST /_control/account {token, username?, limits?, webhook?}  | {}; else the first use of a token makes it known  |
| POST /_control/inject {token, messages: [{text, user_id?, …}]} | {update_ids, at_s}; or `{token, update: {…}}` raw |
| POST /_control/fail {token, method, kind, status?, body?, times?} | {}                                            |
| POST /_control/revoke {token, revoked?}                       | {}                                                |
| GET /_control/sent?token=&since=0                             | {sent: [{message_id, at_s, chat_id, …}], calls}   |
| GET /_control/wait?token=&count=&timeout_s=                   | the same, once `count` messages are sent, or 408  |
| GET /_control/drained?token=&timeout_s=                       | the same, once each update is confirmed, or 408   |

All times are of one clock, so that `at_s` of a reply less `at_s` of its message is its latency. A token that
nobody announced is 401, unless the server is `welcoming` (its own process is, without --strict).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Self
from urllib.parse import parse_qsl

from aiohttp import web

from adapters.testing.telegram_rules import ApiError
from adapters.testing.telegram_state import Account, Bell, Fault, FaultKind
from adapters.testing.telegram_webhooks import Poster

_JSON_FIELDS = ("allowed_updates", "commands", "entities", "link_preview_options", "reply_parameters")


class TelegramServer:
    """The server. `stop` and `start` again on the same port: the platform was away; its memory stays.

    Args:
        welcoming: whether unknown tokens become accounts by their first use.
        port: 0: any free one.
    """

    def __init__(self, *, welcoming: bool = False, port: int = 0) -> None:
        self.accounts: dict[str, Account] = {}
        self._welcoming = welcoming
        self._port = port
        self._runner: web.AppRunner | None = None
        self._news = Bell()

    @property
    def url(self) -> str:
        """What a bot's `api_base_url` is. Stays the same after a stop."""
        return f"http://127.0.0.1:{self._port}"

    def account(self, token: str, username: str = "") -> Account:
        """The account of a token, made now if there is none."""
        if token not in self.accounts:
            name = username or f"bot{token.partition(':')[0]}_bot"
            self.accounts[token] = Account(token, name, news=self._news)
        return self.accounts[token]

    async def start(self) -> None:
        """Listen."""
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/bot{token}/{method}", self._bot_call)
        app.router.add_get("/file/bot{token}/{path:.+}", self._download)
        app.cleanup_ctx.append(Poster(self.accounts, self._news).lifetime)
        control = _Control(self)
        app.router.add_post("/_control/{action}", control.post)
        app.router.add_get("/_control/{action}", control.get)
        # A poll whose caller is gone must end, or it would take the next update with it.
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close the socket and all connections."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _bot_call(self, request: web.Request) -> web.StreamResponse:
        token, method = request.match_info["token"], request.match_info["method"]
        account = self.accounts.get(token)
        if account is None:
            if not (self._welcoming and token.partition(":")[0].isdigit()):
                return _refusal(ApiError(401, "Unauthorized"))
            account = self.account(token)
        fields = _fields(request, await request.read())
        fault = account.enter(method)
        if fault is not None and fault.kind is not FaultKind.DROP_AFTER:
            return await _faulty(request, fault)
        try:
            result = await account.answer(method, fields)
        except ApiError as error:
            return _refusal(error)
        if fault is not None:
            return _dropped(request)
        return _json({"ok": True, "result": result})

    async def _download(self, request: web.Request) -> web.StreamResponse:
        account = self.accounts.get(request.match_info["token"])
        if account is None or account.revoked:
            return _refusal(ApiError(401, "Unauthorized"))
        fault = account.enter("download")
        if fault is not None and fault.kind is not FaultKind.DROP_AFTER:
            return await _faulty(request, fault)
        files = dict(account.files.values())
        data = files.get(request.match_info["path"])
        if data is None:
            return _refusal(ApiError(404, "Not Found"))
        response = web.StreamResponse()  # no length: whoever reads has to count
        await response.prepare(request)
        await response.write(data)
        return _dropped(request) if fault is not None else response


class _Control:
    """The HTTP side of what a test does to the accounts."""

    def __init__(self, server: TelegramServer) -> None:
        self._server = server

    async def post(self, request: web.Request) -> web.Response:
        """Do one thing to one account."""
        try:
            body = await request.json()
            account = self._server.account(body["token"], body.get("username", ""))
            return _json(self._done(request.match_info["action"], account, body))
        except (KeyError, TypeError, ValueError) as error:
            return _json({"error": f"{type(error).__name__}: {error}"}, 400)

    def _done(self, action: str, account: Account, body: Mapping[str, Any]) -> Mapping[str, object]:
        match action:
            case "account":
                account.limits = bool(body.get("limits", account.limits))
                account.webhook = body.get("webhook", account.webhook)
            case "inject":
                numbers = [account.say(**message) for message in body.get("messages", ())]
                numbers += [account.push(body["update"])] if "update" in body else []
                return {"update_ids": numbers, "at_s": asyncio.get_running_loop().time()}
            case "fail":
                kind = FaultKind(body["kind"])
                fault = Fault(kind, body.get("status", 200), body.get("body", ""))
                account.fail(body["method"], fault, body.get("times", 1))
            case "revoke":
                account.revoked = bool(body.get("revoked", True))
            case _:
                raise KeyError(action)
        return {}

    async def get(self, request: web.Request) -> web.Response:
        """Tell what one account has sent, at once or as soon as it has."""
        query = request.query
        try:
            account = self._server.account(query["token"])
            async with asyncio.timeout(float(query.get("timeout_s", "10"))):
                match request.match_info["action"]:
                    case "sent":
                        pass
                    case "wait":
                        await account.replies(int(query["count"]))
                    case "drained":
                        await account.drained()
                    case action:
                        raise KeyError(action)  # noqa: TRY301 - one place tells what was wrong
        except TimeoutError:
            return _json({"error": f"{len(account.sent)} sent, {len(account.waiting)} waiting"}, 408)
        except (KeyError, ValueError) as error:
            return _json({"error": f"{type(error).__name__}: {error}"}, 400)
        sent = [asdict(message) for message in account.sent[int(query.get("since", "0")) :]]
        return _json({"sent": sent, "calls": account.calls})


def _fields(request: web.Request, body: bytes) -> dict[str, Any]:
    fields: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        fields.update(json.loads(body))
    else:
        fields.update(parse_qsl(body.decode(), keep_blank_values=True))
    for name in _JSON_FIELDS:
        if isinstance(fields.get(name), str):
            fields[name] = json.loads(fields[name])
    return fields


async def _faulty(request: web.Request, fault: Fault) -> web.StreamResponse:
    if fault.kind is FaultKind.HANG:
        await asyncio.Event().wait()
    if fault.kind is FaultKind.ANSWER:
        return web.Response(status=fault.status, text=fault.body, content_type="text/html")
    return _dropped(request)


def _dropped(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _refusal(error: ApiError) -> web.Response:
    body: dict[str, Any] = {"ok": False, "error_code": error.status, "description": error.description}
    if error.parameters:
        body["parameters"] = error.parameters
    return _json(body, error.status)


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(status=status, body=json.dumps(value).encode(), content_type="application/json")


async def _serve(port: int, *, welcoming: bool) -> None:
    async with TelegramServer(welcoming=welcoming, port=port) as server:
        sys.stdout.write(json.dumps({"url": server.url}) + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m adapters.testing.telegram_server")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--strict", action="store_true", help="unknown tokens are 401")
    arguments = parser.parse_args()
    try:
        asyncio.run(_serve(arguments.port, welcoming=not arguments.strict))
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
