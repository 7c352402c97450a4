"""WhatsApp's Cloud API on a real socket, for tests and benches; in this process or its own.

    async with WhatsAppServer() as server:                    python -m adapters.testing.whatsapp_server --port 0
        number = server.number("1055", token, app_secret, verify_token)   prints {"url": "http://127.0.0.1:40001"}
        await server.subscribe(number, "http://127.0.0.1:8080/api/bots/webhook/whatsapp/support")
        number.say("hello")
        await number.replies(1)                               (what each number can: `Number`)

From another process the same by HTTP, all bodies JSON, errors 400 with `{"error": …}`:

| call                                                               | answer                                  |
|--------------------------------------------------------------------|-----------------------------------------|
| POST /_control/account {phone_number_id, access_token, app_secret, | {}                                      |
|   verify_token, limits?, batch?, at_once?, copies?, overtaken?, …} |                                         |
| POST /_control/subscribe {phone_number_id, callback_url}           | {}: the challenge was met               |
| POST /_control/inject {phone_number_id, messages: [{text, user?}]} | {message_ids, at_s}                     |
| POST /_control/fail {phone_number_id, call, kind, status?, body?}  | {}                                      |
| POST /_control/revoke {phone_number_id, revoked?}                  | {}                                      |
| GET /_control/sent?phone_number_id=&since=0                        | {sent: [{at_s, to, …}], calls}          |
| GET /_control/wait?phone_number_id=&count=&timeout_s=              | the same, once so many are sent, or 408 |
| GET /_control/drained?phone_number_id=&timeout_s=                  | the same, once all was taken, or 408    |

All times are of one clock. The webhook is posted to until it answers 200, at most `retry_s` later each time.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from itertools import chain
from typing import Any, Self

import aiohttp
from aiohttp import web

from adapters.signatures import same, sha256_hex
from adapters.testing.telegram_state import Fault, FaultKind
from adapters.testing.whatsapp_state import ApiError, Number

_OK = 200
_CHALLENGE = "1158201444"
_SETTINGS = ("limits", "batch", "at_once", "copies", "overtaken", "statuses", "display", "name")


class WhatsAppServer:
    """The server. `stop` and `start` again on the same port: the platform was away; its memory stays.

    Args:
        port: 0: any free one.
        retry_s: how long after a webhook that was not taken it comes again.
        answer_s: how long a webhook may take to answer.
    """

    def __init__(self, *, port: int = 0, retry_s: float = 0.05, answer_s: float = 10.0) -> None:
        self.numbers: dict[str, Number] = {}
        self._port = port
        self._retry_s = retry_s
        self._answer_s = answer_s
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None
        self._posters: dict[str, list[asyncio.Task[None]]] = {}

    @property
    def url(self) -> str:
        """What a bot's `api_base_url` is. Stays the same after a stop."""
        return f"http://127.0.0.1:{self._port}"

    def number(self, phone_number_id: str, access_token: str, app_secret: str, verify_token: str) -> Number:
        """A business number, made now if there is none."""
        if phone_number_id not in self.numbers:
            self.numbers[phone_number_id] = Number(phone_number_id, access_token, app_secret, verify_token)
        return self.numbers[phone_number_id]

    async def subscribe(self, number: Number, callback_url: str) -> None:
        """Bring this number's events to an address, once it has met the challenge. Raises ValueError."""
        query = {
            "hub.mode": "subscribe",
            "hub.challenge": _CHALLENGE,
            "hub.verify_token": number.verify_token,
        }
        async with self._http.get(callback_url, params=query) as response:
            if (response.status, await response.text()) != (_OK, _CHALLENGE):
                raise ValueError("The URL couldn't be validated. Callback verification failed.")
        number.callback_url = callback_url
        self._bring(number)

    async def start(self) -> None:
        """Listen."""
        app = web.Application(client_max_size=2**24)
        control = _Control(self)
        app.router.add_post("/_control/{action}", control.post)
        app.router.add_get("/_control/{action}", control.get)
        app.router.add_get("/media/{node}", self._download)
        app.router.add_get("/{version:v[0-9]+\\.[0-9]+}/{node}", self._get)
        app.router.add_post("/{version:v[0-9]+\\.[0-9]+}/{node}/messages", self._post)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True).start()
        self._port = self._runner.addresses[0][1]
        for number in self.numbers.values():
            self._bring(number)

    async def stop(self) -> None:
        """Close the socket and all connections; no webhook is brought while it is stopped."""
        posters, self._posters = list(chain.from_iterable(self._posters.values())), {}
        for poster in posters:
            poster.cancel()
        if posters:
            await asyncio.wait(posters)
        session, self._session = self._session, None
        if session is not None:
            await session.close()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # ── webhooks ─────────────────────────────────────────────────────────────────────────────────────────────
    @property
    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=self._answer_s)
            self._session = aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar())
        return self._session

    def _bring(self, number: Number) -> None:
        if number.callback_url is not None and number.phone_number_id not in self._posters:
            loop = asyncio.get_running_loop()
            name = f"webhooks of {number.phone_number_id}"
            self._posters[number.phone_number_id] = [
                loop.create_task(self._poster(number), name=name) for _ in range(number.at_once)
            ]

    async def _poster(self, number: Number) -> None:
        while True:
            await number.until(number.has_webhook)
            events, raw = number.next_webhook()
            body = json.dumps(raw).encode()
            with number.bringing(events):
                answers = [await self._posted(number, body) for _ in range(number.copies)]
                status = _OK if _OK in answers else answers[-1]
                number.answered(events, body, status)
                if status != _OK:
                    waited = asyncio.Event()
                    asyncio.get_running_loop().call_later(self._retry_s, waited.set)
                    await waited.wait()

    async def _posted(self, number: Number, body: bytes) -> int:
        """The webhook's answer, 0 where there is none."""
        headers = {
            "Content-Type": "application/json",
            "X-Hub-Signature-256": f"sha256={sha256_hex(number.app_secret, body)}",
        }
        try:
            async with self._http.post(
                str(number.callback_url), data=body, headers=headers, allow_redirects=False
            ) as response:
                await response.read()
                return response.status
        except (aiohttp.ClientError, OSError, TimeoutError):
            return 0

    # ── the Graph API ────────────────────────────────────────────────────────────────────────────────────────
    async def _get(self, request: web.Request) -> web.StreamResponse:
        node = request.match_info["node"]
        number = self._asking(request, node)
        if number is None:
            return _refusal(_no_node(node))
        call = "number" if node == number.phone_number_id else "media"
        fault = number.enter(call)
        if fault is not None:
            return await _faulty(request, fault)
        try:
            _authorise(request, number)
            if call == "number":
                return _json(number.facts(request.query.get("fields", "id")))
        except ApiError as error:
            return _refusal(error)
        media_type, data = number.media[node]
        facts = {"id": node, "url": f"{self.url}/media/{node}", "mime_type": media_type}
        return _json({**facts, "sha256": hashlib.sha256(data).hexdigest(), "file_size": len(data)})

    async def _download(self, request: web.Request) -> web.StreamResponse:
        node = request.match_info["node"]
        number = self._asking(request, node)
        if number is None:
            return web.Response(status=404)
        if (fault := number.enter("download")) is not None:
            return await _faulty(request, fault)
        try:
            _authorise(request, number)
        except ApiError as error:
            return _refusal(error)
        media_type, data = number.media[node]
        return web.Response(body=data, headers={"Content-Type": media_type})

    async def _post(self, request: web.Request) -> web.StreamResponse:
        number = self.numbers.get(request.match_info["node"])
        if number is None:
            return _refusal(_no_node(request.match_info["node"]))
        try:
            fields = json.loads(await request.read())
        except ValueError:
            fields = None
        if not isinstance(fields, dict):
            return _refusal(ApiError(400, 100, "Invalid parameter", "the body is no JSON object"))
        fault = number.enter("read" if "status" in fields else "message")
        if fault is not None and fault.kind is not FaultKind.DROP_AFTER:
            return await _faulty(request, fault)
        try:
            _authorise(request, number)
            answer = number.posted(fields)
        except ApiError as error:
            return _refusal(error)
        return _dropped(request) if fault is not None else _json(answer)

    def _asking(self, request: web.Request, node: str) -> Number | None:
        """The number that is asked for, or whose medium is."""
        if node in self.numbers:
            return self.numbers[node]
        return next((number for number in self.numbers.values() if node in number.media), None)


