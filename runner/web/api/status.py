"""The daemon at a glance."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from runner.clock import UnixMs, iso
from runner.web.answers import answer
from runner.web.api.health import health_shown
from runner.web.api.models import DaemonLine, DaemonStatus, FleetStatus
from runner.web.api.showing import Showing
from runner.web.calls import Answer, AnyCall, Asked, Call, Nothing
from runner.web.fleet import DaemonNow, FleetNow, look
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
        fleet = await look(parts.store)
        bots = await self._showing.lines(parts.defined(), fleet)
        for bot in bots:
            bot["waiting"] = figures.waiting.get(bot["id"], 0)
            bot["connections"] = self._showing.connections(bot["id"], fleet)
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
                "fleet": None if fleet is None else fleet_shown(fleet).model_dump(),
            },
        )


def fleet_shown(fleet: FleetNow) -> FleetStatus:
    """The fleet as callers see it."""
    return FleetStatus(daemons=[_daemon_shown(one) for one in fleet.daemons], files=fleet.files)


def _daemon_shown(one: DaemonNow) -> DaemonLine:
    line, facts = one.line, one.facts
    return DaemonLine(
        id=line.id,
        name=line.name,
        version=line.version,
        state="gone" if one.is_gone else "alive",
        here=one.here,
        started_at=iso(UnixMs(line.started_ms)),
        seen_at=iso(UnixMs(line.seen_ms)),
        ended_at=None if line.ended_ms is None else iso(UnixMs(line.ended_ms)),
        url=facts.url,
        connections=one.connections,
        connections_up=one.up,
        holds=list(one.holds),
        lanes=facts.lanes,
        waiting=facts.waiting,
        lag_ms=facts.lag_ms,
        config=facts.config,
    )
