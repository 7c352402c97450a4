"""Who comes in to the admin API: by a bearer token, or signed in to the dashboard.

Rules: a token counts before a cookie; a cookie alone changes nothing (`Sessions.is_meant`); each caller may ask so
often a minute, and so often in vain: what fails above that is not even told why. Whoever brings a good token is let
in however many bad ones came from the same address, for behind a proxy all come from one. Calls are counted by each
daemon for itself, so that they cost the store nothing; `limited_by_all` counts for all daemons that share one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from aiohttp import web

from runner.clock import Clock
from runner.dispatch.limits import RateLimiter
from runner.ports.rates import Rates
from runner.web.answers import refusal
from runner.web.auth import NoEntry, Scope, check_token
from runner.web.sessions import CSRF_HEADER, Sessions

CALLS_PER_MINUTE = 600
FAILURES_PER_MINUTE = 30
LOGINS_PER_MINUTE = 10
_UNAUTHORIZED = 401
_READS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who was let in. `key`: the same for all calls with one token, one session, or from one address."""

    key: str
    scope: Scope | None


class Doorkeeper:
    """Lets callers in. `rates`: who counts for all daemons of the store."""

    def __init__(self, secret: bytes, sessions: Sessions, clock: Clock, rates: Rates) -> None:
        self._secret = secret
        self._sessions = sessions
        self._clock = clock
        self._own_rates = RateLimiter()
        self._rates = rates

    async def admit(self, request: web.Request, needed: Scope | None) -> Caller | web.Response:
        """The caller, or what to answer instead. `needed` None: anybody may.

        Raises StoreError: it comes with a session, and nobody can tell whether that was ended.
        """
        try:
            caller = await self._caller(request, needed)
        except NoEntry as no:
            wait = self._take(f"failed {request.remote}", FAILURES_PER_MINUTE)
            if wait > 0:
                return too_many(wait)
            code = "unauthorized" if no.status == _UNAUTHORIZED else "forbidden"
            return refusal(no.status, code, str(no), headers={"WWW-Authenticate": "Bearer"})
        wait = self._take(caller.key, CALLS_PER_MINUTE)
        return too_many(wait) if wait > 0 else caller

    def limited(self, key: str, most: int) -> web.Response | None:
        """Count one more of these; what to answer where that is more than so many in a minute, at this daemon."""
        wait = self._take(key, most)
        return too_many(wait) if wait > 0 else None

    async def limited_by_all(self, key: str, most: int) -> web.Response | None:
        """As `limited`, at all daemons of the store together. Raises StoreError: it was not counted."""
        wait = await self._rates.take_all([(key, most)])
        return too_many(wait) if wait > 0 else None

    async def _caller(self, request: web.Request, needed: Scope | None) -> Caller:
        """Raises NoEntry and StoreError."""
        if needed is None:
            return Caller(f"peer {request.remote}", None)
        header = request.headers.get("Authorization", "")
        session = None if header else await self._sessions.of(request)
        if session is None:
            grant = check_token(self._secret, header, needed)
            return Caller(hashlib.sha256(header.encode(errors="replace")).hexdigest()[:32], grant.scope)
        if needed == "admin" and session.scope != "admin":
            raise NoEntry(403, "the session's scope does not allow this")
        if request.method not in _READS and not self._sessions.is_meant(
            request, session, request.headers.get(CSRF_HEADER)
        ):
            raise NoEntry(403, f"with a session, send its token as {CSRF_HEADER} from a page of this daemon")
        return Caller(f"session {session.id}", session.scope)

    def _take(self, key: str, most: int) -> float:
        return self._own_rates.take(key, most, self._clock.monotonic())


def too_many(wait_s: float) -> web.Response:
    """Ask again later; `wait_s` in seconds."""
    return refusal(429, "rate_limited", "Too Many Requests", headers={"Retry-After": str(int(wait_s) + 1)})
