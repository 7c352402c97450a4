"""`/handoffs`: conversations that a bot wants to hand over, for a person to decide."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from runner.web.answers import refusal
from runner.web.dashboard.views import HandoffCard, HandoffsPage
from runner.web.dashboard_pages.desk import Desk, Visit

DECIDED_SHOWN = 20


class NoHandoffs:
    """A `runner.web.dashboard.reads.DashboardHandoffs` of a daemon whose bots hand nothing over."""

    async def waiting(self) -> Sequence[HandoffCard]:
        """None."""
        return ()

    async def decided(self, limit: int) -> Sequence[HandoffCard]:
        """None."""
        return ()


class HandoffPages:
    """The handlers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def show(self, visit: Visit) -> web.Response:
        """Those that wait, and the latest that were decided."""
        desk = self._desk.handoffs
        view = HandoffsPage(tuple(await desk.waiting()), tuple(await desk.decided(DECIDED_SHOWN)))
        return await self._desk.show(visit, view)

    async def decide(self, visit: Visit) -> web.Response:
        """Approve it or reject it."""
        return refusal(404, "not_found", "There is no such hand-off (any more).")
