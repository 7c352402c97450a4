"""Messages answered by a workflow: from a scene to a run, and from where the run has come to, to what the turn leaves.

    a message ─▶ the run of this conversation that waits for the user's answer, else a new one ─┐
    an errand ─▶ the run that it names ─────────────────────────────────────────────────────────┤
                                                                                                ▼
                                        RunLoop ─▶ LoopResult, and Owed: run, errands, hand-off (T4)

Rules: a run is written when a turn of it ends, and not before: what a turn cut short has done is in its steps. A run
that waits for a time owes itself an errand for each such step; one that waits for a reviewer has a hand-off. A run
whose workflow is gone, or no longer fits it, has failed, and its user is told.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from adapters.messages import AttachmentKind, InboundMessage
from runner.agent.latest import keep_latest
from runner.agent.loop import LoopResult
from runner.agent.transcribe import Listening
from runner.bots import Workflow
from runner.clock import Clock, UnixMs, iso
from runner.conversations.models import AssistantMessage, Message, UserMessage
from runner.dispatch.errands import NOTHING_OWED, Owed, Resume, wrap
from runner.dispatch.outbox import Outbox
from runner.dispatch.scene import Scene
from runner.dispatch.voices import TurnVoice
from runner.ports.dialogue import StopReason
from runner.ports.runs import Errand, Handoff, RunRecord, RunStatus, RunStore
from runner.ports.stores import LaneSession
from runner.workflows import engine
from runner.workflows.engine import Waiting
from runner.workflows.expressions import text_of
from runner.workflows.graph import Graph, read_graph
from runner.workflows.moves import failed_run
from runner.workflows.running import RunLoop
from runner.workflows.state import RunState, from_json, to_json
from runner.workflows.tasks import RunResult, RunTask, Woken, trigger_variables
from runner.workflows.tracing import Line, joined

MOST_GRAPHS = 100
"""Workflows that are kept as they were read."""
WAITS = "I am working on it and will come back to you."
"""What somebody reads who waits for an answer in the same breath, where a run only waits."""
_STATUS: Mapping[str, RunStatus] = {
    "running": RunStatus.WAITING,
    "finished": RunStatus.FINISHED,
    "failed": RunStatus.FAILED,
}


@dataclass(frozen=True, slots=True)
class _Read:
    """A workflow, read."""

    graph: Graph
    parts: Mapping[str, Graph]


@dataclass(frozen=True, slots=True)
class _Going:
    """A run that is to begin or to go on."""

    run: str
    state: RunState
    started_ms: int
    trace: tuple[Line, ...] = ()
    woken: Woken | None = None


@dataclass(frozen=True, slots=True)
class _Turn:
    """The turn that a run goes on in; as `Flows.answer` and `RunTask` have it."""

    scene: Scene
    message: InboundMessage
    history: tuple[Message, ...]
    going_on: Listening
    first_step: int
    session: LaneSession


class Flows:
    """Has messages answered by workflows. Holds nothing of any of them but workflows as they were read."""

    def __init__(self, loop: RunLoop, runs: RunStore, outbox: Outbox, clock: Clock) -> None:
        self._loop = loop
        self._runs = runs
        self._outbox = outbox
        self._clock = clock
        self._graphs: OrderedDict[Workflow, _Read] = OrderedDict()

    async def answer(
        self, scene: Scene, workflow: Workflow, going_on: Listening, first_step: int, session: LaneSession
    ) -> tuple[LoopResult, Owed]:
        """Answer a message. Raises StoreError.

        Args:
            going_on: on whose account, and the steps that an earlier try of the turn has stored.
            first_step: how many steps the turn has before those.
        """
        message = _written(scene)
        going = await self._waiting(scene, message.text)
        if going is None:
            graph = self._read(workflow).graph
            variables = {**trigger_variables(message, scene.platform), **scene.context}
            state = engine.begin(graph, variables, hops=len(scene.chain))
            going = _Going(f"r{scene.work.turn}", state, scene.work.accepted_ms)
        turn = _Turn(scene, message, scene.sent, going_on, first_step, session)
        return await self._go(turn, workflow, going)

    async def resume(
        self, scene: Scene, resume: Resume, going_on: Listening, session: LaneSession
    ) -> tuple[LoopResult, Owed]:
        """Go on with a run that waited; of one that does not, nothing is said. Raises StoreError."""
        record = await self._runs.run(resume.run)
        if record is None or record.status is not RunStatus.WAITING:
            why = "there is no" if record is None else "nothing is waited for by the"
            return LoopResult(StopReason.NOTICE, detail=f"{why} run {resume.run}"), NOTHING_OWED
        woken = Woken(resume.step, resume.decision, resume.comment, resume.by, until_ms=resume.until_ms)
        going = _going(record, woken)
        workflow = scene.bot.workflow
        if workflow is None:
            state = failed_run(going.state, "the bot has no workflow any more")
            result = RunResult(state, StopReason.WORKFLOW_FAILED, detail=state.failure or "")
            return self._left(scene, going, scene.message, result)
        history = (*scene.sent, UserMessage(scene.message.text))
        turn = _Turn(scene, scene.message, history, going_on, 0, session)
        return await self._go(turn, workflow, going)

    async def _waiting(self, scene: Scene, text: str) -> _Going | None:
        """The run of this conversation that waits for what this user writes."""
        for record in await self._runs.waiting_runs(scene.state.id):
            going = _going(record, Woken(reply=text))
            kinds = [task.wait.kind for task in going.state.tasks if task.wait is not None]
            its_own = (record.bot, record.user) == (scene.bot.id, scene.message.sender.id)
            if its_own and "reply" in kinds:
                return going
        return None

    async def _go(self, turn: _Turn, workflow: Workflow, going: _Going) -> tuple[LoopResult, Owed]:
        read, listening, scene = self._read(workflow), turn.going_on, turn.scene
        voice = TurnVoice(scene, self._outbox)
        task = RunTask(
            run=going.run,
            bot=scene.bot,
            graph=read.graph,
            parts=read.parts,
            state=going.state,
            about=listening.about,
            scopes=listening.scopes,
            deadline=listening.deadline,
            session=turn.session,
            toolbox=scene.toolbox,
            history=turn.history,
            message=turn.message,
            channel=scene.work.channel,
            platform=scene.platform,
            lane=scene.work.lane,
            stored=listening.done,
            first_step=turn.first_step,
            attempts_used=listening.attempts_used,
            voice=voice,
            has_spoken=any(line["type"] == "send_message" and not line["failure"] for line in going.trace),
            woken=going.woken,
        )
        return self._left(scene, going, turn.message, await self._loop.run(task), voice)

    def _left(
        self,
        scene: Scene,
        going: _Going,
        message: InboundMessage,
        result: RunResult,
        voice: TurnVoice | None = None,
    ) -> tuple[LoopResult, Owed]:
        """What the turn ends with, and leaves behind."""
        now = self._clock.now_ms()
        work, state = scene.work, result.state
        record = RunRecord(
            id=going.run,
            bot=work.bot,
            conversation=scene.state.id,
            channel=work.channel,
            user=message.sender.id,
            status=_STATUS[state.status],
            started_ms=UnixMs(going.started_ms),
            at_ms=now,
            state=to_json(state),
            trace=json.dumps(joined(going.trace, result.trace), ensure_ascii=False, separators=(",", ":")),
            turn=work.turn,
            waiting_for=_waiting_for(state),
        )
        errands = (*result.errands, *_errands(scene, going.run, message, result))
        handoff = _handoff(scene, going.run, message, result, now)
        return _looped(scene, result, voice), Owed(record, errands, handoff)

    def _read(self, workflow: Workflow) -> _Read:
        """The workflow, which was checked when bots.yaml was read."""
        found = self._graphs.get(workflow)
        if found is None:
            graph = _graph(workflow.source)
            found = _Read(graph, {name: _graph(source) for name, source in workflow.parts})
        keep_latest(self._graphs, workflow, found, MOST_GRAPHS)
        return found


def _written(scene: Scene) -> InboundMessage:
    """The message; what was said in it stands there as its text."""
    asked, message = scene.history[-1], scene.message
    heard = any(each.kind is AttachmentKind.AUDIO for each in message.attachments)
    return replace(message, text=asked.text) if heard and isinstance(asked, UserMessage) else message


def _graph(source: str) -> Graph:
    graph = read_graph(source)
    if not isinstance(graph, Graph):
        raise ValueError("; ".join(map(str, graph)))  # noqa: TRY004 - a bot made otherwise than from bots.yaml
    return graph


def _going(record: RunRecord, woken: Woken) -> _Going:
    """A stored run; failed where this release cannot read it."""
    try:
        state = from_json(record.state)
    except ValueError as error:
        state = failed_run(RunState({}), str(error))
    return _Going(record.id, state, record.started_ms, tuple(json.loads(record.trace)), woken)


def _looped(scene: Scene, result: RunResult, voice: TurnVoice | None) -> LoopResult:
    """The run's turn, as that of an agent loop."""
    said, text, stop = result.said, result.text, result.stop
    if scene.askers is not None:
        said, text = (), "\n\n".join([*said, *([text] if text else [])])
    silent = stop is StopReason.NOTICE and scene.errand is None and not said and not text
    if silent and voice is not None and voice.collects:
        stop, text = StopReason.ANSWERED, WAITS
    told = () if voice is None or voice.collects else tuple(AssistantMessage(each) for each in said)
    return LoopResult(
        stop,
        text,
        told,
        result.replies,
        result.tool_runs,
        result.detail,
        said=said,
    )


