"""Runs a workflow inside a turn.

    engine.steps ─▶ the next node ─▶ its doer ─▶ NodeDone stored, what it says with it ─▶ engine.advance ─▶ …
                                                            until the run has ended, or only waits

Rules: nodes are done one after another, those of parallel branches too, so that a turn begun again after a crash
takes what was stored in the same order: no node that was paid is paid twice, no text is said twice. The run ends as
the agent loop would where money is refused or the message's time is over: no error handler catches that. All else
that goes wrong is a value of its node. One reviewer is asked at a time: another hand-off of the run waits its turn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from runner.agent.meter import Meter
from runner.agent.replies import NodeDone
from runner.clock import Clock
from runner.errors import StoreError
from runner.money.prices import PriceBook
from runner.ports.dialogue import StopReason
from runner.ports.observer import Fault, Observer
from runner.ports.runs import Errand
from runner.workflows import engine
from runner.workflows.doing import Doers, Doing, Outcome, feature_of
from runner.workflows.engine import Done, Failed, Paused, Result, Run, Waiting
from runner.workflows.expressions import Json
from runner.workflows.graph import Graph
from runner.workflows.keeping import outcome_from_json, outcome_to_json
from runner.workflows.moves import failed_run
from runner.workflows.nodes.talking import HANDOFF_TEXT, DelegateToBot, HumanHandoff
from runner.workflows.nodes.thinking import AgentLoop, LlmCall
from runner.workflows.nodes.working import SubWorkflow
from runner.workflows.recalling import TurnSteps
from runner.workflows.state import RunState
from runner.workflows.tasks import RunResult, RunTask, Woken, trigger_variables
from runner.workflows.tracing import Line, line

DEEPEST = 3
"""Sub-workflows within one another."""
NO_TIME = "the message's time was over"
_SPEAKING = (LlmCall, AgentLoop, DelegateToBot)
"""Nodes whose text the user reads where a run ends without having said anything."""


@dataclass(slots=True)
class _Walk:
    """What the turn's part of the run has come to."""

    task: RunTask
    steps: TurnSteps
    said: list[str] = field(default_factory=list)
    errands: list[Errand] = field(default_factory=list)
    trace: list[Line] = field(default_factory=list)
    text: str = ""
    paused: set[int] = field(default_factory=set)
    stop: StopReason | None = None
    detail: str = ""

    def halted(self, now: float) -> bool:
        """Whether money or time has ended the run."""
        if self.stop is None:
            refused = self.steps.refused
            if refused is not None:
                self.stop = StopReason.BUDGET if refused.limit else StopReason.BUSY
                self.detail = refused.scope
            elif self.steps.late or now >= self.task.deadline:
                self.stop, self.detail = StopReason.TIMEOUT, NO_TIME
        return self.stop is not None

    def took(self, key: str, step: Run, outcome: Outcome, first_reply: int, ms: int) -> None:
        """A node was done, now or by an earlier try."""
        self.steps.replies.extend(outcome.replies)
        self.steps.runs.extend(outcome.tool_runs)
        self.said.extend(outcome.say)
        self.errands.extend(outcome.errands)
        if isinstance(outcome.result, Done) and isinstance(step.placed.node, _SPEAKING):
            self.text = _text_of(outcome.result.output) or self.text
        self.trace.append(
            line(step.placed, key, step.inputs, outcome.result, self.steps.replies[first_reply:], ms)
        )


