"""Discord's REST API over the process's one session: calls in, results or one of our errors out.

Rules: each call is one request, never a retry: who calls decides. A limit that Discord announces in its headers
(`X-RateLimit-Remaining: 0`) is kept without asking: 10,000 refused requests in ten minutes are a ban. No text of
an error holds the bot's token or an interaction's, which is part of a path; causes are cut off. Whether a request
was certainly not done is told apart from everything else.

    NotConnected   no byte left: DNS, connect, TLS        SlowDown   429 or a limit that is known, with its seconds
    Refused        Discord said no: 400, 403, 404 …       RefusedConnection  401: the bot's token is dead
    Unreachable    everything else: its fate is unknown
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp

from adapters.discord.config import Config
from adapters.errors import AdapterError, RefusedConnection, Unreachable
from adapters.http import Shared

_AGENT = "DiscordBot (https://github.com/botrunner/botrunner, 0.1)"
_OK = range(200, 300)
_UNAUTHORIZED, _TOO_MANY, _SERVER_ERROR = 401, 429, 500
_LONGEST_WHY = 200
_MOST_LIMITS = 1000
_BAN_PAUSE_S = 300.0
_DAY_S = 86_400.0
_LOAD_S = 60.0
_PIECE = 65_536
_GARBAGE = "Discord's answer cannot be read"


class NotConnected(Unreachable):
    """No connection: nothing was sent."""


class SlowDown(Unreachable):
    """Discord asks for a pause; nothing was done. `whole_bot`: on all calls, not only on this channel's."""

    def __init__(self, why: str, retry_after_s: float, *, whole_bot: bool) -> None:
        super().__init__(why, retry_after_s)
        self.whole_bot = whole_bot


