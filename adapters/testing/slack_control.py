"""The HTTP side of what a test does to the accounts of the fake Slack; the calls are listed in slack_server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from aiohttp import web

from adapters.testing.slack_state import Account, Fault, FaultKind

_SETTINGS = ("app_token", "signing_secret", "request_url", "limits", "retry_s", "socket_mode")


@dataclass(frozen=True, slots=True)
class Link:
    """One socket of an app."""

    ws: web.WebSocketResponse
    transport: asyncio.Transport


class Accounts(Protocol):
    """The server, as far as it is needed here."""

    links: dict[str, list[Link]]

    def account(self, bot_token: str) -> Account:
        """The account of a token, made now if there is none."""

    def cut(self, account: Account) -> int:
        """Cut its sockets."""

    async def disconnect(self, account: Account, reason: str) -> int:
        """Give notice on its sockets."""


class SlackControl:
    """Handlers for /_control."""

    def __init__(self, server: Accounts) -> None:
        self._server = server

    async def post(self, request: web.Request) -> web.Response:
        """Do one thing to one account."""
        try:
            body = await request.json()
            account = self._server.account(body["token"])
            return _json(await self._done(request.match_info["action"], account, body))
        except (KeyError, TypeError, ValueError) as error:
            return _json({"error": f"{type(error).__name__}: {error}"}, 400)

    async def _done(self, action: str, account: Account, body: Mapping[str, Any]) -> Mapping[str, object]:
        match action:
            case "account":
                for name in _SETTINGS:
                    setattr(account, name, body.get(name, getattr(account, name)))
                account.bell.ring()
            case "inject":
                names = [account.say(**message) for message in body.get("messages", ())]
                names += [account.bring(body["event"])] if "event" in body else []
                return {"ts": names, "at_s": asyncio.get_running_loop().time()}
            case "fail":
                fault = Fault(FaultKind(body["kind"]), body.get("status", 200), body.get("body", ""))
                account.fail(body["method"], fault, body.get("times", 1))
            case "revoke":
                account.revoked = bool(body.get("revoked", True))
            case "disconnect" if "reason" in body:
                return {"links": await self._server.disconnect(account, body["reason"])}
            case "disconnect":
                return {"links": self._server.cut(account)}
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
        links = len(self._server.links[account.bot_token])
        return _json({"sent": sent, "calls": account.calls, "links": links})


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(status=status, body=json.dumps(value).encode(), content_type="application/json")