class RunLoop:
    """Runs workflows. Holds nothing of any run."""

    def __init__(
        self,
        doers: Doers,
        meter: Meter,
        book: Callable[[], PriceBook],
        clock: Clock,
        observer: Observer,
    ) -> None:
        self._doers = doers
        self._meter = meter
        self._book = book
        self._clock = clock
        self._observer = observer

    async def run(self, task: RunTask) -> RunResult:
        """Go on until the run has ended, only waits, or is stopped. Raises StoreError only."""
        steps = TurnSteps(
            bot=task.bot,
            about=task.about,
            scopes=task.scopes,
            deadline=task.deadline,
            session=task.session,
            toolbox=task.toolbox,
            meter=self._meter,
            book=self._book,
            clock=self._clock,
            stored=task.stored,
            first=task.first_step,
            attempts_used=task.attempts_used,
        )
        walk, state = _Walk(task, steps), task.state
        try:
            state = await self._woken(walk, state)
            state = await self._drive(walk, task.graph, state, "")
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - our own fault ends this run, told with its traceback
            self._observer.note(Fault("workflow", repr(error), task.about.bot, task.about.turn, error))
            walk.stop, walk.detail = StopReason.INTERNAL_ERROR, "something went wrong in the workflow"
        return _result(walk, state)

    async def _woken(self, walk: _Walk, state: RunState) -> RunState:
        """The state once that has happened which the run waited for; the same where it waited for something else."""
        task, woken = walk.task, walk.task.woken
        if woken is None:
            return state
        state = engine.resumed(task.graph, state)
        waiting = _waited_for(engine.steps(task.graph, state), woken)
        if waiting is None:
            return state
        step, key = Run(waiting.step, waiting.placed, waiting.inputs), str(waiting.step)
        if woken.reply is not None:
            result = await self._node(walk, key, step, woken.reply)
            return state if result is None else engine.advance(task.graph, state, step.step, result)
        if woken.decision:
            decided = {"decision": woken.decision, "comment": woken.comment, "reviewer": woken.by}
            result = Done(decided, woken.decision, {"handoff": decided})
        else:
            result = Done() if waiting.wait.kind == "time" else Failed("nobody answered in time")
        walk.took(key, step, Outcome(result), len(walk.steps.replies), 0)
        return engine.advance(task.graph, state, step.step, result)

    async def _drive(self, walk: _Walk, graph: Graph, state: RunState, prefix: str) -> RunState:
        """Do nodes until nothing is left that can be done. `prefix`: of the keys of this workflow's steps."""
        while (step := _due(engine.steps(graph, state))) is not None:
            if walk.halted(self._clock.monotonic()):
                break
            key = f"{prefix}{step.step}"
            node = step.placed.node
            result: Result | None
            if isinstance(node, SubWorkflow):
                result = await self._part(walk, node, step, key)
            else:
                result = await self._node(walk, key, step)
            if result is None:
                break
            state = engine.advance(graph, state, step.step, result)
        return state

    async def _part(self, walk: _Walk, node: SubWorkflow, step: Run, key: str) -> Result | None:
        """Another workflow as a node; its nodes are stored each by itself. None: the run is stopped."""
        graph = walk.task.parts.get(node.name)
        given = step.inputs["input"]
        if graph is None or key.count(".") >= DEEPEST or not isinstance(given, Mapping):
            return Failed(f"there is no workflow {node.name!r} that can be used here")
        variables = {**trigger_variables(walk.task.message, walk.task.platform), **given}
        state = engine.begin(graph, variables, hops=walk.task.state.hops)
        state = await self._drive(walk, graph, state, f"{key}.")
        if walk.stop is not None:
            return None
        if state.status == "finished":
            return Done(dict(state.variables))
        return Failed(state.failure or "a sub-workflow cannot wait")

    async def _node(self, walk: _Walk, key: str, step: Run, reply: str | None = None) -> Result | None:
        """One node, taken or done and stored. None: the run is stopped, and nothing is stored."""
        steps, placed = walk.steps, step.placed
        first_reply = len(steps.replies)
        stored = steps.node(key, placed.id)
        if stored is not None:
            outcome, ms = outcome_from_json(stored.outcome), stored.ms
        else:
            begun = self._clock.monotonic()
            steps.failed = None
            outcome = await self._done(walk, key, step, reply)
            steps.refused = steps.refused or outcome.refused
            if steps.refused is not None or steps.late:
                walk.halted(self._clock.monotonic())
                failed = Outcome(Failed(walk.detail))
                walk.took(key, step, failed, first_reply, _ms(begun, self._clock))
                return None
            ms = _ms(begun, self._clock)
            rows, state = walk.task.voice.rows(outcome.say, steps.number)
            done = NodeDone(key, placed.id, outcome_to_json(outcome), ms)
            walk.task.voice.stored(await steps.save(done, rows, state), rows)
        walk.took(key, step, outcome, first_reply, ms)
        if isinstance(outcome.result, Paused):
            walk.paused.add(step.step)
        return outcome.result

    async def _done(self, walk: _Walk, key: str, step: Run, reply: str | None) -> Outcome:
        doer = self._doers.get(type(step.placed.node))
        if doer is None:
            return Outcome(Failed(f"a {step.placed.type} cannot be done here"))
        try:
            return await doer.do(_doing(walk, key, step, reply))
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - a node's bug is its failure, told with its traceback
            about = walk.task.about
            self._observer.note(Fault(f"node {step.placed.type}", repr(error), about.bot, about.turn, error))
            return Outcome(Failed(f"something went wrong in this {step.placed.type}"))


