"""The Web API over the process's one session: calls in, results or one of our errors out.

Rules: every exception that leaves this module is from `adapters.errors` or below, and no text in it holds a token
or the address of a socket. The library retries nothing (its default posts twice after a dropped connection) and
takes no proxy from the environment, as no adapter does. A text of Slack's own decides what an error is:

    NotConnected      no byte left: DNS, connect, TLS       SlowDown   ratelimited, with its seconds
    Refused           Slack said no: channel_not_found …    Unreachable  everything else: its fate is unknown
    RefusedConnection the token is dead
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

from adapters.errors import AdapterError, RefusedConnection, Unreachable
from adapters.http import Shared
from adapters.slack import library
from adapters.slack.config import Config
from adapters.slack.wire import Me

_OK = 200
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TOO_MANY = 429
_SERVER_ERROR = 500
_GARBAGE = "Slack's answer cannot be read"
_DEAD = frozenset(
    {
        "account_inactive",
        "invalid_auth",
        "not_allowed_token_type",
        "not_authed",
        "token_expired",
        "token_revoked",
    }
)
_LIMITED = frozenset({"message_limit_exceeded", "rate_limited", "ratelimited"})
_PASSING = frozenset(
    {
        "accesslimited",
        "fatal_error",
        "internal_error",
        "org_login_required",
        "request_timeout",
        "service_unavailable",
        "team_added_to_org",
    }
)


class NotConnected(Unreachable):
    """No connection: nothing was sent."""


class SlowDown(Unreachable):
    """Slack asks for a pause; nothing was done."""


class Refused(AdapterError):
    """Slack will not do this call. `code` is its own word for it."""

    def __init__(self, code: str, needed: str = "") -> None:
        super().__init__(f"{code}, the scope {needed} is missing" if needed else code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds.

    Attributes:
        call_s: for the answer to a call.
        hello_s: for a socket and its first word.
        ping_s: between pings; a socket that does not answer one within half of it is dead.
        linger_s: for what is still under way on a socket that Slack has given notice of closing.
        answer_s: until a posted event must be answered; Slack waits three seconds.
    """

    call_s: float = 20.0
    hello_s: float = 15.0
    ping_s: float = 20.0
    linger_s: float = 10.0
    answer_s: float = 2.5


@dataclass(frozen=True, slots=True)
class Page:
    """What a GET brought.

    Attributes:
        data: None where it is more than allowed.
        elsewhere: where it sends us instead, as it is written there.
    """

    data: bytes | None
    media_type: str
    elsewhere: str | None = None


