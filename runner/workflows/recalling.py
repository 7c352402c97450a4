"""The steps of one turn of a run: what an earlier try stored is taken, what is new is paid, made and stored.

    stored   reply │ node 1 done │ reply │ tools started │      a crash; begun again, the run
    taken      ──────────────────▶   ▶          ▶              goes on here, in the same order

Rules: steps are taken in the order in which they were stored, and by what they are of. One that does not fit, since
the workflow is another one by now, and all after it are passed over: what is done now stands behind them. A call
that may do harm is noted before it is made, and not made again where nobody knows what came of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from runner.agent.asks import Ask, Failed, Metered, MeterResult, Refused, ScopesOf
from runner.agent.loop import INTERRUPTED, LoopResult
from runner.agent.meter import Meter
from runner.agent.replies import NodeDone, PaidReply, Step, ToolsDone, ToolsStarted, step_to_json
from runner.agent.routing import DEFAULT_ROUTE, FALLBACK_ROUTE
from runner.bots import Bot, ModelChoice
from runner.clock import Clock
from runner.conversations.models import ToolCall, ToolResult
from runner.money.ledger import Attempt
from runner.money.prices import PriceBook
from runner.ports.dialogue import ModelRequest
from runner.ports.mail import Filed, NewOutbound, OutboxState, StoredStep
from runner.ports.stores import LaneSession
from runner.ports.tools import Toolbox, ToolRun

_StepKind = TypeVar("_StepKind", bound=Step)


@dataclass(slots=True)
class TurnSteps:
    """Recall of one turn.

    Attributes:
        stored: of an earlier try, in order.
        first: how many steps the turn has before these.
        attempts_used: ledger rows of the turn.
        taken: steps that are behind us, stored or made now.
        replies, runs: all that was paid and made so far, in order.
        refused: money was refused: nothing more is to be done.
        failed: how the last call failed that did.
        late: the message's time ran out in a call, which may yet settle: nothing more is to be stored.
    """

    bot: Bot
    about: Attempt
    scopes: ScopesOf
    deadline: float
    session: LaneSession
    toolbox: Toolbox
    meter: Meter
    book: Callable[[], PriceBook]
    clock: Clock
    stored: Sequence[Step]
    first: int
    attempts_used: int
    taken: int = 0
    replies: list[PaidReply] = field(default_factory=list)
    runs: list[ToolRun] = field(default_factory=list)
    refused: Refused | None = None
    failed: Failed | None = None
    late: bool = False

    @property
    def number(self) -> int:
        """Of the next step."""
        return self.first + self.taken

    def rest(self, feature: str) -> tuple[Step, ...]:
        """What an earlier try stored of an agent loop of that feature, and what stands behind it."""
        step = self.stored[self.taken] if self.taken < len(self.stored) else None
        if not isinstance(step, PaidReply) or step.feature != feature:
            self._drop()
        return tuple(self.stored[self.taken :])

    # ── what doers use ───────────────────────────────────────────────────────────────────────────────────
    async def ask(self, request: ModelRequest, *, feature: str) -> PaidReply | Refused | Failed:
        """One call, of the bot's fallbacks too where its own model is asked and cannot answer now."""
        recalled = self._recalled(PaidReply, lambda paid: paid.feature == feature)
        if recalled is not None:
            self.replies.append(recalled)
            return recalled
        others = self.bot.fallbacks if request.choice == self.bot.choice else ()
        choices = (request.choice, *others)
        failed = ""
        for choice in choices:
            result = await self._call(request, choice, feature, failed, patient=choice is choices[-1])
            if not isinstance(result, Failed) or not result.elsewhere:
                break
            failed = f"{choice.provider}/{choice.model}: {result.why}"
        return self.noted(result)

    async def tool(self, call: ToolCall) -> ToolRun:
        """One call of the bot's toolbox."""
        started = self._recalled(ToolsStarted, lambda step: step.call_ids == (call.id,))
        done = self._recalled(ToolsDone, lambda step: [run.call.id for run in step.runs] == [call.id])
        if done is not None:
            self.runs.extend(done.runs)
            return done.runs[0]
        if started is not None:
            run = ToolRun(call, ToolResult(call.id, call.name, INTERRUPTED, ok=False), 0)
        else:
            if not self.toolbox.is_repeatable(call.name):
                await self.save(ToolsStarted((call.id,)))
            begun = self.clock.monotonic()
            result = await self.toolbox.run(call, max(0.0, self.deadline - begun))
            run = ToolRun(call, result, int((self.clock.monotonic() - begun) * 1000))
        await self.save(ToolsDone((run,)))
        self.runs.append(run)
        return run

    # ── what the run loop uses ───────────────────────────────────────────────────────────────────────────
    def node(self, key: str, node: str) -> NodeDone | None:
        """The stored outcome of this doing of this node; what was paid and made for it is taken with it."""
        for place in range(self.taken, len(self.stored)):
            step = self.stored[place]
            if isinstance(step, NodeDone):
                if (step.key, step.node) != (key, node):
                    return None
                self._pass(place)
                return step
        return None

    def noted(self, result: MeterResult) -> PaidReply | Refused | Failed:
        """What came of a call, remembered where it ends the run."""
        self.attempts_used = result.attempts_used
        match result:
            case Metered(paid):
                self.taken += 1
                self.replies.append(paid)
                return paid
            case Refused():
                self.refused = result
            case Failed():
                self.failed = result
                self.late = self.late or result.timed_out
        return result

    def looped(self, result: LoopResult) -> None:
        """The agent loop has taken and made steps of the turn."""
        self.taken += result.steps
        self.attempts_used = result.attempts_used
        self.replies.extend(result.replies)
        self.runs.extend(result.tool_runs)

    async def save(
        self,
        step: Step,
        outbox: Sequence[NewOutbound] = (),
        first_state: OutboxState = OutboxState.PENDING,
    ) -> tuple[Filed, ...]:
        """Store the next step, with what is said with it; how that is filed."""
        self._drop()
        stored = StoredStep(self.number, step_to_json(step))
        filed = await self.session.save_step(self.about.turn, stored, outbox, first_state)
        self.taken += 1
        return filed

    async def _call(
        self, request: ModelRequest, choice: ModelChoice, feature: str, failed: str, *, patient: bool
    ) -> MeterResult:
        self._drop()
        route = FALLBACK_ROUTE if failed else DEFAULT_ROUTE
        price = self.book().find(choice.provider, choice.model)
        warm = price is None or price.limits.temperature
        ask = Ask(
            request=replace(request, choice=choice, temperature=request.temperature if warm else None),
            about=replace(self.about, feature=feature, route=route, route_reason=failed),
            scopes=self.scopes,
            deadline=self.deadline,
            attempts_used=self.attempts_used,
            step_number=self.number,
            key=self.bot.key_for(choice.provider),
            patient=patient,
        )
        result = await self.meter.call(ask, self.session)
        self.attempts_used = result.attempts_used
        return result

    def _recalled(self, kind: type[_StepKind], fits: Callable[[_StepKind], bool]) -> _StepKind | None:
        """The next stored step, if it is this one."""
        step = self.stored[self.taken] if self.taken < len(self.stored) else None
        if isinstance(step, kind) and fits(step):
            self.taken += 1
            return step
        return None

    def _pass(self, place: int) -> None:
        """Take all steps up to that place."""
        for step in self.stored[self.taken : place]:
            if isinstance(step, PaidReply):
                self.replies.append(step)
            elif isinstance(step, ToolsDone):
                self.runs.extend(step.runs)
        self.taken = place + 1

    def _drop(self) -> None:
        """Something new is done: what was stored and not taken belongs to another workflow."""
        self.taken = max(self.taken, len(self.stored))
