"""From a scene to an answer: what came along, who is asked, what is kept of it.

    perceive ─▶ choose ─▶ kept answer?  ─▶ the same text again, at no cost
       │                     └▶ agent loop
       └▶ a bot with a workflow: its run, begun or gone on with
    … the turn has ended (T4) …  ─▶ the answer is kept, where the bot keeps answers
                                 └▶ a head is made ahead, where the window is about to move

Rules: a fault of our own is an answer too; only a store that fails is not: its turn is begun again. What is done
after the turn's end holds up nobody and may be lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runner.agent.kept import KeptAnswers, Question, question_of
from runner.agent.loop import AgentLoop, LoopResult, LoopTask
from runner.agent.replies import Step, step_from_json
from runner.agent.routing import Routed
from runner.agent.transcribe import Ear, Listening
from runner.bots import Bot, Workflow
from runner.clock import Clock
from runner.conversations.models import Message, UserMessage
from runner.conversations.window import Marks
from runner.dispatch.accounts import scopes_for
from runner.dispatch.attachments import perceive
from runner.dispatch.choosing import choose, sees_pictures
from runner.dispatch.delegating import Delegation, asked_by, with_team
from runner.dispatch.documents import Documents
from runner.dispatch.drafts import drafts_for
from runner.dispatch.errands import NOTHING_OWED, Owed, Resume
from runner.dispatch.scene import Scene, about, part_key
from runner.dispatch.summaries import Summaries
from runner.errors import StoreError
from runner.ports.dialogue import StopReason
from runner.ports.mail import ConversationState
from runner.ports.observer import Fault, Observer, SummaryMissed
from runner.ports.roster import Roster
from runner.ports.stores import LaneSession

if TYPE_CHECKING:  # loaded by bots with workflows only
    from runner.dispatch.flows import Flows

UNSUMMED = "the window moved before its summary was there"


@dataclass(frozen=True, slots=True)
class Answered:
    """How a message was answered.

    Attributes:
        scene: as the model saw it, with what the conversation stays with.
        question: what its answer is kept under; None: it is not kept.
        owed: what is left behind of a workflow run.
    """

    scene: Scene
    result: LoopResult
    question: Question | None = None
    owed: Owed = NOTHING_OWED


@dataclass(frozen=True, slots=True)
class Answerers:
    """Who may answer: the agent, an answer that was kept, a workflow. `flows`: made when one is needed."""

    agent: AgentLoop
    kept: KeptAnswers
    flows: Callable[[], Flows]


class Answering:
    """Has messages answered. Holds nothing of any of them."""

    def __init__(
        self,
        roster: Roster,
        answerers: Answerers,
        summaries: Summaries,
        clock: Clock,
        observer: Observer,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._roster = roster
        self._agent = answerers.agent
        self._kept = answerers.kept
        self._flows = answerers.flows
        self._summaries = summaries
        self._clock = clock
        self._observer = observer
        self._tasks = tasks
        self._documents = Documents()

    def marks(self, bot: Bot) -> Marks:
        """Between which marks the bot's window moves now."""
        return self._agent.marks(bot)

    async def settled(self, turn: str) -> None:
        """Wait until all that this turn called is settled and stored."""
        await self._agent.settled(turn)

    def lost(self, turn: str) -> None:
        """This turn is another daemon's now."""
        self._agent.lost(turn)

    async def answer(self, scene: Scene, session: LaneSession) -> Answered:
        """Answer one message. Raises StoreError: the turn is to be begun again."""
        bot = scene.bot
        if scene.dropped and bot.conversations.summarize:
            self._observer.note(SummaryMissed(bot.id, scene.state.id, UNSUMMED))
        try:
            steps = tuple(step_from_json(step.payload) for step in scene.work.steps)
            scene = with_team(
                scene, Delegation(scene, session, self.answer, self._roster, self._clock), steps
            )
            listening = self._listening(scene, steps)
            if isinstance(scene.errand, Resume):
                return await self._resume(scene, scene.errand, listening, session)
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
                return Answered(scene, replace(perceived.end, heard=ear.paid))
            if bot.workflow is not None:
                return await self._run(scene, bot.workflow, listening, ear, session)
            return await self._ask(scene, listening, ear, session)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - the user is answered whatever happens; told with its traceback
            self._observer.note(Fault("turn", repr(error), bot.id, scene.work.turn, error))
            return Answered(scene, LoopResult(StopReason.INTERNAL_ERROR, detail=repr(error)))

    async def _run(
        self, scene: Scene, workflow: Workflow, listening: Listening, ear: Ear, session: LaneSession
    ) -> Answered:
        """Have a workflow answer, behind what was heard."""
        going_on = replace(listening, done=listening.done[ear.steps :], attempts_used=ear.attempts_used)
        result, owed = await self._flows().answer(scene, workflow, going_on, ear.steps, session)
        return Answered(scene, replace(result, heard=ear.paid), owed=owed)

    async def _resume(
        self, scene: Scene, resume: Resume, listening: Listening, session: LaneSession
    ) -> Answered:
        """Go on with a run that has waited."""
        result, owed = await self._flows().resume(scene, resume, listening, session)
        return Answered(scene, result, owed=owed)

    async def after(self, answered: Answered, state: ConversationState, said: Sequence[Message]) -> None:
        """The turn has ended: keep what can be used again.

        Args:
            state: the conversation as the turn has left it.
            said: what the turn added to it.
        """
        scene = answered.scene
        if answered.question is not None:
            await self._kept.keep(answered.question, answered.result, scene.work.turn)
        if said:
            history = (*scene.past, *said)
            self._summaries.after(scene.bot, state, history, scene.marks, about(scene))

    def _listening(self, scene: Scene, steps: tuple[Step, ...]) -> Listening:
        """On whose account this turn calls models, and how a voice message is heard; the agent goes on from it."""
        bot, choice = scene.bot, scene.bot.transcription
        return Listening(
            choice=choice,
            about=about(scene),
            scopes=scopes_for(bot, self._roster, scene.chain),
            deadline=scene.deadline,
            done=steps,
            attempts_used=scene.work.attempts_used,
            key=None if choice is None else bot.key_for(choice.provider),
        )

    async def _ask(self, scene: Scene, listening: Listening, ear: Ear, session: LaneSession) -> Answered:
        """Decide who answers, then look for the answer, or ask for it, behind what was heard and decided."""
        judge = self._agent.judge(listening, ear, session)
        chosen = asked_by(scene, await choose(scene, judge, self._agent.sees))
        going_on = replace(listening, done=listening.done[judge.steps :], attempts_used=judge.attempts_used)
        question = _question(scene)
        result = None
        if question is not None and not going_on.done:
            result = await self._found(question, chosen.routes[0], going_on, judge.steps, session)
        if result is None:
            result = await self._agent_answers(scene, chosen.routes, going_on, judge.steps, session)
        result = replace(result, heard=ear.paid, labelled=judge.paid)
        return Answered(replace(scene, state=chosen.settled(scene, result)), result, question)

    async def _found(
        self, question: Question, first: Routed, going_on: Listening, step: int, session: LaneSession
    ) -> LoopResult | None:
        """The answer that was given to the same question before."""
        found = await self._kept.find(
            question, first.choice, going_on.about, going_on.scopes, session, step, going_on.attempts_used
        )
        if found is None:
            return None
        return LoopResult(StopReason.ANSWERED, found.paid.reply.text, replies=(found.paid,))

    async def _agent_answers(
        self,
        scene: Scene,
        routes: tuple[Routed, ...],
        going_on: Listening,
        first_step: int,
        session: LaneSession,
    ) -> LoopResult:
        """Ask the agent, who shows its answer while it comes."""
        bot = scene.bot
        key = part_key(scene.work.turn, 1)
        showing = drafts_for(scene.adapter, scene.message, key, wanted=bot.stream_replies)
        async with showing(self._clock, self._tasks) as listener:
            task = LoopTask(
                bot=bot,
                history=scene.sent,
                routes=routes,
                about=going_on.about,
                scopes=going_on.scopes,
                done=going_on.done,
                attempts_used=going_on.attempts_used,
                deadline=going_on.deadline,
                listener=listener,
                first_step=first_step,
            )
            return await self._agent.run(task, scene.toolbox, session)


def _question(scene: Scene) -> Question | None:
    """The message as one whose answer may be kept."""
    asked = scene.history[-1]
    if not isinstance(asked, UserMessage):
        return None
    came_along = bool(scene.message.attachments)
    return question_of(scene.bot, scene.state, asked, scene.toolbox.specs, came_along=came_along)