class Client:
    """What the bot asks of Slack."""

    __slots__ = ("_app_token", "_bot_token", "_call_s", "_shared", "base_url", "web")

    def __init__(self, config: Config, shared: Shared, patience: Patience) -> None:
        self._shared = shared
        self._call_s = patience.call_s
        self._app_token = config.app_token
        self._bot_token = config.bot_token
        self.base_url = config.api_base_url
        self.web = library.AsyncWebClient(
            token=config.bot_token.get_secret_value(),
            base_url=self.base_url,
            logger=library.silence(),
            retry_handlers=[],
        )
        self.web.proxy = None

    async def me(self) -> tuple[Me, frozenset[str]]:
        """Who the token belongs to, and its scopes. Raises RefusedConnection or Unreachable."""
        response = await self._probe("auth.test", {})
        raw = response.data if isinstance(response.data, dict) else {}
        team, user = raw.get("team_id"), raw.get("user_id")
        if not isinstance(team, str) or not isinstance(user, str):
            raise Unreachable(_GARBAGE)
        scopes = str(response.headers.get("x-oauth-scopes", "")).replace(" ", "").split(",")
        me = Me(
            team, user, str(raw.get("bot_id") or ""), str(raw.get("user") or ""), str(raw.get("team") or "")
        )
        return me, frozenset(scopes) - {""}

    async def socket_url(self) -> str:
        """An address for one socket, which is a secret. Raises RefusedConnection or Unreachable."""
        if self._app_token is None:
            raise RefusedConnection("there is no app_token")
        fields = {"token": self._app_token.get_secret_value()}  # the library makes it a header
        response = await self._probe("apps.connections.open", fields)
        url = response.data.get("url") if isinstance(response.data, dict) else None
        if not isinstance(url, str):
            raise Unreachable(_GARBAGE)
        return url

    async def call(self, method: str, fields: Mapping[str, object]) -> Mapping[str, Any]:
        """Call a method with the bot's token. Raises as the module says."""
        response = await self._answer(method, fields)
        if not isinstance(response.data, dict):
            raise Unreachable(_GARBAGE)
        return response.data

    async def get(self, url: URL, max_bytes: int) -> Page:
        """Load what is at an address, with the bot's token; no redirect is followed. Raises Unreachable."""
        headers = {"Authorization": f"Bearer {self._bot_token.get_secret_value()}"}
        timeout = aiohttp.ClientTimeout(total=self._call_s)
        try:
            async with self._shared.session.get(
                url, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                if response.status in _REDIRECTS:
                    return Page(b"", "", response.headers.get("Location", ""))
                if response.status != _OK:
                    raise Unreachable(f"Slack answered {response.status} to a download")
                return Page(await _at_most(response.content, max_bytes), response.content_type)
        except TimeoutError:
            raise Unreachable(f"no whole file within {self._call_s:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unreachable(f"the connection broke: {type(error).__name__}") from None

    async def _probe(self, method: str, fields: Mapping[str, object]) -> Any:  # noqa: ANN401 - the library's answer
        """A call that asks nothing of any channel: each refusal is one of the credentials."""
        which = "app_token" if "token" in fields else "bot_token"
        try:
            return await self._answer(method, fields)
        except Refused as refused:
            raise RefusedConnection(f"Slack refuses {method} with the {which} ({refused})") from None
        except RefusedConnection as refused:
            raise RefusedConnection(f"{which}: {refused}") from None

    async def _answer(self, method: str, fields: Mapping[str, object]) -> Any:  # noqa: ANN401 - the library's answer
        self.web.session = self._shared.session
        try:
            # The library's own time limit does not hold on a session that it was given.
            async with asyncio.timeout(self._call_s):
                return await self.web.api_call(method, json=dict(fields))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotConnected(_said(error)) from None
        except TimeoutError:
            raise Unreachable(f"no answer within {self._call_s:g} s") from None
        except library.SlackApiError as error:
            raise _translated(error.response) from None
        except (aiohttp.ClientError, OSError) as error:
            raise Unreachable(f"the connection broke: {type(error).__name__}") from None
        except (library.SlackClientError, AttributeError, LookupError, TypeError, ValueError):
            raise Unreachable(_GARBAGE) from None  # the library stumbles over what is no answer of Slack's


async def _at_most(content: aiohttp.StreamReader, most: int) -> bytes | None:
    """All there is, or None as soon as it is too much."""
    data = bytearray()
    async for piece in content.iter_any():
        data += piece
        if len(data) > most:
            return None
    return bytes(data)


def _said(error: Exception) -> str:
    """What is wrong with a connection."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection to {error.host}: {error.os_error.strerror or type(error.os_error).__name__}"
    return "no connection in time"


def _translated(response: Any) -> AdapterError:  # noqa: ANN401 - the library's answer, or aiohttp's
    """A refusal as one of our errors. Only Slack's own JSON is believed, not the status alone."""
    status = getattr(response, "status_code", None) or getattr(response, "status", 0) or 0
    data = getattr(response, "data", None)
    code = data.get("error") if isinstance(data, dict) else None
    if status == _TOO_MANY or code in _LIMITED:
        return SlowDown("Slack asks for a pause", _seconds(response.headers.get("Retry-After")))
    if not isinstance(code, str):
        return Unreachable(f"Slack answered {status}" if status >= _SERVER_ERROR else _GARBAGE)
    if status >= _SERVER_ERROR or code in _PASSING:
        return Unreachable(f"Slack answered {code[:80]}")
    if code in _DEAD:
        return RefusedConnection(f"Slack does not accept the token ({code})")
    return Refused(code[:80], str(data.get("needed") or "")[:80] if isinstance(data, dict) else "")


def _seconds(text: object) -> float:
    """What a 429 asks for; one second where it does not say."""
    try:
        return min(3600.0, max(0.0, float(str(text))))
    except ValueError:
        return 1.0
