"""The daemon at a glance."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from runner.clock import iso
from runner.web.answers import answer
from runner.web.api.health import health_shown
from runner.web.api.models import DaemonStatus
from runner.web.api.showing import Showing
from runner.web.calls import Answer, AnyCall, Asked, Call, Nothing
from runner.web.parts import WebParts


class Status:
    """The handler."""

    def __init__(self, parts: WebParts, showing: Showing) -> None:
        self._parts = parts
        self._showing = showing

    def calls(self) -> Sequence[AnyCall]:
        """The one."""
        told = {200: Answer("How it stands now.", DaemonStatus)}
        return [
            Call(
                "GET",
                "/api/status",
                "The daemon, its bots and their connections.",
                "read",
                self._status,
                Nothing,
                Nothing,
                told,
                group="Daemon",
            )
        ]

    async def _status(self, _: Asked[Nothing, Nothing]) -> web.StreamResponse:
        parts = self._parts
        figures = await parts.store.figures()
        bots = await self._showing.lines(parts.defined())
        for bot in bots:
            bot["waiting"] = figures.waiting.get(bot["id"], 0)
            bot["connections"] = self._showing.connections(bot["id"])
            bot["tool_servers"] = self._showing.tool_servers(bot["id"])
        return answer(
            {
                "pid": parts.pid,
                "started_at": iso(parts.started_ms),
                "bots": bots,
                "outbox": dict(figures.outbox),
                "possibly_doubled": figures.possibly_doubled,
                "loop_lag_ms": round(parts.lag.worst_ms, 1),
                "health": health_shown(await parts.probes.health()).model_dump(),
            },
        )
