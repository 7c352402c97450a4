"""The admin API, as far as it is built: bots, status, the cap, a word with a bot.

Rules: every call needs a token; a body's faults are told all at once, each with its field; secrets never come
back because nothing here has them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from aiohttp import web

from adapters.contract import ConnectionState, Delivery, DeliveryState
from runner.agent.wellformed import well_formed
from runner.bots import Bot
from runner.clock import iso
from runner.dispatch.limits import RateLimiter
from runner.money.amounts import PICO_PER_CENT, to_usd
from runner.money.budget import Counter
from runner.web.answers import answer, refusal
from runner.web.auth import NoEntry, Scope, check_token
from runner.web.bodies import json_object
from runner.web.parts import WebParts

TESTS_PER_MINUTE = 10
MAX_CAP_CENTS = 900_000_000
MAX_MESSAGE = 100_000
MAX_ID = 256
ANSWER_MARGIN_S = 15.0

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class AdminApi:
    """The handlers. Holds the parts and the test endpoint's rate log."""

    def __init__(self, parts: WebParts) -> None:
        self._parts = parts
        self._rates = RateLimiter()

    def routes(self) -> list[web.RouteDef]:
        """All of them."""
        return [
            web.get("/api/status", self._open_to("read", self._status)),
            web.get("/api/bots", self._open_to("read", self._bots)),
            web.get("/api/bots/{bot_id}", self._open_to("read", self._bot)),
            web.patch("/api/bots/{bot_id}", self._open_to("admin", self._change)),
            web.post("/api/bots/{bot_id}/test", self._open_to("admin", self._test)),
            web.post("/api/bots/{bot_id}/chat", self._open_to("admin", self._chat)),
        ]

    def _open_to(self, scope: Scope, handler: _Handler) -> _Handler:
        async def guarded(request: web.Request) -> web.StreamResponse:
            try:
                check_token(self._parts.jwt_secret, request.headers.get("Authorization", ""), scope)
            except NoEntry as no:
                code = "unauthorized" if no.status == 401 else "forbidden"  # noqa: PLR2004 - the HTTP status
                return refusal(no.status, code, str(no), headers={"WWW-Authenticate": "Bearer"})
            return await handler(request)

        return guarded

    async def _status(self, request: web.Request) -> web.Response:
        parts = self._parts
        figures = await parts.store.figures()
        counters = await parts.store.counters([f"bot:{bot_id}" for bot_id in parts.roster.bot_ids()])
        bots = []
        for live in parts.roster.live():
            shown = self._shown(live.bot, counters.get(f"bot:{live.bot.id}", Counter()))
            shown["waiting"] = figures.waiting.get(live.bot.id, 0)
            shown["connections"] = [
                {**asdict(connection), "since": iso(connection.since_ms)}  # type: ignore[arg-type]
                for connection in parts.roster.connections(live.bot.id)
            ]
            bots.append(shown)
        return answer(
            {
                "pid": parts.pid,
                "started_at": iso(parts.started_ms),
                "bots": bots,
                "outbox": dict(figures.outbox),
                "possibly_doubled": figures.possibly_doubled,
                "loop_lag_ms": round(parts.lag.worst_ms, 1),
            },
        )

    async def _bots(self, request: web.Request) -> web.Response:
        roster = self._parts.roster
        counters = await self._parts.store.counters([f"bot:{bot_id}" for bot_id in roster.bot_ids()])
        bots = [
            self._shown(live.bot, counters.get(f"bot:{live.bot.id}", Counter())) for live in roster.live()
        ]
        return answer({"bots": bots})

    async def _bot(self, request: web.Request) -> web.Response:
        bot = self._parts.roster.bot(request.match_info["bot_id"])
        if bot is None:
            return _no_bot(request)
        counters = await self._parts.store.counters([f"bot:{bot.id}"])
        return answer(self._shown(bot, counters.get(f"bot:{bot.id}", Counter())))

    async def _change(self, request: web.Request) -> web.Response:
        bot = self._parts.roster.bot(request.match_info["bot_id"])
        if bot is None:
            return _no_bot(request)
        body = await json_object(request)
        if isinstance(body, web.Response):
            return body
        faults = _cap_faults(body)
        if faults:
            return refusal(400, "invalid", "the body has faults", faults)
        if "spending_cap_cents" in body:
            problem = await self._parts.set_cap(bot.id, body["spending_cap_cents"])
            if problem is not None:
                return refusal(409, "not_written", problem)
        return await self._bot(request)

    async def _test(self, request: web.Request) -> web.Response:
        user = request.headers.get("Authorization", "")
        wait = self._rates.take(user, TESTS_PER_MINUTE, self._parts.clock.monotonic())
        if wait > 0:
            return _too_many(wait)
        return await self._chat(request)

    async def _chat(self, request: web.Request) -> web.Response:
        parts = self._parts
        bot = parts.roster.bot(request.match_info["bot_id"])
        if bot is None:
            return _no_bot(request)
        body = await json_object(request)
        if isinstance(body, web.Response):
            return body
        text, user = body.get("message"), body.get("user_id", "console")
        faults = [
            {"field": field, "message": f"must be a text that is not blank, of up to {most} characters"}
            for field, value, most in (("message", text, MAX_MESSAGE), ("user_id", user, MAX_ID))
            if not isinstance(value, str) or not value.strip() or len(value) > most
        ]
        if isinstance(user, str) and user != well_formed(user):
            faults.append({"field": "user_id", "message": "must be Unicode text without NUL"})
        if faults:
            return refusal(400, "invalid", "the body has faults", faults)
        try:
            said = await parts.console.ask(
                parts.deliver, bot.id, str(user), str(text), bot.limits.timeout_s + ANSWER_MARGIN_S
            )
        except TimeoutError:
            return refusal(504, "pending", "the answer is not ready; it will be in the conversation")
        if isinstance(said, Delivery):
            return _not_taken(said)
        return answer({"response": said.text, **said.report})

    def _shown(self, bot: Bot, counter: Counter) -> dict[str, Any]:
        """A bot as the API shows it; no secret is in here."""
        cap = self._parts.roster.cap(bot.id)
        connections = self._parts.roster.connections(bot.id)
        states = {connection.state for connection in connections}
        worst = next((state for state in _WORST_FIRST if state in states), ConnectionState.UP)
        return {
            "id": bot.id,
            "name": bot.name,
            "slug": bot.id,
            "platform": bot.channels[0].platform if bot.channels else None,
            "enabled": bot.enabled,
            "status": worst,
            "llm_provider": bot.choice.provider,
            "llm_model": bot.choice.model,
            "billing_mode": bot.billing_mode,
            "spent_usd": to_usd(counter.settled),
            "held_usd": to_usd(counter.held),
            "unknown_usd": to_usd(counter.unknown),
            "spending_cap_cents": None if cap is None else cap // PICO_PER_CENT,
        }


