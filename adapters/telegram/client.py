"""The Bot API over the process's one session: calls in, results or one of our errors out.

Rules: every exception that leaves this module is from `adapters.errors` or below, and no text in it holds the
token (`Client.scrub`; causes are cut off, since aiohttp puts whole URLs into its own). Whether a request was
certainly not sent is told apart from everything else, for only then may a message be sent again.

    NotConnected   no byte left: DNS, connect, TLS        SlowDown   429, with its seconds
    Refused        Telegram said no: 400, 403 …           Contested  409, somebody else takes our updates
    Unreachable    everything else: its fate is unknown   RefusedConnection  401 or 404: the token is dead
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

from adapters.errors import AdapterError, RefusedConnection, Unreachable
from adapters.http import Shared
from adapters.telegram import library
from adapters.telegram.config import Config
from adapters.telegram.wire import ALLOWED_UPDATES, COMMANDS, Me

_OK = 200
_TOO_MANY = 429
_SERVER_ERROR = 500
_LONGEST_WHY = 200
_MOST_CORRECTIONS = 3
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_GARBAGE = "Telegram's answer cannot be read"


class NotConnected(Unreachable):
    """No connection: nothing was sent."""


class SlowDown(Unreachable):
    """Telegram asks for a pause; nothing was done."""


class Contested(Unreachable):
    """Somebody else takes this bot's updates; `by_webhook`: a webhook that was left behind."""

    def __init__(self, why: str, *, by_webhook: bool) -> None:
        super().__init__(why)
        self.by_webhook = by_webhook


class Refused(AdapterError):
    """Telegram will not do this call. `migrated_to`: the id that the chat has now, where that is why."""

    def __init__(self, why: str, migrated_to: int | None = None) -> None:
        super().__init__(why)
        self.migrated_to = migrated_to


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds.

    Attributes:
        connect_s, call_s: for a connection, for an answer.
        poll_grace_s: for a poll, after it should have ended.
        deliver_s: for a posted message to become durable, before Telegram is asked to come again.
    """

    connect_s: float = 10.0
    call_s: float = 20.0
    poll_grace_s: float = 10.0
    deliver_s: float = 30.0


class _NotConnected(library.NetworkError):
    """The library's side of NotConnected."""


