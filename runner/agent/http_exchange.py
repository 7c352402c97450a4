"""One HTTP request of a tool and what the model reads of its answer.

Rules: nothing that a server or the network does raises; a fault is told in plain words that hold no URL and no
header. Redirects are not followed: a 3xx is a failing answer. At most `MAX_BODY` bytes of an answer are read,
and at most the bot's limit of characters is handed on, saying that something was cut. What stands in the tool's
own headers is struck out of an answer that echoes it.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import aiohttp
from yarl import URL

from runner.agent.http_request import HttpRequest
from runner.agent.tool_sessions import NOT_ALLOWED
from runner.bots import Secret

MAX_BODY = 256 * 1024
_CHUNK = 16 * 1024
_CHARSETS = (
    "utf-8",
    "utf-16",
    "us-ascii",
    "iso-8859",
    "latin",
    "windows-125",
    "cp125",
    "koi8",
    "shift",
    "euc",
    "gb",
    "big5",
)
_NO_SECRETS = frozenset({"accept", "accept-language", "content-type", "user-agent"})
_SHORTEST_SECRET = 6


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of it; `text` is not capped yet. `cut`: there was more than was read."""

    ok: bool
    text: str
    cut: bool = False


async def exchange(
    session: aiohttp.ClientSession, request: HttpRequest, headers: Mapping[str, Secret], timeout_s: float
) -> Answer:
    """Send the request and read its answer, all within `timeout_s` seconds."""
    sent = {name: value.reveal() for name, value in headers.items()}
    if request.body is not None and "content-type" not in map(str.lower, sent):
        sent["Content-Type"] = "application/json"
    try:
        async with session.request(
            request.method,
            URL(request.url, encoded=True),
            data=request.body,
            headers=sent,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=timeout_s),
        ) as response:
            body, cut = await _read(response)
    except TimeoutError:
        return Answer(ok=False, text=f"The server did not answer within {timeout_s:g} seconds.")
    except (aiohttp.ClientError, aiohttp.http_exceptions.HttpProcessingError, OSError, ValueError) as error:
        return Answer(ok=False, text=_in_words(error))
    text = _struck_out(_decoded(body, response.charset, response.content_type), sent)
    return _answer(response.status, text, cut=cut)


async def _read(response: aiohttp.ClientResponse) -> tuple[bytes, bool]:
    """The body up to `MAX_BODY` bytes, and whether there was more; then the connection is given up."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK):
        body += chunk
        if len(body) > MAX_BODY:
            response.close()
            return bytes(body[:MAX_BODY]), True
    return bytes(body), False


def _answer(status: int, text: str, *, cut: bool) -> Answer:
    ok = 200 <= status < 300  # noqa: PLR2004 - HTTP
    if ok:
        return Answer(ok=True, text=text or f"HTTP {status}, without content", cut=cut)
    if 300 <= status < 400:  # noqa: PLR2004 - HTTP
        return Answer(
            ok=False, text=f"HTTP {status}: the server points elsewhere; redirects are not followed."
        )
    return Answer(
        ok=False, text=f"HTTP {status}: {text}" if text else f"HTTP {status}, without content", cut=cut
    )


def _decoded(body: bytes, charset: str | None, content_type: str) -> str:
    """The body as text; what is none is only described."""
    known = charset is not None and charset.lower().startswith(_CHARSETS)
    try:
        text = body.decode(charset if known and charset else "utf-8", errors="replace")
    except (LookupError, UnicodeError):
        text = body.decode("utf-8", errors="replace")
    if "\0" in text:
        return f"[{content_type}: {len(body)} bytes that are no text]"
    return text


def _struck_out(text: str, headers: Mapping[str, str]) -> str:
    """The text without what the request's headers hold."""
    for secret in sorted(set(_secrets(headers)), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def _secrets(headers: Mapping[str, str]) -> Iterable[str]:
    for name, value in headers.items():
        if name.lower() not in _NO_SECRETS:
            yield from (part for part in (value, *value.split()) if len(part) >= _SHORTEST_SECRET)


def _in_words(error: Exception) -> str:
    """What went wrong; made from the kind of error only, since its text may hold the URL."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "The server's name could not be resolved."
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError() | ssl.SSLError():
            return "The server's TLS certificate or handshake was not accepted."
        case aiohttp.ClientConnectorError() if NOT_ALLOWED in str(error.os_error):
            return f"The server has {NOT_ALLOWED}."
        case aiohttp.ClientConnectorError():
            return "The server could not be reached."
        case aiohttp.InvalidURL():
            return "This tool's URL is not usable."
        case _:
            return f"The server's answer could not be read ({type(error).__name__})."
