"""What a request brings with it: read whole, in time, and no longer than it may be.

Rules: a body is read within `BODY_S` and up to `MAX_BODY`, a platform's up to `MAX_HOOK`, a batch's up to as much as
a batch may have, and within longer; it is taken as it came,
so one that is packed is refused; whoever sends one that ends too soon or breaks HTTP's rules is told, and nobody
else is.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from runner.web.answers import refusal

MAX_BODY = 1024 * 1024
MAX_HOOK = 4 * 1024 * 1024
"""Bytes: Meta gathers up to 3 MiB in one webhook. Adapters whose platforms post less take less."""
BODY_S = 5.0
MOST_FIELDS = 100


async def body_of(request: web.Request, most: int = MAX_BODY) -> bytes | web.Response:
    """The body's bytes, or what to answer instead."""
    if most > MAX_HOOK:
        request = request.clone(client_max_size=most)
    within_s = BODY_S * max(1, most // MAX_HOOK)
    packed = request.headers.get("Content-Encoding", "identity").lower()
    if packed != "identity":
        return refusal(415, "packed", f"send the body as it is, without Content-Encoding: {packed}")
    try:
        if request.content.is_eof():  # all of it came with the headers: nothing to wait for
            body = await request.read()
        else:
            async with asyncio.timeout(within_s):
                body = await request.read()
    except TimeoutError:
        return _over(
            request, refusal(408, "too_slow", f"the body did not arrive within {within_s:g} seconds")
        )
    except web.HTTPRequestEntityTooLarge:
        return _too_large(most)
    except (ConnectionError, web.RequestPayloadError):
        return _over(request, refusal(400, "cut", "the body did not come whole"))
    return body if len(body) <= most else _too_large(most)


def _too_large(most: int) -> web.Response:
    return refusal(413, "too_large", f"the body may have {most} bytes")


def _over(request: web.Request, response: web.Response) -> web.Response:
    """Nothing more of the body is waited for, so the connection is of no further use."""
    request.content.feed_eof()
    response.force_close()
    return response


async def json_object(request: web.Request, most: int = MAX_BODY) -> dict[str, Any] | web.Response:
    """The body as a JSON object, or what to answer instead."""
    raw = await body_of(request, most)
    if isinstance(raw, web.Response):
        return raw
    try:
        body = json.loads(raw.decode(), parse_constant=_no_number)
    except (ValueError, RecursionError):
        return refusal(400, "invalid", "the body must be JSON in UTF-8")
    if not isinstance(body, dict):
        return refusal(400, "invalid", "the body must be a JSON object")
    return body


async def form_of(request: web.Request) -> dict[str, str] | web.Response:
    """The fields of a form that a page of ours sent, or what to answer instead; of two of one name the last one."""
    raw = await body_of(request)
    if isinstance(raw, web.Response):
        return raw
    try:
        fields = parse_qsl(raw.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:
        return refusal(400, "invalid", "the body must be the fields of a form, in UTF-8")
    return dict(fields)


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no JSON")
