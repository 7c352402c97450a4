"""The desk where reviewers decide what bots handed over to them.

    asked (written with its turn) ──▶ told: log, alert, open pages ──▶ decided, once ──▶ errand ──▶ the run goes on

Rules: a decision and the errand that goes on with it are one transaction, so a run goes on once for each decision,
and only the first reviewer decides; what waited through a restart is told again to whoever tells a thing once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from runner.clock import Clock
from runner.dispatch.errands import AT_ONCE_DUE, Resume, unwrap, wrap
from runner.errors import IllegalStep
from runner.ports.observer import HandoffAsked, HandoffDecided, Observer
from runner.ports.runs import Decision, Errand, Handoff, RunStore

MOST_REMINDED = 200
MAX_COMMENT = 2000


@dataclass(frozen=True, slots=True)
class NoHandoff:
    """There is none of that id (any more)."""


@dataclass(frozen=True, slots=True)
class DecidedBefore:
    """Somebody else was faster."""

    handoff: Handoff


class HandoffDesk:
    """Lists hand-offs and decides them."""

    def __init__(self, runs: RunStore, clock: Clock, observer: Observer) -> None:
        self._runs = runs
        self._clock = clock
        self._observer = observer

    async def remind(self) -> None:
        """Tell again of what waits, at a start: what was asked just before a crash may never have been told."""
        for handoff in reversed(await self._runs.handoffs(Decision.PENDING, MOST_REMINDED)):
            self._observer.note(HandoffAsked(handoff.bot, handoff.channel, handoff.id, handoff.run))

    async def handoffs(self, decision: Decision | None, limit: int) -> list[Handoff]:
        """Those asked last first; of that decision only, where one is given."""
        return await self._runs.handoffs(decision, limit)

    async def decide(
        self, handoff_id: str, decision: Decision, by: str, comment: str
    ) -> Handoff | NoHandoff | DecidedBefore:
        """Decide it; the run goes on at once.

        Args:
            decision: approved or rejected.
            by: who decides, for the record.
            comment: for the run and, where it uses it, for the user.
        """
        asked = await self._runs.handoff(handoff_id)
        if asked is None:
            return NoHandoff()
        if asked.decision is not Decision.PENDING:
            return DecidedBefore(asked)
        errand = errand_of(asked, Resume(asked.run, decision, comment, by))
        try:
            decided = await self._runs.decide(handoff_id, decision, by, comment, errand, self._clock.now_ms())
        except IllegalStep:
            now = await self._runs.handoff(handoff_id)
            return NoHandoff() if now is None else DecidedBefore(now)
        self._observer.note(HandoffDecided(decided.bot, decided.channel, decided.id, decision))
        return decided


def errand_of(handoff: Handoff, resume: Resume) -> Errand:
    """What a decision sets off: the hand-off's errand, with the decision in it."""
    message, duty = unwrap(handoff.errand)
    if isinstance(duty, Resume):  # with all else that it says of where the run goes on
        resume = replace(duty, decision=resume.decision, comment=resume.comment, by=resume.by)
    return Errand(
        key=f"{handoff.id}.decided",
        bot=handoff.bot,
        channel=handoff.channel,
        lane=handoff.lane,
        payload=wrap(resume, message),
        due_ms=AT_ONCE_DUE,
        run=handoff.run,
        user=handoff.user,
    )
