"""`/handoffs`: what workflows ask reviewers, for a person to decide.

Rule: only the first decision counts; whoever comes later is told, and sees what was decided.
"""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from runner.agent.wellformed import well_formed
from runner.dispatch.handoffs import MAX_COMMENT, DecidedBefore, HandoffDesk, NoHandoff
from runner.ports.runs import Decision, Handoff
from runner.ports.stores import Store
from runner.web.answers import refusal
from runner.web.dashboard.filling import said_in
from runner.web.dashboard.views import HandoffCard, HandoffsPage, Notice, Said
from runner.web.dashboard_pages.desk import Desk, Visit, after

PATH = "/handoffs"
BY = "dashboard"
"""Who decided: tokens and sessions have no names."""
WAITING_SHOWN = 50
DECIDED_SHOWN = 20
TURNS_SHOWN = 2
LONGEST_SHOWN = 600
"""Characters of one message."""
_DECISIONS = {"approve": Decision.APPROVED, "reject": Decision.REJECTED}


class DeskHandoffs:
    """A `runner.web.dashboard.reads.DashboardHandoffs` of a daemon."""

    def __init__(self, desk: HandoffDesk, store: Store) -> None:
        self._desk = desk
        self._store = store

    async def count(self) -> int:
        """Up to `WAITING_SHOWN`."""
        return len(await self._desk.handoffs(Decision.PENDING, WAITING_SHOWN))

    async def waiting(self) -> Sequence[HandoffCard]:
        """The oldest first, each with what was said last."""
        latest = await self._desk.handoffs(Decision.PENDING, WAITING_SHOWN)
        return [card_of(one, await self._said(one.conversation)) for one in reversed(latest)]

    async def decided(self, limit: int) -> Sequence[HandoffCard]:
        """The latest first."""
        found = [
            *await self._desk.handoffs(Decision.APPROVED, limit),
            *await self._desk.handoffs(Decision.REJECTED, limit),
        ]
        found.sort(key=lambda one: one.decided_ms or 0, reverse=True)
        return [card_of(one) for one in found[:limit]]

    async def _said(self, conversation: str) -> tuple[Said, ...]:
        transcript = await self._store.transcript(conversation, TURNS_SHOWN)
        return () if transcript is None else said_in(transcript)


class HandoffPages:
    """The handlers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def show(self, visit: Visit) -> web.Response:
        """Those that wait, and the latest that were decided."""
        return await self._desk.show(visit, await self._page())

    async def decide(self, visit: Visit) -> web.Response:
        """Approve it or reject it."""
        handoff_id = visit.request.match_info["handoff_id"]
        decision = _DECISIONS[visit.request.path.rpartition("/")[2]]
        comment = well_formed(visit.form.get("comment", "")).strip()[:MAX_COMMENT]
        done = await self._desk.parts.handoffs.decide(handoff_id, decision, BY, comment)
        match done:
            case NoHandoff():
                return refusal(404, "not_found", "There is no such hand-off (any more).")
            case DecidedBefore(before):
                notice = Notice("error", f"It was {before.decision} before, by {before.by}.")
                return await self._desk.show(visit, await self._page(), notice, status=409)
            case Handoff():
                return after(PATH, str(decision))

    async def _page(self) -> HandoffsPage:
        desk = self._desk.handoffs
        return HandoffsPage(
            tuple(map(self._named, await desk.waiting())),
            tuple(map(self._named, await desk.decided(DECIDED_SHOWN))),
        )

    def _named(self, card: HandoffCard) -> HandoffCard:
        return card.called(self._desk.bot_name(card.bot_id))


def card_of(handoff: Handoff, said: tuple[Said, ...] = ()) -> HandoffCard:
    """A hand-off as the page shows it, its bot by its id."""
    return HandoffCard(
        id=handoff.id,
        bot_id=handoff.bot,
        bot_name=handoff.bot,
        user=handoff.user,
        reason=handoff.reason,
        asked_ms=handoff.asked_ms,
        conversation=handoff.conversation,
        said=tuple(Said(one.role, _short(one.text), one.at_ms) for one in said),
        state="waiting" if handoff.decision is Decision.PENDING else handoff.decision,
        decided_ms=handoff.decided_ms,
        by=handoff.by,
        comment=handoff.comment,
    )


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"
