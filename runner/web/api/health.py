"""Whether the daemon can do its work, and its figures for whoever scrapes them.

Rule: from this machine (`hooks.is_from_here`) no token is asked for, from elsewhere one that may read: names of bots
and what they spend are nobody else's business. `/health/live` tells nothing and is open to all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiohttp import web

from runner.clock import iso
from runner.telemetry.health import LAG_LIMIT_MS, ConnectionHealth, Health
from runner.telemetry.standing import Standing
from runner.telemetry.tally import Counted
from runner.web.answers import SAFE_HEADERS, answer
from runner.web.api.health_models import (
    ConfigShown,
    HealthShown,
    LinkShown,
    LinksShown,
    LoopShown,
    StoreShown,
)
from runner.web.calls import Answer, AnyCall, Asked, Call, Nothing
from runner.web.entry import Doorkeeper
from runner.web.hooks import is_from_here
from runner.web.parts import WebParts

GROUP = "Daemon"
_ELSEWHERE = {
    401: "From another machine: there is no token, or it is not good.",
    403: "The token may not read.",
}


class HealthCalls:
    """The handlers."""

    def __init__(self, parts: WebParts, door: Doorkeeper) -> None:
        self._probes = parts.probes
        self._tally = parts.tally
        self._door = door

    def calls(self) -> Sequence[AnyCall]:
        """Both of them."""
        ready = {
            200: Answer("It is ready, or degraded.", HealthShown),
            503: Answer("It is failing.", HealthShown),
        }
        figures = {200: Answer("The figures, as Prometheus reads them.", content_type="text/plain")}
        return [
            Call("GET", "/health/ready", "Whether it can do its work.", None, self._ready, Nothing, Nothing, ready,
                 _ELSEWHERE, group=GROUP),
            Call("GET", "/metrics", "Figures for Prometheus; OpenMetrics for who accepts it.", None, self._metrics,
                 Nothing, Nothing, figures, _ELSEWHERE, group=GROUP),
        ]  # fmt: skip

    async def _ready(self, asked: Asked[Nothing, Nothing]) -> web.StreamResponse:
        refused = await self._refused(asked.request)
        if refused is not None:
            return refused
        health = await self._probes.health()
        return answer(health_shown(health).model_dump(), 503 if health.verdict == "failing" else 200)

    async def _metrics(self, asked: Asked[Nothing, Nothing]) -> web.StreamResponse:
        refused = await self._refused(asked.request)
        if refused is not None:
            return refused
        standing = await self._probes.standing()
        accept = ",".join(asked.request.headers.getall("Accept", []))
        body, content_type = await asyncio.to_thread(_exposed, self._tally.counted(), standing, accept)
        return web.Response(
            body=body, headers={**SAFE_HEADERS, "Content-Type": content_type, "Vary": "Accept"}
        )

    async def _refused(self, request: web.Request) -> web.Response | None:
        """What to answer to whoever may not see this."""
        if is_from_here(request):
            return None
        caller = await self._door.admit(request, "read")
        return caller if isinstance(caller, web.Response) else None


def _exposed(counted: Counted, standing: Standing, accept: str) -> tuple[bytes, str]:
    """In a thread: thousands of lines are made there, and the first time a library is loaded."""
    from runner.telemetry.metrics import exposition  # noqa: PLC0415 - only for who is scraped

    return exposition(counted, standing, accept)


def health_shown(health: Health) -> HealthShown:
    """The daemon's health as callers see it."""
    config = health.config
    return HealthShown(
        status=health.verdict,
        loop=LoopShown(ok=health.loop_ok, lag_ms=round(health.lag_ms, 1), limit_ms=LAG_LIMIT_MS),
        store=StoreShown(ok=health.store.ok, took_ms=round(health.store.took_ms, 1), why=health.store.why),
        connections=LinksShown(
            ok=health.connected,
            working=health.working,
            troubled=list(health.troubled),
            all=[_link_shown(one) for one in health.connections],
        ),
        config=ConfigShown(
            ok=config.fault is None,
            loaded_at=iso(config.loaded_at),
            fault=list(config.fault or ()),
            needs_restart=list(config.needs_restart),
        ),
    )


def _link_shown(one: ConnectionHealth) -> LinkShown:
    return LinkShown(
        bot=one.bot,
        channel=one.channel,
        platform=one.platform,
        state=one.state,
        why=one.why,
        age_s=round(one.age_ms / 1000, 1),
    )