def _waiting_for(state: RunState) -> str:
    """In words."""
    words: dict[str, None] = {}
    for task in state.tasks:
        wait = task.wait
        if wait is not None:
            until = "the clock" if wait.until_ms is None else iso(UnixMs(wait.until_ms))
            words[{"decision": "a reviewer", "reply": "the user"}.get(wait.kind, until)] = None
    return ", ".join(words)


def _errands(scene: Scene, run: str, message: InboundMessage, result: RunResult) -> tuple[Errand, ...]:
    """One for each step that began to wait for a time."""
    work = scene.work
    return tuple(
        Errand(
            key=f"{run}.{step.step}.{work.turn}",
            bot=work.bot,
            channel=work.channel,
            lane=work.lane,
            payload=wrap(Resume(run, step=step.step, until_ms=step.wait.until_ms), message),
            due_ms=step.wait.until_ms,
            run=run,
            user=message.sender.id,
        )
        for step in result.paused
        if step.wait.until_ms is not None
    )


def _handoff(
    scene: Scene, run: str, message: InboundMessage, result: RunResult, now: UnixMs
) -> Handoff | None:
    """What a reviewer is asked; a run asks one at a time."""
    asked: Waiting | None = next((step for step in result.paused if step.wait.kind == "decision"), None)
    if asked is None:
        return None
    work = scene.work
    return Handoff(
        id=f"h{work.turn}.{asked.placed.id}",
        run=run,
        bot=work.bot,
        conversation=scene.state.id,
        channel=work.channel,
        lane=work.lane,
        user=message.sender.id,
        reason=text_of(asked.inputs["reason"]),
        errand=wrap(Resume(run), message),
        asked_ms=now,
    )