class Refused(AdapterError):
    """Discord will not do this call. `code`: Discord's own number for why, 0 where it gave none."""

    def __init__(self, why: str, status: int, code: int = 0) -> None:
        super().__init__(why)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds.

    Attributes:
        connect_s, call_s: for a connection, for an answer.
        ready_s: for a gateway that is connected to say so.
        silence_s: for anything from a gateway that is ready; heartbeats are answered more often than this.
        interaction_s: for a message to be durable, before whoever asked is told to try again.
    """

    connect_s: float = 10.0
    call_s: float = 20.0
    ready_s: float = 60.0
    silence_s: float = 60.0
    interaction_s: float = 2.3


class Client:
    """What the bot asks of Discord."""

    __slots__ = ("_blocked", "_date_ms", "_dated_at", "_headers", "_patience", "_shared", "_token", "_url")

    def __init__(self, config: Config, shared: Shared, patience: Patience) -> None:
        self._token = config.bot_token.get_secret_value()
        self._url = config.api_base_url
        self._shared = shared
        self._patience = patience
        self._headers = {"User-Agent": _AGENT, "Content-Type": "application/json"}
        self._blocked: OrderedDict[str, float] = OrderedDict()
        self._date_ms: int | None = None
        self._dated_at = 0.0

    @property
    def base_url(self) -> str:
        """Where the API is, with its version."""
        return self._url

    def now_ms(self) -> int | None:
        """What time it is at Discord, Unix milliseconds, to a second; None before its first answer."""
        if self._date_ms is None:
            return None
        return self._date_ms + int((self._shared.timer.monotonic() - self._dated_at) * 1000)

    async def get(self, path: str) -> Any:  # noqa: ANN401 - whatever the platform sent
        """Read something."""
        return await self.call("GET", path)

    async def post(self, path: str, body: Mapping[str, object] | None = None) -> Any:  # noqa: ANN401 - as above
        """Make something."""
        return await self.call("POST", path, body)

    async def call(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:  # noqa: ANN401 - whatever the platform sent
        """Do one request; the JSON of its answer, None where there is none. Raises as the module says."""
        limit = f"{method} {path.partition('?')[0]}"
        self._keep_limits(limit)
        data = b"" if body is None else json.dumps(body, ensure_ascii=False).encode(errors="replace")
        status, headers, payload = await self._request(method, path, data)
        self._note(limit, headers)
        if status in _OK:
            return _json(payload)
        raise self._refusal(limit, path, status, headers, payload)

    async def load(self, url: str, max_bytes: int) -> tuple[bytes, str] | None:
        """The bytes behind an address that Discord gave, and their type; without our token, for it is signed.

        None: there are more than `max_bytes`. Raises Refused or Unreachable.
        """
        timeout = aiohttp.ClientTimeout(total=_LOAD_S, connect=self._patience.connect_s)
        try:
            async with self._shared.session.get(
                url, headers={"User-Agent": _AGENT}, timeout=timeout, allow_redirects=False
            ) as response:
                if response.status not in _OK:
                    raise Refused(f"Discord's file server answered {response.status}", response.status)
                data = bytearray()
                async for piece in response.content.iter_chunked(_PIECE):
                    data += piece
                    if len(data) > max_bytes:
                        return None
                return bytes(data), response.content_type
        except (aiohttp.ClientError, OSError, ValueError) as error:  # a time that ran out is an OSError
            raise Unreachable(f"the file could not be loaded: {type(error).__name__}") from None

    async def _request(self, method: str, path: str, data: bytes) -> tuple[int, Mapping[str, str], bytes]:
        # A webhook's path is its own credential; a dead bot token beside it must not spoil it.
        headers = (
            self._headers if _by_path(path) else {**self._headers, "Authorization": f"Bot {self._token}"}
        )
        patience = self._patience
        timeout = aiohttp.ClientTimeout(
            total=patience.call_s, connect=min(patience.call_s, patience.connect_s)
        )
        try:
            async with self._shared.session.request(
                method,
                f"{self._url}{path}",
                data=data,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                return response.status, response.headers, await response.read()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotConnected(_said(error)) from None
        except TimeoutError:
            raise Unreachable(f"no answer within {patience.call_s:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Unreachable(f"the connection broke: {type(error).__name__}") from None

    def _keep_limits(self, limit: str) -> None:
        now = self._shared.timer.monotonic()
        for name in ("*", limit):
            until = self._blocked.get(name, 0.0)
            if now < until:
                raise SlowDown("Discord's rate limit is used up", until - now, whole_bot=name == "*")

    def _block(self, limit: str, seconds: float) -> None:
        self._blocked[limit] = self._shared.timer.monotonic() + seconds
        self._blocked.move_to_end(limit)
        while len(self._blocked) > _MOST_LIMITS:
            self._blocked.popitem(last=False)

    def _note(self, limit: str, headers: Mapping[str, str]) -> None:
        """Remember what Discord says of its limits and of the time."""
        if headers.get("X-RateLimit-Remaining") == "0":
            self._block(limit, _seconds(headers.get("X-RateLimit-Reset-After"), 0.0))
        try:
            date = parsedate_to_datetime(headers.get("Date", ""))
        except ValueError:
            return
        self._date_ms = int(date.timestamp() * 1000)
        self._dated_at = self._shared.timer.monotonic()

    def _refusal(
        self, limit: str, path: str, status: int, headers: Mapping[str, str], payload: bytes
    ) -> AdapterError:
        try:
            said = _json(payload)
        except Unreachable:
            said = None
        if status == _TOO_MANY:
            return self._slow_down(limit, headers, said)
        if status >= _SERVER_ERROR or not isinstance(said, dict):
            return Unreachable(f"Discord answered {status}")  # a proxy's page, whatever its status
        why = _why(said, status).replace(self._token, "***")[:_LONGEST_WHY]
        if status == _UNAUTHORIZED and not _by_path(path):
            return RefusedConnection(f"Discord does not accept the bot token ({why})")
        code = said.get("code")
        return Refused(why, status, code if isinstance(code, int) else 0)

    def _slow_down(self, limit: str, headers: Mapping[str, str], said: Any) -> SlowDown:  # noqa: ANN401 - JSON
        if not isinstance(
            said, dict
        ):  # not Discord but what stands before it: this address is banned for now
            seconds = max(_seconds(headers.get("Retry-After"), 0.0), _BAN_PAUSE_S)
            self._block("*", seconds)
            return SlowDown(f"Discord refuses this address for {seconds:g} s", seconds, whole_bot=True)
        seconds = _seconds(said.get("retry_after"), _seconds(headers.get("Retry-After"), 1.0))
        whole = bool(said.get("global")) or headers.get("X-RateLimit-Scope") == "global"
        self._block("*" if whole else limit, seconds)
        return SlowDown(f"rate limited by Discord for {seconds:g} s", seconds, whole_bot=whole)


def _by_path(path: str) -> bool:
    """Whether a path holds its own credential."""
    return path.startswith(("/webhooks/", "/interactions/"))


def _json(payload: bytes) -> Any:  # noqa: ANN401 - whatever the platform sent
    if not payload:
        return None
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        raise Unreachable(_GARBAGE) from None


def _seconds(value: object, otherwise: float) -> float:
    """Seconds as a header or a body gives them."""
    try:
        return min(_DAY_S, max(0.0, float(value))) if isinstance(value, str | int | float) else otherwise
    except ValueError:
        return otherwise


def _why(said: Mapping[str, Any], status: int) -> str:
    code = said.get("code")
    message = str(said.get("message") or f"status {status}")
    return f"{message} (code {code})" if code else message


def _said(error: Exception) -> str:
    """What is wrong with a connection; aiohttp names the host there, and in a timeout the whole URL."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection to {error.host}: {error.os_error.strerror or type(error.os_error).__name__}"
    return "no connection in time"
