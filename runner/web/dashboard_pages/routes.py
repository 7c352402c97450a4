"""The dashboard's addresses: who may ask, and who answers.

    browser ─▶ signed in? ─▶ not too often? ─▶ a form: ours, meant, allowed? ─▶ handler ─▶ page
                 └ no: to /login                 └ no: 403, as a page

Rules: the handlers and the template engine are loaded when the first page is asked for, off the loop; a session that
may read changes nothing; whatever is refused is told as a page (`troubles`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

from aiohttp import web

from runner.web.answers import moved, refusal
from runner.web.bodies import form_of
from runner.web.entry import CALLS_PER_MINUTE, Doorkeeper
from runner.web.pages import Pages
from runner.web.parts import WebParts
from runner.web.sessions import CSRF_FIELD, Session, Sessions

if TYPE_CHECKING:
    from runner.web.dashboard_pages.desk import Visit

Handle = Callable[["Visit"], Awaitable[web.Response]]

OVERVIEW = "overview"
PLACES: Mapping[tuple[str, str], str] = {
    ("GET", "/bots/{bot_id}"): "bot",
    ("GET", "/bots/{bot_id}/conversations"): "conversations",
    ("GET", "/bots/{bot_id}/settings"): "settings",
    ("GET", "/conversations/{conversation_id}"): "conversation",
    ("GET", "/console"): "console",
    ("GET", "/usage"): "usage",
    ("GET", "/usage.csv"): "usage-csv",
    ("GET", "/handoffs"): "handoffs",
    ("GET", "/wallet"): "wallet",
    ("POST", "/bots/{bot_id}/cap"): "save-cap",
    ("POST", "/bots/{bot_id}/settings"): "save-settings",
    ("POST", "/console"): "say",
    ("POST", "/handoffs/{handoff_id}/approve"): "decide",
    ("POST", "/handoffs/{handoff_id}/reject"): "decide",
    ("POST", "/wallet/top-ups"): "top-up",
    ("POST", "/wallet/reconcile"): "reconcile",
    ("POST", "/wallet/clear"): "clear",
}
"""Who answers, by method and path."""
_READS = frozenset({"GET", "HEAD"})
PATHS = frozenset(path for _, path in PLACES)


class Dashboard:
    """Takes requests for pages in."""

    def __init__(self, parts: WebParts, sessions: Sessions, door: Doorkeeper, pages: Pages) -> None:
        self._parts = parts
        self._sessions = sessions
        self._door = door
        self._pages = pages
        self._making = asyncio.Lock()
        self._made: Mapping[str, Handle] | None = None

    def routes(self) -> list[web.RouteDef]:
        """All but `/`."""
        return [web.route(method, path, self._handler(name)) for (method, path), name in PLACES.items()]

    async def overview(self, request: web.Request) -> web.StreamResponse:
        """`/`."""
        return await self._answer(request, OVERVIEW)

    def _handler(self, name: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            return await self._answer(request, name)

        return handle

    async def _answer(self, request: web.Request, name: str) -> web.StreamResponse:
        session = await self._sessions.of(request)
        if session is None:
            back = f"?after={quote(request.path_qs, safe='')}" if request.method in _READS else ""
            return moved(f"/login{back}")
        limited = self._door.limited(f"page {session.id}", CALLS_PER_MINUTE)
        if limited is not None:
            return limited
        seen = self._parts.changes.number
        form = {} if request.method in _READS else await self._form(request, session)
        if isinstance(form, web.Response):
            return form
        handlers = await self._ready()
        from runner.web.dashboard_pages.desk import Visit  # noqa: PLC0415 - loaded with the handlers

        return await handlers[name](Visit(request, session, seen, form))

    async def _form(self, request: web.Request, session: Session) -> dict[str, str] | web.Response:
        """What a form of ours sent, or why it is not taken."""
        form = await form_of(request)
        if isinstance(form, web.Response):
            return form
        if not self._sessions.is_meant(request, session, form.get(CSRF_FIELD)):
            return refusal(
                403,
                "forbidden",
                "This was not sent by a page of this daemon, or the page is from an earlier session.",
            )
        if session.scope != "admin":
            return refusal(
                403, "forbidden", "You are signed in to read: only the scope admin may change anything."
            )
        return form

    async def _ready(self) -> Mapping[str, Handle]:
        async with self._making:
            if self._made is None:
                self._made = await asyncio.to_thread(_handlers, self._parts, self._door, self._pages)
            return self._made


def _handlers(parts: WebParts, door: Doorkeeper, pages: Pages) -> Mapping[str, Handle]:
    from runner.web.dashboard_pages.handlers import handlers  # noqa: PLC0415 - as the rules say

    return handlers(parts, door, pages)
