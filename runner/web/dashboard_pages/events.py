"""`GET /events`: server-sent events that say "something changed", and nothing of what it was.

    page with its number ──▶ /events?seen=41 ──▶ event: change … at most one in `QUIET_S` … ──▶ the page looks again

Rules: what changed while a page was on its way is told at once, for the page says what it has seen; where nothing
happens, a comment now and then keeps the line open and finds out who is gone; it ends with the session, with the
daemon, when the browser leaves, and when the store fails; who is one too many is asked to come again later.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiohttp import web

from runner.errors import StoreError
from runner.web.answers import SAFE_HEADERS, refusal
from runner.web.live import Changes
from runner.web.sessions import Sessions

PATH = "/events"
QUIET_S = 1.0
HEARTBEAT_S = 15.0
_AGAIN_MS = 3000
_MOST_DIGITS = 15


class Events:
    """The handler. Times in seconds."""

    def __init__(
        self, changes: Changes, sessions: Sessions, quiet_s: float = QUIET_S, heartbeat_s: float = HEARTBEAT_S
    ) -> None:
        self._changes = changes
        self._sessions = sessions
        self._quiet_s = quiet_s
        self._heartbeat_s = heartbeat_s

    def routes(self) -> list[web.RouteDef]:
        """The one."""
        return [web.get(PATH, self._listen, allow_head=False)]

    async def _listen(self, request: web.Request) -> web.StreamResponse:
        session = await self._sessions.of(request)
        if session is None:
            return refusal(401, "unauthorized", "sign in first")
        with self._changes.listening(session.id) as free:
            if not free:
                return refusal(503, "too_many", "too many pages listen", headers={"Retry-After": "10"})
            response = web.StreamResponse(headers={**SAFE_HEADERS, "Content-Type": "text/event-stream"})
            with suppress(ConnectionError, StoreError):  # the browser left; or who it is cannot be told
                await response.prepare(request)
                await response.write(b"retry: %d\n\n" % _AGAIN_MS)
                await self._tell(request, response, _seen(request, self._changes.number))
            return response

    async def _tell(self, request: web.Request, response: web.StreamResponse, seen: int) -> None:
        changes = self._changes
        while await self._sessions.of(request) is not None:
            try:
                async with asyncio.timeout(self._heartbeat_s):
                    await changes.after(seen)
            except TimeoutError:
                await response.write(b": still here\n\n")
                continue
            if changes.closed or await self._sessions.of(request) is None:
                return
            seen = changes.number
            await response.write(b"event: change\ndata: %d\n\n" % seen)
            await changes.quiet(self._quiet_s)


def _seen(request: web.Request, now: int) -> int:
    """Up to where the page that asks has seen everything."""
    text = request.query.get("seen", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else now
