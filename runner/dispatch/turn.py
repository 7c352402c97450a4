"""The walk of one message. Read this first.

    work (inbox row, conversation, history, stored steps)
      │
      ├─ a command?  answered here
      └─ window ─▶ what came along ─▶ agent loop ─▶ meter ─▶ provider    (T2 hold, T3 settle, again while tools
      │                                                                  are asked for)
      │
    closing text ─▶ parts ─▶ finish                         T4: turn, messages, outbox, inbox done: one transaction
      │
    outbox.take ─▶ adapter.send                             T5: each part's fate

Rules: every message ends in a reply, whatever goes wrong; begun again after a crash, a turn has the same id,
the same conversation and the same paid replies; the message's time runs from the start of its turn.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace

from adapters.messages import OutboundMessage, outbound_to_json
from adapters.text import split
from runner.agent.loop import AgentLoop, LoopResult, LoopTask
from runner.agent.replies import Step, step_from_json
from runner.agent.transcribe import Ear, Listening
from runner.clock import Clock, UnixMs
from runner.conversations.models import (
    AssistantMessage,
    Message,
    message_to_json,
)
from runner.dispatch.accounts import scopes_for
from runner.dispatch.attachments import perceive
from runner.dispatch.breakdown import token_breakdown
from runner.dispatch.choosing import choose, sees_pictures
from runner.dispatch.commands import CommandAnswer, Commands
from runner.dispatch.documents import Documents
from runner.dispatch.drafts import drafts_for
from runner.dispatch.outbox import Outbox
from runner.dispatch.report import turn_report
from runner.dispatch.scene import Scene, about, new_conversation, scene_of
from runner.dispatch.texts import closing_text
from runner.dispatch.working import Working
from runner.errors import StoreError
from runner.ports.dialogue import StopReason
from runner.ports.mail import ConversationState, FinishedTurn, NewOutbound, OutboxState, Outgoing, Work
from runner.ports.observer import Fault, Observer, TurnFinished
from runner.ports.roster import Roster
from runner.ports.stores import LaneSession

NOT_REMEMBERED = frozenset(
    {StopReason.BUDGET, StopReason.BUSY, StopReason.UNPRICED, StopReason.COMMAND, StopReason.UNREADABLE},
)
"""Ends of which a model is never told: they would only push what matters out of the window."""
GONE_WAIT_MS = 60_000


@dataclass(frozen=True, slots=True)
class _Ending:
    """How a turn ended: what T4 writes down.

    Attributes:
        state: the conversation that goes on, before this turn's messages.
        parts: the reply as the platform gets it.
    """

    result: LoopResult
    text: str
    state: ConversationState
    report: dict[str, object]
    parts: tuple[OutboundMessage, ...]
    first: OutboxState


class TurnHandler:
    """Walks messages through. Holds nothing of any of them."""

    def __init__(
        self,
        roster: Roster,
        agent: AgentLoop,
        commands: Commands,
        outbox: Outbox,
        clock: Clock,
        observer: Observer,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._roster = roster
        self._agent = agent
        self._commands = commands
        self._outbox = outbox
        self._clock = clock
        self._observer = observer
        self._tasks = tasks
        self._documents = Documents()

    async def handle(self, work: Work, session: LaneSession) -> None:
        """Answer one message; StoreError goes to the lane, which waits and begins it again."""
        try:
            await self._walk(work, session)
        except StoreError:
            await self._agent.settled(work.turn)
            raise

    async def _walk(self, work: Work, session: LaneSession) -> None:
        bot = self._roster.bot(work.bot)
        if bot is None:
            await session.postpone(work.inbox_id, self._clock.now_ms() + GONE_WAIT_MS)
            return
        adapter = self._roster.adapter(work.bot, work.channel)
        scene = scene_of(
            work,
            bot,
            adapter,
            self._roster.toolbox(work.bot),
            self._agent.marks(bot),
            self._clock.monotonic(),
        )
        if (answer := await self._answer_command(scene)) is not None:
            state = new_conversation(work) if answer.new_conversation else scene.state
            await self._finish(scene, LoopResult(StopReason.COMMAND), answer.text, state, session)
            return
        with Working(scene.adapter, scene.message.chat, self._tasks):
            scene, result = await self._answer(scene, session)
        await self._finish(scene, result, closing_text(bot, result), scene.state, session)

    async def _answer_command(self, scene: Scene) -> CommandAnswer | None:
        """The answer to a command; None where the message is none of ours."""
        if scene.message.command is None:
            return None
        asked = replace(about(scene), time_ms=self._clock.now_ms())
        return await self._commands.answer(scene.bot, scene.message, asked)

    async def _answer(self, scene: Scene, session: LaneSession) -> tuple[Scene, LoopResult]:
        """Look at what came along, then ask the agent; a fault of our own is an answer too.

        Returns the scene as the model saw it, and how the turn ended.
        """
        bot = scene.bot
        try:
            steps = tuple(step_from_json(step.payload) for step in scene.work.steps)
            listening = self._listening(scene, steps)
            ear = self._agent.ear(listening, session)
            perceived = await perceive(
                scene.message,
                scene.adapter,
                wanted=bot.attachments,
                sees=sees_pictures(bot, self._agent.sees),
                ear=ear,
                documents=self._documents,
            )
            scene = scene.perceiving(perceived)
            if perceived.end is not None:
                return scene, replace(perceived.end, heard=ear.paid)
            return await self._ask(scene, listening, ear, session)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - the user is answered whatever happens; told with its traceback
            self._observer.note(Fault("turn", repr(error), bot.id, scene.work.turn, error))
            return scene, LoopResult(StopReason.INTERNAL_ERROR, detail=repr(error))

    def _listening(self, scene: Scene, steps: tuple[Step, ...]) -> Listening:
        """On whose account this turn calls models, and how a voice message is heard; the agent goes on from it."""
        bot, choice = scene.bot, scene.bot.transcription
        return Listening(
            choice=choice,
            about=about(scene),
            scopes=scopes_for(bot, self._roster),
            deadline=scene.deadline,
            done=steps,
            attempts_used=scene.work.attempts_used,
            key=None if choice is None else bot.key_for(choice.provider),
        )

    async def _ask(
        self, scene: Scene, listening: Listening, ear: Ear, session: LaneSession
    ) -> tuple[Scene, LoopResult]:
        """Decide who answers, then ask the agent, who goes on behind what was heard and decided."""
        work, bot = scene.work, scene.bot
        judge = self._agent.judge(listening, ear, session)
        chosen = await choose(scene, judge, self._agent.sees)
        showing = drafts_for(scene.adapter, scene.message, _part_key(work.turn, 1), wanted=bot.stream_replies)
        async with showing(self._clock, self._tasks) as listener:
            task = LoopTask(
                bot=bot,
                history=scene.history,
                routes=chosen.routes,
                about=listening.about,
                scopes=listening.scopes,
                done=listening.done[judge.steps :],
                attempts_used=judge.attempts_used,
                deadline=listening.deadline,
                listener=listener,
                first_step=judge.steps,
            )
            result = await self._agent.run(task, scene.toolbox, session)
        result = replace(result, heard=ear.paid, labelled=judge.paid)
        return replace(scene, state=chosen.settled(scene, result)), result

    async def _finish(
        self, scene: Scene, result: LoopResult, text: str, state: ConversationState, session: LaneSession
    ) -> None:
        """T4, then hand the parts on."""
        latency_ms = int((self._clock.monotonic() - scene.begun) * 1000)
        breakdown = token_breakdown(scene.bot.system_prompt, scene.toolbox.specs, scene.history, result)
        report = turn_report(scene.work.turn, state.id, result, latency_ms, breakdown)
        parts = _parts(scene, text, report)
        ending = _Ending(result, text, state, report, parts, self._first_state(scene, len(parts)))
        finished = _finished(scene, ending, self._clock.now_ms())
        ids = await session.finish(finished)
        self._tell(scene, state, result, latency_ms)
        if ending.first is OutboxState.SENT:
            await self._hand_out(scene, parts)
            return
        work, first = scene.work, ending.first
        self._outbox.take(
            [
                Outgoing(row_id, work.inbox_id, o.bot, o.channel, o.place, o.payload, first, tries=1)
                for row_id, o in zip(ids, finished.outbox, strict=True)
            ],
        )

    def _first_state(self, scene: Scene, parts: int) -> OutboxState:
        if scene.capabilities.collects:
            return OutboxState.SENT
        work = scene.work
        return self._outbox.first_state(work.bot, work.channel, scene.message.chat.place, parts)

    async def _hand_out(self, scene: Scene, payloads: tuple[OutboundMessage, ...]) -> None:
        """Give the answer to whoever waits for it; it is kept for whoever asks again."""
        if scene.adapter is None:
            return
        for message in payloads:
            try:
                await scene.adapter.send(message)
            except Exception as error:  # noqa: BLE001 - the turn is done and the answer kept: only this hand-out failed
                self._observer.note(Fault("send", repr(error), scene.bot.id, scene.work.turn, error))

    def _tell(self, scene: Scene, state: ConversationState, result: LoopResult, latency_ms: int) -> None:
        self._observer.note(
            TurnFinished(
                bot=scene.bot.id,
                channel=scene.work.channel,
                conversation=state.id,
                turn=scene.work.turn,
                stop_reason=result.stop,
                iterations=len(result.replies),
                tool_calls=len(result.tool_runs),
                cost=result.cost,
                latency_ms=latency_ms,
                detail=result.detail,
            ),
        )


def _part_key(turn: str, number: int) -> str:
    """The same for a draft and for the part that takes its place."""
    return f"{turn}.{number}"


def _parts(scene: Scene, text: str, report: dict[str, object]) -> tuple[OutboundMessage, ...]:
    """The reply, split to what the platform takes; whoever collects gets the figures with it."""
    can = scene.capabilities
    message = scene.message
    return tuple(
        OutboundMessage(
            key=_part_key(scene.work.turn, number),
            chat=message.chat,
            text=part,
            in_reply_to=message.event_id,
            details=message.details,
            report=report if can.reports else {},
        )
        for number, part in enumerate(split(text, can.max_text, can.text_units), 1)
    )


def _finished(scene: Scene, ending: _Ending, now: UnixMs) -> FinishedTurn:
    work, state = scene.work, ending.state
    said: tuple[Message, ...] = ()
    if ending.result.stop not in NOT_REMEMBERED:
        said = (scene.history[-1], *ending.result.messages, AssistantMessage(ending.text))
    return FinishedTurn(
        inbox_id=work.inbox_id,
        turn=work.turn,
        bot=work.bot,
        channel=work.channel,
        lane=work.lane,
        user=scene.message.sender.id,
        conversation=replace(
            state, last_ms=max(state.last_ms, work.accepted_ms), next_seq=state.next_seq + len(said)
        ),
        stop_reason=ending.result.stop,
        at_ms=now,
        messages=tuple(message_to_json(message) for message in said),
        outbox=tuple(
            NewOutbound(work.bot, work.channel, scene.message.chat.place, outbound_to_json(part))
            for part in ending.parts
        ),
        first_state=ending.first,
        report=json.dumps(ending.report, ensure_ascii=False, separators=(",", ":")),
        platform=scene.platform,
    )
