"""Signing in to the dashboard and out of it.

    GET  /login[?token=…&after=…]   a button where a link brought its key, else a field for a token
    POST /login  token, after       a link's key (once) or a token of the admin API ─▶ a session
    POST /logout csrf               the session ends

Rules: looking at a link does not use it up, so that whoever previews links uses up none; a session may do what its
token may and lives no longer; tries are counted by address, by all daemons together; nobody is led to another site.
Where the store fails nobody is signed in, or told to be signed out: that is the server's 503.
"""

from __future__ import annotations

from aiohttp import web

from runner.web.answers import moved
from runner.web.auth import Grant, NoEntry, check_token
from runner.web.bodies import form_of
from runner.web.entry import LOGINS_PER_MINUTE, Doorkeeper
from runner.web.pages import Pages
from runner.web.sessions import CSRF_FIELD, Sessions

PATH = "/login"


class Login:
    """The handlers."""

    def __init__(self, secret: bytes, sessions: Sessions, door: Doorkeeper, pages: Pages) -> None:
        self._secret = secret
        self._sessions = sessions
        self._door = door
        self._pages = pages

    def routes(self) -> list[web.RouteDef]:
        """All of them."""
        return [web.get(PATH, self._ask), web.post(PATH, self._enter), web.post("/logout", self._leave)]

    async def _ask(self, request: web.Request) -> web.StreamResponse:
        token, after = request.query.get("token", ""), _ours(request.query.get("after", "/"))
        if not token and await self._sessions.of(request) is not None:
            return moved(after)
        return await self._page("", token, after)

    async def _enter(self, request: web.Request) -> web.StreamResponse:
        form = await form_of(request)
        if isinstance(form, web.Response):
            return form
        token, after = form.get("token", "").strip(), _ours(form.get("after", "/"))
        limited = await self._door.limited_by_all(f"login {request.remote}", LOGINS_PER_MINUTE)
        if limited is not None:
            page = await self._page("Too many tries; wait a minute.", "", after, 429)
            page.headers["Retry-After"] = limited.headers["Retry-After"]
            return page
        if not self._sessions.is_from_our_page(request):
            return await self._page("Sign in on this page.", "", after, 403)
        grant = await self._granted(token)
        if isinstance(grant, str):
            return await self._page(grant, "", after, 401)
        response = moved(after)
        self._sessions.open(response, grant.scope, grant.ends_s * 1000 or None)
        return response

    async def _leave(self, request: web.Request) -> web.StreamResponse:
        form = await form_of(request)
        if isinstance(form, web.Response):
            return form
        session = await self._sessions.of(request)
        response = moved(PATH)
        if session is not None and self._sessions.is_meant(request, session, form.get(CSRF_FIELD)):
            await self._sessions.end(session, response)
        return response

    async def _granted(self, token: str) -> Grant | str:
        """What the token opens, or why nothing."""
        if await self._sessions.redeem(token):
            return Grant("admin", 0)
        try:
            return check_token(self._secret, f"Bearer {token}", "read")
        except NoEntry:
            return "This token or link is not good, was used already, or has ended."

    async def _page(self, fault: str, token: str, after: str, status: int = 200) -> web.Response:
        from runner.web.dashboard.views import LoginPage  # noqa: PLC0415 - with the first page

        return await self._pages.page(self._pages.frame(None), LoginPage(fault, token, after), status)


def _ours(path: str) -> str:
    """The path, if it is one of this server; else the start."""
    plain = path.startswith("/") and not path.startswith("//") and path.isascii() and path.isprintable()
    return path if plain and "\\" not in path else "/"
