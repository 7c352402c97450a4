"""How the HTTP side says yes and no: JSON, errors in one shape, headers that a browser needs.

Rule: a response may do nothing in a browser but what a page of ours needs, and that page says so itself.

Error shape: {"error": {"code": "...", "message": "...", "details": [...]}}.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

SAFE_HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Server": "botrunner",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
}


def answer(value: Any, status: int = 200) -> web.Response:  # noqa: ANN401 - any JSON value
    """A JSON answer."""
    body = json.dumps(value, ensure_ascii=False).encode(
        errors="replace"
    )  # a caller's words may be no Unicode
    return web.Response(body=body, status=status, content_type="application/json", headers=SAFE_HEADERS)


def refusal(
    status: int,
    code: str,
    message: str,
    details: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """An error, in the one shape that all have."""
    body = {"error": {"code": code, "message": message, "details": list(details)}}
    response = answer(body, status)
    response.headers.update(headers or {})
    return response


def moved(path: str) -> web.Response:
    """Look there instead, with a GET."""
    return web.Response(status=303, headers={**SAFE_HEADERS, "Location": path})