class _SlowDown(library.TelegramError):
    """The library's side of SlowDown; its own RetryAfter warns about itself whenever it is made."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(f"Too Many Requests: retry after {retry_after_s:g}")
        self.retry_after_s = retry_after_s


class _SessionRequest(library.BaseRequest):
    """The library's requests on the shared session. The library times nothing, aiohttp does."""

    __slots__ = ("_patience", "_shared")

    def __init__(self, shared: Shared, patience: Patience) -> None:
        self._shared = shared
        self._patience = patience

    @property
    def read_timeout(self) -> float:
        return self._patience.call_s

    async def initialize(self) -> None:
        """Nothing: the session is made when it is used."""

    async def shutdown(self) -> None:
        """Nothing: the session is everybody's."""

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """As the library's own, which logs the whole payload where it cannot read it."""
        try:
            parsed = json.loads(payload)
        except (ValueError, RecursionError):
            parsed = None
        if not isinstance(parsed, dict):
            raise library.TelegramError(_GARBAGE)
        return parsed

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: library.RequestData | None = None,
        read_timeout: object = library.BaseRequest.DEFAULT_NONE,
        write_timeout: object = None,
        connect_timeout: object = None,
        pool_timeout: object = None,
    ) -> tuple[int, bytes]:
        total = read_timeout if isinstance(read_timeout, float) else self._patience.call_s
        timeout = aiohttp.ClientTimeout(total=total, connect=min(total, self._patience.connect_s))
        # Encoded here: aiohttp's form class makes a multipart writer first, which doubles the cost of a call.
        body = request_data.url_encoded_parameters().encode() if request_data is not None else b""
        try:
            async with self._shared.session.request(
                method, url, data=body, headers=_FORM, timeout=timeout, allow_redirects=False
            ) as response:
                status, payload = response.status, await response.read()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise _NotConnected(_said(error)) from None
        except TimeoutError:
            raise library.TimedOut(f"no answer within {total:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise library.NetworkError(f"the connection broke: {type(error).__name__}") from None
        if status == _TOO_MANY:
            raise _SlowDown(_retry_after(payload))
        if status >= _SERVER_ERROR:
            raise library.NetworkError(f"Telegram answered {status}")
        return status, payload


def _said(error: Exception) -> str:
    """What is wrong with a connection; aiohttp names the host there, and in a timeout the whole URL."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection to {error.host}: {error.os_error.strerror or type(error.os_error).__name__}"
    return "no connection in time"


def _retry_after(payload: bytes) -> float:
    """The seconds that a 429 asks for; one second where it does not say."""
    try:
        return max(0.0, float(json.loads(payload)["parameters"]["retry_after"]))
    except (KeyError, TypeError, ValueError, RecursionError):
        return 1.0


class Client:
    """What the bot asks of Telegram."""

    __slots__ = ("_bot", "_commands", "_patience", "_poll_read_s", "_poll_timeout_s", "_shared", "_token")

    def __init__(self, config: Config, shared: Shared, patience: Patience) -> None:
        # At level DEBUG the library's Bot logs its address, token and all, as soon as it is made.
        logging.getLogger("telegram.Bot").setLevel(logging.INFO)
        self._token = config.bot_token.get_secret_value()
        request = _SessionRequest(shared, patience)
        self._bot = library.Bot(
            self._token,
            base_url=f"{config.api_base_url}/bot",
            base_file_url=f"{config.api_base_url}/file/bot",
            request=request,
            get_updates_request=request,
        )
        self._commands = config.commands
        self._patience = patience
        self._shared = shared
        self._poll_timeout_s = config.poll_timeout_s
        self._poll_read_s = config.poll_timeout_s + patience.poll_grace_s

    async def me(self) -> Me:
        """Who the token belongs to."""
        raw = await self.call("getMe")
        if not isinstance(raw, dict) or not isinstance(raw.get("id"), int):
            raise Unreachable(_GARBAGE)
        return Me(raw["id"], str(raw.get("username") or ""))

    async def introduce(self) -> Me:
        """Who the token belongs to; tells Telegram our commands, unless a person keeps the list. Raises as `me`."""
        me = await self.me()
        if self._commands:
            with suppress(
                Unreachable, Refused
            ):  # a menu that is not there stops nobody; the next start tries again
                await self.call("setMyCommands", {"commands": COMMANDS})
        return me

    async def updates(self, offset: int | None, *, hold: bool) -> list[Any]:
        """What is new from `offset` on, which confirms all before it; None confirms nothing.

        With `hold`, Telegram keeps the request open until there is something or the poll's time is over.
        """
        raw = await self.call(
            "getUpdates",
            {
                "offset": offset,
                "timeout": self._poll_timeout_s if hold else 0,
                "allowed_updates": ALLOWED_UPDATES,
            },
            read_s=self._poll_read_s,
        )
        if not isinstance(raw, list):
            raise Unreachable(_GARBAGE)
        return raw

    async def set_webhook(self, url: str, secret: str) -> None:
        """Let Telegram post updates to `url`, each with the secret token."""
        fields = {"url": url, "secret_token": secret, "allowed_updates": ALLOWED_UPDATES}
        await self.call("setWebhook", fields)

    async def webhook(self) -> Mapping[str, Any]:
        """What Telegram says of the webhook: `url`, `pending_update_count`, `last_error_date` and more."""
        raw = await self.call("getWebhookInfo")
        if not isinstance(raw, dict):
            raise Unreachable(_GARBAGE)
        return raw

    async def remove_webhook(self) -> None:
        """Take back a webhook, keeping what waits for it."""
        await self.call("deleteWebhook", {"drop_pending_updates": False})

    async def call(
        self, method: str, fields: Mapping[str, object] | None = None, read_s: float | None = None
    ) -> Any:  # noqa: ANN401 - whatever the platform sent
        """Call a method; fields that are None are left out. Raises as the module says."""
        parameters = [library.RequestParameter(name, value, None) for name, value in (fields or {}).items()]
        try:
            return await self._bot.request.post(
                f"{self._bot.base_url}/{method}",
                library.RequestData(parameters),
                read_timeout=library.BaseRequest.DEFAULT_NONE if read_s is None else read_s,
            )
        except library.TelegramError as error:
            raise self._translated(error) from None
        except (KeyError, TypeError, AttributeError):
            raise Unreachable(_GARBAGE) from None  # JSON, but not Telegram's

    async def call_mended(self, method: str, fields: dict[str, object]) -> Any:  # noqa: ANN401 - as call
        """Call a method; what Telegram refuses and can be mended in the parameters is tried again. As `call`."""
        for _ in range(_MOST_CORRECTIONS):
            try:
                return await self.call(method, fields)
            except Refused as refused:
                if not _corrected(fields, refused):
                    raise
        return await self.call(method, fields)

    async def download(self, path: str, max_bytes: int) -> bytes | None:
        """The bytes of a file that getFile has named; None where they are more than `max_bytes`. Raises as `call`."""
        total = self._patience.call_s
        timeout = aiohttp.ClientTimeout(total=total, connect=min(total, self._patience.connect_s))
        url = f"{self._bot.base_file_url}/{quote(path)}"
        try:
            async with self._shared.session.get(
                URL(url, encoded=True), timeout=timeout, allow_redirects=False
            ) as response:
                if response.status != _OK:
                    raise Unreachable(f"Telegram answered {response.status} to a download")
                return await _at_most(response.content, max_bytes)
        except TimeoutError:
            raise Unreachable(f"no whole file within {total:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Unreachable(f"the connection broke: {type(error).__name__}") from None

    def scrub(self, text: str) -> str:
        """A text for a person: short and without the token, which a proxy's error page may repeat."""
        return text.replace(self._token, "***")[:_LONGEST_WHY]

    def _translated(self, error: library.TelegramError) -> AdapterError:
        said = self.scrub(error.message)
        match error:
            case _NotConnected():
                return NotConnected(said)
            case _SlowDown(retry_after_s=seconds):
                return SlowDown(said, seconds)
            case library.TelegramError(__cause__=None):
                return _refusal(error, said)
            case (
                _
            ):  # a body that is not JSON: no answer of Telegram's, whatever its status, but a proxy's page
                return Unreachable(said)


async def _at_most(content: aiohttp.StreamReader, most: int) -> bytes | None:
    """All there is, or None as soon as it is too much."""
    data = bytearray()
    async for piece in content.iter_any():
        data += piece
        if len(data) > most:
            return None
    return bytes(data)


def _refusal(error: library.TelegramError, said: str) -> AdapterError:
    """Telegram's own no as one of our errors."""
    match error:
        case library.ChatMigrated(new_chat_id=chat):
            return Refused(said, migrated_to=chat)
        case library.InvalidToken():
            return RefusedConnection(f"Telegram does not accept the token ({said})")
        case library.Conflict():
            return Contested(said, by_webhook="webhook" in said.lower())
        case library.BadRequest() | library.Forbidden():
            return Refused(said)
        case _:
            return Unreachable(said)


def _corrected(fields: dict[str, object], refused: Refused) -> bool:
    """Mend what can be mended in the parameters; False where nothing can."""
    said = str(refused).lower()
    if refused.migrated_to is not None:
        fields["chat_id"] = str(refused.migrated_to)
        fields.pop("message_thread_id", None)
        fields.pop("reply_parameters", None)
        return True
    if "thread not found" in said and "message_thread_id" in fields:
        del fields["message_thread_id"]
        return True
    if "parse entities" in said and "entities" in fields:
        del fields["entities"]
        return True
    return False