class _Control:
    """The HTTP side of what a test does to the numbers."""

    def __init__(self, server: WhatsAppServer) -> None:
        self._server = server

    async def post(self, request: web.Request) -> web.Response:
        """Do one thing to one number."""
        try:
            body = await request.json()
            return _json(await self._done(request.match_info["action"], body))
        except (KeyError, TypeError, ValueError, aiohttp.ClientError) as error:
            return _json({"error": f"{type(error).__name__}: {error}"}, 400)

    async def _done(self, action: str, body: Mapping[str, Any]) -> Mapping[str, object]:
        if action == "account":
            names = ("phone_number_id", "access_token", "app_secret", "verify_token")
            made = self._server.number(*(str(body[name]) for name in names))
            for name in _SETTINGS:
                if name in body:
                    setattr(made, name, body[name])
            return {}
        number = self._server.numbers[body["phone_number_id"]]
        match action:
            case "subscribe":
                await self._server.subscribe(number, body["callback_url"])
            case "inject":
                ids = [number.say(**message) for message in body["messages"]]
                return {"message_ids": ids, "at_s": asyncio.get_running_loop().time()}
            case "fail":
                fault = Fault(FaultKind(body["kind"]), body.get("status", 200), body.get("body", ""))
                number.fail(body["call"], fault, body.get("times", 1))
            case "revoke":
                number.revoked = bool(body.get("revoked", True))
            case _:
                raise KeyError(action)
        return {}

    async def get(self, request: web.Request) -> web.Response:
        """Tell what one number has sent, at once or as soon as it has."""
        query = request.query
        try:
            number = self._server.numbers[query["phone_number_id"]]
            async with asyncio.timeout(float(query.get("timeout_s", "10"))):
                match request.match_info["action"]:
                    case "sent":
                        pass
                    case "wait":
                        await number.replies(int(query["count"]))
                    case "drained":
                        await number.drained()
                    case action:
                        raise KeyError(action)  # noqa: TRY301 - one place tells what was wrong
        except TimeoutError:
            return _json({"error": f"{len(number.sent)} sent, {len(number.waiting)} waiting"}, 408)
        except (KeyError, ValueError) as error:
            return _json({"error": f"{type(error).__name__}: {error}"}, 400)
        sent = [asdict(message) for message in number.sent[int(query.get("since", "0")) :]]
        return _json({"sent": sent, "calls": number.calls})


def _authorise(request: web.Request, number: Number) -> None:
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if number.revoked or not same(token, number.access_token):
        raise ApiError(401, 190, "Error validating access token: the session has been invalidated")
    proof = request.query.get("appsecret_proof")
    wanted = hmac.new(number.app_secret.encode(), token.encode(), hashlib.sha256).hexdigest()
    if proof is not None and proof != wanted:
        raise ApiError(400, 100, "Invalid appsecret_proof provided in the API argument")


def _no_node(node: str) -> ApiError:
    return ApiError(400, 100, f"Unsupported get request. Object with ID '{node}' does not exist")


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
    response = _json(error.body, error.status)
    response.headers.update(error.headers)
    return response


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(status=status, body=json.dumps(value).encode(), content_type="application/json")


async def _serve(port: int) -> None:
    async with WhatsAppServer(port=port) as server:
        sys.stdout.write(json.dumps({"url": server.url}) + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m adapters.testing.whatsapp_server")
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    try:
        asyncio.run(_serve(arguments.port))
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
