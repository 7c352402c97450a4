"""Who is signed in to the dashboard, and whether what a browser sends is its user's own will.

    link or token ──POST /login──▶ cookie (signed, HttpOnly, SameSite=Strict, ends) ──▶ Session ──▶ csrf in each form

Rules: a cookie proves who somebody is, never that they meant it: whatever changes something comes from a page of
ours (its origin) and brings the token that belongs to its session. Sign-outs and links that were used are remembered
in the store, each until what it is about is over by itself, and for an hour longer, for clocks differ: so they hold
at every daemon of the store and after a restart. Whether a session was ended is asked of the store each time, by
its own page too: nothing is remembered here but which were. Where the store does not answer nobody is let in.
"""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import web

from runner.clock import Clock
from runner.ports.sharing import SharedValues
from runner.web.auth import SCOPES, Scope
from runner.web.seals import seal, signature, unseal

SESSION_MS = 12 * 3_600_000
COOKIE = "botrunner_session"
CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf"
MOST_REMEMBERED = 10_000
CLOCKS_DIFFER_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in. `csrf` stands in each of their forms. `ends_ms`: Unix ms."""

    id: str
    scope: Scope
    ends_ms: int
    csrf: str


class Sessions:
    """Opens, reads and ends sessions."""

    def __init__(
        self, secret: bytes, clock: Clock, values: SharedValues, public_url: str | None = None
    ) -> None:
        self._secret = secret
        self._clock = clock
        self._values = values
        self._public = urlsplit(public_url or "")
        self._ended = _Memory()

    def open(self, response: web.StreamResponse, scope: Scope, until_ms: int | None = None) -> None:
        """Sign in: the response brings the cookie. `until_ms`: when the session ends at the latest, Unix ms."""
        now_ms = self._clock.now_ms()
        ends_ms = min(now_ms + SESSION_MS, until_ms or now_ms + SESSION_MS)
        cookie = seal(
            self._secret, "session", {"id": secrets.token_hex(16), "scope": scope, "ends_ms": ends_ms}
        )
        response.set_cookie(
            COOKIE,
            cookie,
            max_age=(ends_ms - now_ms) // 1000,
            path="/",
            secure=self._public.scheme == "https",
            httponly=True,
            samesite="Strict",
        )

    async def of(self, request: web.Request) -> Session | None:
        """Who is signed in; None: nobody. Raises StoreError: it cannot be told whether they signed out."""
        now_ms = self._clock.now_ms()
        claims = unseal(self._secret, "session", request.cookies.get(COOKIE, ""), now_ms)
        if claims is None or claims["scope"] not in SCOPES or self._ended.holds(claims["id"], now_ms):
            return None
        if await self._values.value(f"session-ended/{claims['id']}", now_ms) is not None:
            self._ended.add(claims["id"], claims["ends_ms"], now_ms)
            return None
        csrf = signature(self._secret, "csrf", claims["id"])
        return Session(claims["id"], claims["scope"], claims["ends_ms"], csrf)

    async def end(self, session: Session, response: web.StreamResponse) -> None:
        """Sign out: the cookie goes, and is good for nothing if it was kept. Raises StoreError: it is not ended."""
        now_ms = self._clock.now_ms()
        key = f"session-ended/{session.id}"
        await self._values.put(key, f"{now_ms}", now_ms, session.ends_ms + CLOCKS_DIFFER_MS)
        self._ended.add(session.id, session.ends_ms, now_ms)
        response.del_cookie(COOKIE, path="/")

    async def redeem(self, link: str) -> bool:
        """Use a login link's key; False where it is none, or was used, or has ended.

        Raises StoreError: it cannot be told whether it was used.
        """
        now_ms = self._clock.now_ms()
        claims = unseal(self._secret, "link", link, now_ms)
        if claims is None:
            return False
        key, mine = f"link-used/{claims['id']}", secrets.token_hex(16)
        return await self._values.put_new(key, mine, now_ms, claims["ends_ms"] + CLOCKS_DIFFER_MS) == mine

    def is_from_our_page(self, request: web.Request) -> bool:
        """Whether a page of ours sent this, as the browser tells it."""
        origin = request.headers.get("Origin", "null")
        if origin == "null":  # a browser that tells nothing else tells this
            return request.headers.get("Sec-Fetch-Site") == "same-origin"
        return urlsplit(origin).netloc.lower() in {request.host.lower(), self._public.netloc.lower()} - {""}

    def is_meant(self, request: web.Request, session: Session, token: object) -> bool:
        """Whether the session's user sent this on purpose: `token` is what came as `CSRF_FIELD` or `CSRF_HEADER`."""
        given = token if isinstance(token, str) and token.isascii() else ""
        return self.is_from_our_page(request) and hmac.compare_digest(given, session.csrf)


SESSIONS = web.AppKey("sessions", Sessions)
"""Where the application keeps them."""


async def session_of(request: web.Request) -> Session | None:
    """As `Sessions.of`, for the handlers of pages."""
    return await request.app[SESSIONS].of(request)


class _Memory:
    """Names until their time is over; where there are too many, the oldest goes."""

    def __init__(self) -> None:
        self._ends: OrderedDict[str, int] = OrderedDict()

    def holds(self, name: str, now_ms: int) -> bool:
        return self._ends.get(name, 0) > now_ms

    def add(self, name: str, ends_ms: int, now_ms: int) -> None:
        while self._ends and (
            len(self._ends) >= MOST_REMEMBERED or next(iter(self._ends.values())) <= now_ms
        ):
            self._ends.popitem(last=False)
        self._ends[name] = ends_ms
