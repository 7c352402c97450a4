"""The walk of one message. Read this first.

    work (inbox row, conversation, history, stored steps)
      │
      ├─ a command?  answered here
      ├─ an errand to say something?  said: nobody wrote, no model is asked
      └─ window ─▶ answering: what came along ─▶ who is asked ─▶ agent loop ─▶ meter ─▶ provider
      │                                                          (T2 hold, T3 settle, again while tools are asked for)
      │
    closing text ─▶ parts ─▶ finish                         T4: turn, messages, outbox, what is owed, inbox done: one
      │
    outbox.take ─▶ adapter.send                             T5: each part's fate

Rules: every message of a user ends in a reply, whatever goes wrong; begun again after a crash, a turn has the same id,
the same conversation and the same paid replies; the message's time runs from the start of its turn.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace

from adapters.messages import OutboundMessage, outbound_to_json
from adapters.text import split
from runner.agent.loop import LoopResult
from runner.clock import Clock, UnixMs
from runner.conversations.models import (
    AssistantMessage,
    Message,
    message_to_json,
)
from runner.dispatch.answering import Answering
from runner.dispatch.breakdown import token_breakdown
from runner.dispatch.commands import CommandAnswer, Commands
from runner.dispatch.errands import NOTHING_OWED, Owed, Say
from runner.dispatch.outbox import Outbox
from runner.dispatch.report import turn_report
from runner.dispatch.scene import Scene, about, new_conversation, part_key, scene_of
from runner.dispatch.texts import closing_text
from runner.dispatch.working import Working
from runner.errors import LaneLost, StoreError
from runner.ports.dialogue import StopReason
from runner.ports.mail import ConversationState, FinishedTurn, NewOutbound, OutboxState, Outgoing, Work
from runner.ports.observer import ErrandsOwed, Fault, HandoffAsked, Observer, TurnFinished
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
    owed: Owed


class TurnHandler:
    """Walks messages through. Holds nothing of any of them."""

    def __init__(
        self,
        roster: Roster,
        answering: Answering,
        commands: Commands,
        outbox: Outbox,
        clock: Clock,
        observer: Observer,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._roster = roster
        self._answering = answering
        self._commands = commands
        self._outbox = outbox
        self._clock = clock
        self._observer = observer
        self._tasks = tasks

    async def handle(self, work: Work, session: LaneSession) -> None:
        """Answer one message; StoreError goes to the lane, which waits and begins it again.

        So does LaneLost: nothing more is done for the turn, what it still calls is settled by the store.
        """
        try:
            await self._walk(work, session)
        except LaneLost:
            self._answering.lost(work.turn)
            raise
        except StoreError:
            await self._answering.settled(work.turn)
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
            self._answering.marks(bot),
            self._clock.monotonic(),
        )
        if isinstance(scene.errand, Say):
            await self._finish(scene, LoopResult(StopReason.NOTICE), scene.errand.text, scene.state, session)
            return
        if (answer := await self._answer_command(scene)) is not None:
            state = new_conversation(work) if answer.new_conversation else scene.state
            await self._finish(scene, LoopResult(StopReason.COMMAND), answer.text, state, session)
            return
        with Working(scene.adapter, scene.message.chat, self._tasks):
            answered = await self._answering.answer(scene, session)
        scene, result = answered.scene, answered.result
        text = closing_text(bot, result)
        if scene.capabilities.collects:
            text = "\n\n".join(each for each in (*result.said, text) if each)
        finished, said = await self._finish(scene, result, text, scene.state, session, answered.owed)
        await self._answering.after(answered, finished.conversation, said)

    async def _answer_command(self, scene: Scene) -> CommandAnswer | None:
        """The answer to a command; None where the message is none of ours."""
        if scene.message.command is None or scene.errand is not None:
            return None
        asked = replace(about(scene), time_ms=self._clock.now_ms())
        return await self._commands.answer(scene.bot, scene.message, asked)

    async def _finish(
        self,
        scene: Scene,
        result: LoopResult,
        text: str,
        state: ConversationState,
        session: LaneSession,
        owed: Owed = NOTHING_OWED,
    ) -> tuple[FinishedTurn, tuple[Message, ...]]:
        """T4, then hand the parts on; returns what was written, and what was added to the conversation."""
        latency_ms = int((self._clock.monotonic() - scene.begun) * 1000)
        breakdown = token_breakdown(scene.bot.system_prompt, scene.toolbox.specs, scene.sent, result)
        report = turn_report(scene.work.turn, state.id, result, latency_ms, breakdown)
        if owed.run is not None:
            report["run_id"] = owed.run.id
        parts = _parts(scene, text, report)
        ending = _Ending(result, text, state, report, parts, self._first_state(scene, len(parts)), owed)
        said = _said(scene, ending)
        finished = _finished(scene, ending, said, self._clock.now_ms())
        filed = await session.finish(finished)
        self._tell(scene, state, result, latency_ms)
        self._tell_owed(scene, owed)
        if ending.first is OutboxState.SENT:
            await self._hand_out(scene, parts)
            return finished, said
        work = scene.work
        self._outbox.take(
            [
                Outgoing(row.id, work.inbox_id, o.bot, o.channel, o.place, o.payload, row.state, tries=1)
                for row, o in zip(filed, finished.outbox, strict=True)
            ],
        )
        return finished, said

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

    def _tell_owed(self, scene: Scene, owed: Owed) -> None:
        if owed.errands:
            self._observer.note(ErrandsOwed(scene.bot.id, scene.work.turn, len(owed.errands)))
        if (asked := owed.handoff) is not None:
            self._observer.note(HandoffAsked(asked.bot, asked.channel, asked.id, asked.run))

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


def _parts(scene: Scene, text: str, report: dict[str, object]) -> tuple[OutboundMessage, ...]:
    """The reply, split to what the platform takes; whoever collects gets the figures with it."""
    can = scene.capabilities
    message = scene.message
    return tuple(
        OutboundMessage(
            key=part_key(scene.work.turn, number),
            chat=message.chat,
            text=part,
            in_reply_to=message.event_id if scene.errand is None else None,
            details=message.details,
            report=report if can.reports else {},
        )
        for number, part in enumerate(split(text, can.max_text, can.text_units), 1)
    )


def _said(scene: Scene, ending: _Ending) -> tuple[Message, ...]:
    """What the turn adds to the conversation."""
    if ending.result.stop in NOT_REMEMBERED:
        return ()
    told = (*ending.result.messages, *([AssistantMessage(ending.text)] if ending.text else []))
    if not told:
        return ()  # nobody answered (yet)
    if scene.errand is not None:
        return told if scene.history else ()  # a conversation begins with what its user said
    return (scene.history[-1], *told)


def _finished(scene: Scene, ending: _Ending, said: tuple[Message, ...], now: UnixMs) -> FinishedTurn:
    work, state = scene.work, ending.state
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
        asked=scene.errand is None,
        run=ending.owed.run,
        errands=ending.owed.errands,
        handoff=ending.owed.handoff,
    )
