"""What goes wrong on the way to a page is a page too: refusals as people read them.

Rule: it holds for the paths of pages, and elsewhere for browsers that ask for a page; calls of the API, their faults
included, stay JSON.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from runner.errors import StoreError
from runner.web.pages import Pages
from runner.web.sessions import Session, Sessions

if TYPE_CHECKING:
    from runner.web.dashboard.views import Trouble

_NO_PAGES = ("/api/", "/health", "/metrics", "/chat/", "/static/", "/events")
_TITLES = {
    400: "That cannot be answered",
    401: "Sign in first",
    403: "That is not allowed",
    404: "There is no such page",
    405: "That cannot be done here",
    408: "That took too long",
    413: "That is too large",
    429: "That is too much at once",
    503: "Not just now",
}
_KEPT = ("Allow", "Retry-After")


def troubles(sessions: Sessions, pages: Pages, paths: Collection[str]) -> Middleware:
    """Makes pages of refusals. `paths`: of pages, as their routes name them."""

    @web.middleware
    async def as_page(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        refused = isinstance(response, web.Response) and response.content_type == "application/json"
        if response.status < 400 or not refused or not _wants_page(request, paths):  # noqa: PLR2004 - as HTTP says
            return response
        made = await pages.page(
            pages.frame(await _asker(sessions, request)), _trouble(response), response.status
        )
        made.headers.update({name: response.headers[name] for name in _KEPT if name in response.headers})
        return made

    return as_page


async def _asker(sessions: Sessions, request: web.Request) -> Session | None:
    try:
        return await sessions.of(request)
    except StoreError:  # very likely what the page is about
        return None


def _wants_page(request: web.Request, paths: Collection[str]) -> bool:
    resource = request.match_info.route.resource
    if resource is not None and resource.canonical in paths:
        return True
    return "text/html" in request.headers.get("Accept", "") and not request.path.startswith(_NO_PAGES)


def _trouble(response: web.StreamResponse) -> Trouble:
    from runner.web.dashboard.views import Trouble  # noqa: PLC0415 - with the first page

    title = _TITLES.get(response.status, "Something went wrong here")
    body = getattr(response, "body", b"")
    told: Any = json.loads(body) if isinstance(body, bytes) else {}
    return Trouble(response.status, title, str(told.get("error", {}).get("message", "")))
