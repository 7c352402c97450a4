"""Bots that ask one another: the surroundings of the asked bot's own turn, inside the turn that asks.

    turn t12 of reception ─▶ part t12.d1 of billing ─▶ part t12.d1.d1 of refunds
                             billing's model, tools, limits, caps; the asker's time, channel and user

Rules: the asked bot sees one message and nothing of the conversation; what is handed over with it stands in front, or
becomes variables of its workflow; it may be asked by whoever names it in its
`team:`, whoever may write to it itself. Its calls stand in the ledger under the part, as its own. Nothing that it
leaves to be done later can be kept, for its turn has no end of its own: a run that has to wait is told as a failure.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Protocol

from runner.agent.loop import LoopResult
from runner.agent.replies import Step
from runner.bots import Bot
from runner.clock import Clock
from runner.conversations.models import UserMessage
from runner.dispatch.choosing import Chosen
from runner.dispatch.errands import Owed
from runner.dispatch.scene import Askers, Scene
from runner.dispatch.texts import closing_text
from runner.ports.dialogue import StopReason
from runner.ports.mail import ConversationState
from runner.ports.roster import Roster
from runner.ports.runs import RunStatus
from runner.ports.stores import LaneSession
from runner.teams.handoff import Handed, TeamToolbox, asked_before
from runner.teams.roster import Request

_GOOD = frozenset({StopReason.ANSWERED, StopReason.OUTPUT_LIMIT, StopReason.NOTICE})
"""Ends whose text is an answer, where there is a text."""


class Reply(Protocol):
    """How the asked bot's turn ended; `runner.dispatch.answering.Answered` is one."""

    @property
    def result(self) -> LoopResult:
        """The turn's end."""

    @property
    def owed(self) -> Owed:
        """What it left to be done later."""


Answer = Callable[[Scene, LaneSession], Awaitable[Reply]]


class Delegation:
    """Has other bots answer for the bot of one scene. A `runner.teams.handoff.Colleagues`.

    Args:
        answer: has a scene answered, from its stored steps on.
    """

    __slots__ = ("_answer", "_clock", "_roster", "_scene", "_session")

    def __init__(
        self, scene: Scene, session: LaneSession, answer: Answer, roster: Roster, clock: Clock
    ) -> None:
        self._scene = scene
        self._session = session
        self._answer = answer
        self._roster = roster
        self._clock = clock

    async def ask(self, request: Request, part: str, timeout_s: float) -> Handed:
        """The answer of the bot that is asked, or why there is none."""
        bot = self._roster.bot(request.bot)
        if bot is None:
            return Handed(f"The bot {request.bot} is not there now.", ok=False)
        now = self._clock.monotonic()
        steps, used = await self._session.steps(part)
        work = replace(
            self._scene.work,
            bot=bot.id,
            turn=part,
            conversation=None,
            history=(),
            steps=steps,
            attempts_used=used,
        )
        asker, text = self._scene, request.text if bot.workflow is None else request.message
        askers = Askers((*asker.chain, asker.bot.id), asker.platform, now + timeout_s, request.context)
        state = ConversationState(self._scene.state.id, work.accepted_ms, work.accepted_ms)
        asked = replace(self._scene.message, text=text, attachments=(), command=None)
        scene = Scene(
            work=work,
            bot=bot,
            adapter=None,
            message=asked,
            state=state,
            history=(UserMessage(text),),
            toolbox=self._roster.toolbox(bot.id),
            marks=self._scene.marks,
            begun=now,
            askers=askers,
        )
        return _handed(bot, await self._answer(scene, self._session))


def with_team(scene: Scene, colleagues: Delegation, steps: tuple[Step, ...]) -> Scene:
    """The same, with the bot's team among its tools; `steps`: those that its turn has stored."""
    if not scene.bot.team and scene.bot.workflow is None:
        return scene
    toolbox = TeamToolbox(
        scene.toolbox,
        scene.bot.team,
        colleagues,
        turn=scene.work.turn,
        asked=asked_before(steps),
        hops=len(scene.chain),
        max_result_chars=scene.bot.limits.max_tool_result_chars,
    )
    return replace(scene, toolbox=toolbox)


def asked_by(scene: Scene, chosen: Chosen) -> Chosen:
    """The same; where another bot asks, the ledger's `route_reason` says which."""
    if not scene.chain:
        return chosen
    asked = f"asked by {scene.chain[-1]}"
    routes = tuple(
        replace(routed, reason="; ".join(why for why in (asked, routed.reason) if why))
        for routed in chosen.routes
    )
    return replace(chosen, routes=routes)


def _handed(bot: Bot, reply: Reply) -> Handed:
    """The end of the asked bot's turn as its asker reads it."""
    run = reply.owed.run
    if reply.owed.errands or (run is not None and run.status is RunStatus.WAITING):
        return Handed(
            f"The bot {bot.id} can't finish this now, and it does nothing later for another bot.", ok=False
        )
    text = closing_text(bot, reply.result)
    if reply.result.stop in _GOOD and reply.result.text.strip():
        return Handed(text, ok=True)
    return Handed(f"The bot {bot.id} gave no answer ({reply.result.stop}): {text}", ok=False)