_WORST_FIRST = (
    ConnectionState.REFUSED,
    ConnectionState.DOWN,
    ConnectionState.DEGRADED,
    ConnectionState.CONNECTING,
)


def _cap_faults(body: dict[str, Any]) -> list[dict[str, str]]:
    faults = [
        {"field": name, "message": "cannot be changed here yet: edit bots.yaml and restart"}
        for name in body
        if name != "spending_cap_cents"
    ]
    cap = body.get("spending_cap_cents")
    whole = isinstance(cap, int) and not isinstance(cap, bool) and 0 <= cap <= MAX_CAP_CENTS
    if cap is not None and not whole:
        faults.append({"field": "spending_cap_cents", "message": "must be whole cents from 0, or null"})
    return faults


def _no_bot(request: web.Request) -> web.Response:
    return refusal(404, "not_found", f"there is no bot {request.match_info['bot_id']!r}")


def _too_many(wait_s: float) -> web.Response:
    return refusal(429, "rate_limited", "Too Many Requests", headers={"Retry-After": str(int(wait_s) + 1)})


def _not_taken(delivery: Delivery) -> web.Response:
    if delivery.state is DeliveryState.LIMITED:
        return _too_many(delivery.retry_after_s)
    if delivery.state is DeliveryState.IGNORED:
        return refusal(403, "not_allowed", "the bot's access rules do not let this user in")
    return refusal(503, "overloaded", "not now", headers={"Retry-After": "1"})
