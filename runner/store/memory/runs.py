"""The runs of the memory store. Plain Python; no call waits, so each is one transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection
from copy import copy
from dataclasses import replace
from typing import TypeVar

from runner.clock import UnixMs
from runner.errors import IllegalStep
from runner.ports.mail import FinishedTurn, NewInbound
from runner.ports.runs import (
    ERRAND_ACCOUNT,
    MOST_MEMORIES,
    Decision,
    Errand,
    Handoff,
    RunRecord,
    RunStatus,
)
from runner.store.memory.mail import Inbox

V = TypeVar("V")


class MemoryRuns:
    """A `runner.ports.runs.RunStore`. `begin`: called with each method's name first, may raise."""

    def __init__(self, inbox: Inbox, begin: Callable[[str], None] = lambda _: None) -> None:
        self._inbox = inbox
        self._begin = begin
        self._runs: dict[str, RunRecord] = {}
        self._errands: dict[str, Errand] = {}
        self._handoffs: dict[str, Handoff] = {}
        self._memories: dict[tuple[str, str], dict[str, tuple[int, str]]] = {}

    def entered_by(self, begin: Callable[[str], None]) -> MemoryRuns:
        """The same runs, with another `begin`."""
        entered = copy(self)
        entered._begin = begin  # noqa: SLF001 - a copy of ourselves
        return entered

    async def run(self, run: str) -> RunRecord | None:
        """As the port says."""
        self._begin("runs.run")
        return self._runs.get(run)

    async def runs(self, bot: str, limit: int) -> list[RunRecord]:
        """As the port says."""
        self._begin("runs.runs")
        return self._latest(lambda run: run.bot == bot)[:limit]

    async def waiting_runs(self, conversation: str) -> list[RunRecord]:
        """As the port says."""
        self._begin("runs.waiting_runs")
        return self._latest(lambda run: run.conversation == conversation and run.status is RunStatus.WAITING)

    def _latest(self, which: Callable[[RunRecord], bool]) -> list[RunRecord]:
        begun_last_first = reversed(self._runs.values())
        return sorted(filter(which, begun_last_first), key=lambda run: -run.at_ms)

    async def errands(self, now_ms: int, limit: int) -> list[Errand]:
        """As the port says."""
        self._begin("runs.errands")
        due = [errand for errand in self._errands.values() if errand.due_ms <= now_ms]
        return sorted(due, key=lambda errand: errand.due_ms)[:limit]

    async def next_errand_ms(self) -> int | None:
        """As the port says."""
        self._begin("runs.next_errand_ms")
        return min((errand.due_ms for errand in self._errands.values()), default=None)

    async def owe(self, errand: Errand) -> bool:
        """As the port says."""
        self._begin("runs.owe")
        return self._owe(errand)

    def _owe(self, errand: Errand) -> bool:
        if errand.key in self._errands or self._inbox.seen(_row(errand, 0)) is not None:
            return False
        self._errands[errand.key] = errand
        return True

    async def send_errand(self, key: str, now_ms: int) -> int | None:
        """As the port says."""
        self._begin("runs.send_errand")
        errand = self._errands.pop(key, None)
        if errand is None:
            return None
        accepted = self._inbox.accept(_row(errand, now_ms))
        return accepted.inbox_id if accepted.fresh else None

    async def handoff(self, handoff: str) -> Handoff | None:
        """As the port says."""
        self._begin("runs.handoff")
        return self._handoffs.get(handoff)

    async def handoffs(self, decision: Decision | None, limit: int) -> list[Handoff]:
        """As the port says."""
        self._begin("runs.handoffs")
        latest = reversed(self._handoffs.values())
        return [one for one in latest if decision in (None, one.decision)][:limit]

    async def decide(
        self, handoff: str, decision: Decision, by: str, comment: str, errand: Errand, now_ms: int
    ) -> Handoff:
        """As the port says."""
        self._begin("runs.decide")
        now = self._handoffs.get(handoff)
        if now is None or now.decision is not Decision.PENDING:
            raise IllegalStep(f"hand-off {handoff} is decided already or was never there")
        then = replace(now, decision=decision, by=by, comment=comment, decided_ms=UnixMs(now_ms))
        self._handoffs[handoff] = then
        self._owe(errand)
        return then

    async def recall(self, bot: str, owner: str, key: str) -> str | None:
        """As the port says."""
        self._begin("runs.recall")
        found = self._memories.get((bot, owner), {}).get(key)
        return None if found is None else found[1]

    async def remember(self, bot: str, owner: str, key: str, value: str | None, at_ms: int) -> None:
        """As the port says."""
        self._begin("runs.remember")
        memory = self._memories.setdefault((bot, owner), {})
        memory.pop(key, None)
        if value is None:
            return
        memory[key] = (at_ms, value)
        by_age = sorted(memory, key=lambda name: memory[name][0])
        for oldest in by_age[: max(0, len(memory) - MOST_MEMORIES)]:
            del memory[oldest]

    # ── for the store ────────────────────────────────────────────────────────────────────────────────────
    def check_end(self, turn: FinishedTurn) -> None:
        """Raise IllegalStep where the turn asks what was asked before."""
        if turn.handoff is not None and turn.handoff.id in self._handoffs:
            raise IllegalStep(f"hand-off {turn.handoff.id} is there already")

    def end_turn(self, turn: FinishedTurn) -> None:
        """What a turn's end leaves behind of a run."""
        if turn.run is not None:
            self._runs[turn.run.id] = turn.run
        for errand in turn.errands:
            self._owe(errand)
        if turn.handoff is not None:
            self._handoffs[turn.handoff.id] = turn.handoff

    def forget_old(self, before_ms: int) -> int:
        """Remove runs that do not wait and hand-offs that were decided, of before; how many."""
        return _drop(
            self._runs, lambda run: run.status is not RunStatus.WAITING and run.at_ms < before_ms
        ) + _drop(self._handoffs, lambda one: one.decided_ms is not None and one.decided_ms < before_ms)

    def forget_user(self, bot: str | None, user: str) -> int:
        """Remove what is kept of a user's runs, and what is remembered of the user; how many."""
        owned = [key for key in self._memories if user and key[1] == user and bot in (None, key[0])]
        return (
            _drop(self._errands, lambda one: bool(user) and one.user == user and bot in (None, one.bot))
            + _drop(self._handoffs, lambda one: one.user == user and bot in (None, one.bot))
            + _drop(self._runs, lambda one: one.user == user and bot in (None, one.bot))
            + sum(len(self._memories.pop(key)) for key in owned)
        )

    def forget_conversation(self, conversation: str) -> int:
        """Remove what is kept of a conversation's runs; how many."""
        runs: Collection[str] = {run.id for run in self._runs.values() if run.conversation == conversation}
        return (
            _drop(self._errands, lambda one: one.run in runs)
            + _drop(self._handoffs, lambda one: one.conversation == conversation)
            + _drop(self._runs, lambda one: one.id in runs)
        )


def _drop(rows: dict[str, V], which: Callable[[V], bool]) -> int:
    gone = [key for key, row in rows.items() if which(row)]
    for key in gone:
        del rows[key]
    return len(gone)


def _row(errand: Errand, now_ms: int) -> NewInbound:
    return NewInbound(
        errand.bot, errand.channel, ERRAND_ACCOUNT, errand.key, errand.lane, errand.payload, now_ms
    )
