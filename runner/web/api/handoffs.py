"""Hand-offs: what workflows ask reviewers, and what they decide.

Rule: only the first decision counts, and the run goes on with it once; who comes later is told who was faster.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from aiohttp import web
from pydantic import AfterValidator, Field

from runner.agent.wellformed import well_formed
from runner.clock import UnixMs, iso
from runner.dispatch.handoffs import MAX_COMMENT, DecidedBefore, NoHandoff
from runner.ports.runs import Decision, Handoff
from runner.web.answers import answer, refusal
from runner.web.calls import Answer, AnyCall, Asked, Call, Fields, Nothing, Shown
from runner.web.parts import WebParts

GROUP = "Hand-offs"
MOST_SHOWN = 200
MAX_NAME = 200
UNNAMED = "api"
"""Who decided, where nobody says."""


class Which(Fields):
    """Which hand-offs; `decision` left out: all."""

    decision: Literal["pending", "approved", "rejected"] | None = None
    limit: Annotated[int, Field(ge=1, le=MOST_SHOWN)] = 50


class Verdict(Fields):
    """`comment`: for the run and, where it uses it, for the user. `by`: who decides, for the record."""

    comment: Annotated[str, Field(max_length=MAX_COMMENT), AfterValidator(well_formed)] = ""
    by: Annotated[str, Field(max_length=MAX_NAME), AfterValidator(well_formed)] = ""


class HandoffShown(Shown):
    """A question to a reviewer. `run` waits for it; `conversation` is what it is about."""

    id: str
    decision: Literal["pending", "approved", "rejected"]
    bot: str
    channel: str
    user: str
    conversation: str
    run: str
    reason: str
    asked_at: str
    decided_at: str | None
    by: str
    comment: str


class HandoffList(Shown):
    """Those asked last first."""

    handoffs: list[HandoffShown]


class Handoffs:
    """The handlers."""

    def __init__(self, parts: WebParts) -> None:
        self._desk = parts.handoffs

    def calls(self) -> Sequence[AnyCall]:
        """All of them."""
        decided = {200: Answer("It is decided, and its run goes on.", HandoffShown)}
        refusals = {404: "There is no such hand-off (any more).", 409: "It was decided before."}
        return [
            Call("GET", "/api/handoffs", "What reviewers are asked.", "read", self._list, Which, Nothing,
                 {200: Answer("Hand-offs.", HandoffList)}, group=GROUP),
            Call("POST", "/api/handoffs/{handoff_id}/approve", "Approve.", "admin", self._approve, Nothing, Verdict,
                 decided, refusals, group=GROUP),
            Call("POST", "/api/handoffs/{handoff_id}/reject", "Reject.", "admin", self._reject, Nothing, Verdict,
                 decided, refusals, group=GROUP),
        ]  # fmt: skip

    async def _list(self, asked: Asked[Which, Nothing]) -> web.StreamResponse:
        query = asked.query
        decision = None if query.decision is None else Decision(query.decision)
        found = await self._desk.handoffs(decision, query.limit)
        return answer({"handoffs": [handoff_shown(one).model_dump() for one in found]})

    async def _approve(self, asked: Asked[Nothing, Verdict]) -> web.StreamResponse:
        return await self._decide(asked, Decision.APPROVED)

    async def _reject(self, asked: Asked[Nothing, Verdict]) -> web.StreamResponse:
        return await self._decide(asked, Decision.REJECTED)

    async def _decide(self, asked: Asked[Nothing, Verdict], decision: Decision) -> web.StreamResponse:
        handoff_id, verdict = asked.params["handoff_id"], asked.body
        done = await self._desk.decide(handoff_id, decision, verdict.by.strip() or UNNAMED, verdict.comment)
        match done:
            case NoHandoff():
                return refusal(404, "not_found", f"there is no hand-off {handoff_id[:80]!r} (any more)")
            case DecidedBefore(before):
                return refusal(409, "decided", f"it was {before.decision} before, by {before.by}")
            case Handoff():
                return answer(handoff_shown(done).model_dump())


def handoff_shown(handoff: Handoff) -> HandoffShown:
    """A hand-off as callers see it."""
    decided = handoff.decided_ms
    return HandoffShown(
        id=handoff.id,
        decision=handoff.decision.value,
        bot=handoff.bot,
        channel=handoff.channel,
        user=handoff.user,
        conversation=handoff.conversation,
        run=handoff.run,
        reason=handoff.reason,
        asked_at=iso(UnixMs(handoff.asked_ms)),
        decided_at=None if decided is None else iso(decided),
        by=handoff.by,
        comment=handoff.comment,
    )