def _doing(walk: _Walk, key: str, step: Run, reply: str | None) -> Doing:
    task = walk.task
    return Doing(
        bot=task.bot,
        run=task.run,
        turn=task.about.turn,
        step=step,
        about=replace(task.about, feature=feature_of(step.placed.id)),
        scopes=task.scopes,
        deadline=task.deadline,
        session=task.session,
        user=task.message.sender.id,
        channel=task.channel,
        platform=task.platform,
        toolbox=task.toolbox,
        history=task.history,
        recall=walk.steps,
        lane=task.lane,
        message=task.message,
        reply=reply,
        hops=task.state.hops,
        key=key,
    )


def _due(steps: Sequence[engine.Step]) -> Run | None:
    """The next step to do; a hand-off waits while a reviewer has another one of the run."""
    asked = any(isinstance(step, Waiting) and step.wait.kind == "decision" for step in steps)
    return next(
        (
            step
            for step in steps
            if isinstance(step, Run) and not (asked and isinstance(step.placed.node, HumanHandoff))
        ),
        None,
    )


def _waited_for(steps: Sequence[engine.Step], woken: Woken) -> Waiting | None:
    """The step that waited for this; one that asked its user again since then has a later time to come."""
    waiting = [step for step in steps if isinstance(step, Waiting)]
    if woken.reply is not None:
        return next((step for step in waiting if step.wait.kind == "reply"), None)
    if woken.decision:
        return next((step for step in waiting if step.wait.kind == "decision"), None)
    due = (woken.step, woken.until_ms)
    return next((step for step in waiting if (step.step, step.wait.until_ms) == due), None)


def _result(walk: _Walk, state: RunState) -> RunResult:
    """What the turn ends with."""
    if walk.stop is not None:
        state = failed_run(state, walk.detail)
    paused = tuple(
        step
        for step in engine.steps(walk.task.graph, state)
        if isinstance(step, Waiting) and step.step in walk.paused
    )
    stop, text, detail = walk.stop, "", walk.detail
    if stop is not None:
        pass
    elif state.status == "failed":
        stop, detail = _failure(walk), state.failure or ""
    elif state.status == "running":
        asked = any(step.wait.kind == "decision" for step in paused)
        text = HANDOFF_TEXT if asked else ""
        stop = StopReason.ANSWERED if text or walk.said else StopReason.NOTICE
    else:
        spoken = bool(walk.said) or walk.task.has_spoken
        text = "" if spoken else walk.text
        stop = StopReason.NOTICE if walk.task.has_spoken and not walk.said else StopReason.ANSWERED
    return RunResult(
        state=state,
        stop=stop,
        text=text,
        detail=detail,
        said=tuple(walk.said),
        replies=tuple(walk.steps.replies),
        tool_runs=tuple(walk.steps.runs),
        errands=tuple(walk.errands),
        paused=paused,
        trace=tuple(walk.trace),
    )


def _failure(walk: _Walk) -> StopReason:
    """What the user is told of a run that failed: that a model failed, where that was it."""
    failed = walk.steps.failed
    if failed is None:
        return StopReason.WORKFLOW_FAILED
    return StopReason.UNPRICED if failed.unpriced else StopReason.PROVIDER_ERROR


def _text_of(output: Json) -> str:
    text = output.get("text") if isinstance(output, Mapping) else output
    return text.strip() if isinstance(text, str) else ""


def _ms(begun: float, clock: Clock) -> int:
    return int((clock.monotonic() - begun) * 1000)
