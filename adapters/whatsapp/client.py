"""The Graph API over the process's one session: calls in, JSON or one of our errors out.

Rules: every exception that leaves this module is from `adapters.errors` or below, and no text in it holds the
token. Whether a request was certainly not sent is told apart from everything else.

    NotConnected  no byte left: DNS, connect, TLS        Refused      Meta said no, with its code
    Unreachable   everything else: its fate is unknown
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from adapters.errors import AdapterError, Unreachable
from adapters.http import Shared
from adapters.signatures import sha256_hex
from adapters.whatsapp.config import Config
from adapters.whatsapp.faults import Fault, fault_of

_OK = 200
_GARBAGE = "Meta's answer cannot be read"
_SECONDS_A_MINUTE = 60.0
_LONGEST_WAIT_S = 3600.0
NUMBER = "verified_name,display_phone_number"
WEBHOOK = "webhook_configuration"
_HOSTS = ("facebook.com", "fbsbx.com", "whatsapp.net")
"""Where Meta keeps files."""


class NotConnected(Unreachable):
    """No connection: nothing was sent."""


class Refused(AdapterError):
    """Meta said no. `retry_after_s`: the seconds that it asked for, if any."""

    def __init__(self, fault: Fault, retry_after_s: float | None) -> None:
        super().__init__(str(fault))
        self.fault = fault
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, in seconds.

    Attributes:
        connect_s, call_s: for a connection, for an answer.
        fate_s: for the status of a message that may or may not have arrived.
        probe_s: between two looks whether the credentials still hold.
        deliver_s: for a webhook's messages to become durable, before Meta is told to come again.
    """

    connect_s: float = 10.0
    call_s: float = 20.0
    fate_s: float = 20.0
    probe_s: float = 300.0
    deliver_s: float = 10.0


class Client:
    """What the bot asks of Meta."""

    __slots__ = ("_app_secret", "_number_id", "_patience", "_root", "_shared", "_token", "_url")

    def __init__(self, config: Config, shared: Shared, patience: Patience) -> None:
        self._token = config.access_token.get_secret_value()
        self._app_secret = config.app_secret.get_secret_value()
        self._number_id = config.phone_number_id
        self._root = f"{config.api_base_url}/{config.graph_version}"
        self._url = f"{self._root}/{self._number_id}"
        self._shared = shared
        self._patience = patience

    async def number(self, *fields: str, proven: bool = False) -> Mapping[str, Any]:
        """Facts of the business phone number.

        Args:
            fields: names of facts.
            proven: sign the call with the app secret, which Meta then checks.
        """
        query = {"fields": ",".join(fields)}
        if proven:
            query["appsecret_proof"] = sha256_hex(self._app_secret, self._token.encode())
        return await self._call("GET", self._url, query=query)

    async def medium(self, media_id: str) -> Mapping[str, Any]:
        """What Meta says of a file: its `url`, `mime_type` and `file_size`."""
        query = {"phone_number_id": self._number_id}
        return await self._call("GET", f"{self._root}/{media_id}", query=query)

    async def download(self, url: str, max_bytes: int) -> bytes | None:
        """The bytes of a file; None where there are more than `max_bytes`. The token goes to Meta's hosts only."""
        if not self._is_metas(url):
            raise Unreachable("the file is at an address that is not Meta's")
        async with self._requested("GET", url) as response:
            if response.status != _OK:
                raise Unreachable(f"Meta answered {response.status}")
            data = bytearray()
            async for piece in response.content.iter_any():
                data += piece
                if len(data) > max_bytes:
                    return None
            return bytes(data)

    async def post(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """Post to the number's messages: a message, or that one was read."""
        return await self._call("POST", f"{self._url}/messages", fields=fields)

    def scrub(self, text: str) -> str:
        """A text for a person, without the secrets that a proxy's page may repeat."""
        return text.replace(self._token, "***").replace(self._app_secret, "***")

    def _is_metas(self, url: str) -> bool:
        try:
            asked = urlsplit(url)
            host = asked.hostname or ""
        except ValueError:
            return False
        ours = urlsplit(self._root)
        if (asked.scheme, asked.netloc) == (ours.scheme, ours.netloc):
            return True
        return asked.scheme == "https" and any(f".{host}".endswith(f".{known}") for known in _HOSTS)

    async def _call(
        self,
        method: str,
        url: str,
        query: Mapping[str, str] | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> Mapping[str, Any]:
        async with self._requested(method, url, query, fields) as response:
            status, payload, told = response.status, await response.read(), response.headers
        return self._read(status, payload, told)

    @asynccontextmanager
    async def _requested(
        self,
        method: str,
        url: str,
        query: Mapping[str, str] | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """An answer, and whatever goes wrong with it as one of our errors."""
        patience = self._patience
        timeout = aiohttp.ClientTimeout(
            total=patience.call_s, connect=min(patience.call_s, patience.connect_s)
        )
        headers = {"Authorization": f"Bearer {self._token}"}
        body = None if fields is None else json.dumps(fields, ensure_ascii=False).encode(errors="replace")
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            async with self._shared.session.request(
                method, url, params=query, data=body, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                yield response
        except aiohttp.ClientConnectorError as error:
            why = error.os_error.strerror or type(error.os_error).__name__
            raise NotConnected(f"no connection to {error.host}: {why}") from None
        except aiohttp.ConnectionTimeoutError:
            raise NotConnected("no connection in time") from None
        except TimeoutError:
            raise Unreachable(f"no answer within {patience.call_s:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unreachable(f"the connection broke: {type(error).__name__}") from None

    def _read(self, status: int, payload: bytes, headers: Mapping[str, str]) -> Mapping[str, Any]:
        try:
            raw = json.loads(payload)
        except (ValueError, RecursionError):
            raw = None
        if not isinstance(raw, dict):
            raise Unreachable(f"Meta answered {status} with something else than JSON")
        if status == _OK and "error" not in raw:
            return raw
        try:
            fault = fault_of(raw["error"])
        except (AttributeError, KeyError, TypeError, ValueError):
            raise Unreachable(f"{_GARBAGE} ({status})") from None
        raise Refused(Fault(fault.code, self.scrub(fault.text)), retry_after_s(headers))


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The seconds that an answer's headers ask for; None where they do not say."""
    waits = [_number(headers.get("Retry-After"))]
    try:
        usage = json.loads(headers.get("X-Business-Use-Case-Usage", "{}"))
        limits = [limit for limits in usage.values() for limit in limits]
        minutes = [_number(limit.get("estimated_time_to_regain_access")) for limit in limits]
    except (AttributeError, TypeError, ValueError, RecursionError):
        minutes = []
    waits += [None if count is None else count * _SECONDS_A_MINUTE for count in minutes]
    asked = max((wait for wait in waits if wait), default=None)
    return None if asked is None else min(asked, _LONGEST_WAIT_S)


def _number(value: object) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return float(value) if isinstance(value, str) and value.isascii() and value.isdigit() else None
