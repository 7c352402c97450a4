"""The agent loop: model, tools, model, … until there is an answer or a limit.

Rules: what an earlier try of the turn has stored is taken, not done again; every end is a `LoopResult` with a
stop reason, never an exception; the messages it hands back are a legal continuation of the history. The same
tool with the same arguments the third time is not made: the loop ends before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from runner.agent.asks import Ask, Failed, Metered, MeterResult, Refused, ScopesOf
from runner.agent.caching import Traffic
from runner.agent.classify import Judge
from runner.agent.context import Windows
from runner.agent.limits import after_tools, before_tools
from runner.agent.meter import Meter
from runner.agent.prompt import build_request
from runner.agent.replies import PaidReply, Step, ToolsDone, ToolsStarted, step_to_json
from runner.agent.routing import Routed
from runner.agent.transcribe import Ear, Listening
from runner.bots import Bot, ModelChoice
from runner.clock import Clock
from runner.conversations.models import AssistantMessage, Message, ToolCall, ToolMessage, ToolResult
from runner.conversations.window import Marks
from runner.errors import StoreError
from runner.money.amounts import ZERO, Money
from runner.money.ledger import Attempt
from runner.money.prices import PriceBook
from runner.money.usage import NO_USAGE, Usage
from runner.ports.dialogue import FinishReason, StopReason
from runner.ports.listener import Listener
from runner.ports.mail import StoredStep
from runner.ports.stores import LaneSession
from runner.ports.tools import Toolbox, ToolRun

INTERRUPTED = (
    "This call was interrupted by a restart. It may or may not have taken effect; it was not made again."
)


@dataclass(frozen=True, slots=True)
class LoopTask:
    """What the loop is to answer.

    Attributes:
        history: legal, windowed, ends with the user message that is being answered.
        routes: the models to ask, in order; at least one.
        about: the ledger row as far as it is known.
        done: steps that an earlier try of the loop has stored, in order.
        first_step: how many steps the turn has before the loop's.
        deadline: `clock.monotonic()` at which the message's time is over.
        listener: hears the answer while it comes.
    """

    bot: Bot
    history: tuple[Message, ...]
    routes: tuple[Routed, ...]
    about: Attempt
    scopes: ScopesOf
    done: tuple[Step, ...]
    attempts_used: int
    deadline: float
    listener: Listener | None = None
    first_step: int = 0


@dataclass(frozen=True, slots=True)
class LoopResult:
    """How it ended.

    Attributes:
        text: the model's answer; empty where there is none.
        messages: what to append to the history after the user message, without the closing answer.
        detail: why, for logs (a provider's fault, the scope that refused).
        heard: what was paid to write speech down before the model was asked; its usage is in seconds.
        labelled: what was paid to name the message's kind before it was decided who answers.
        said: what the user has read already, before the turn's end.
        steps: how many steps the loop has by now; `attempts_used`: ledger rows of the turn.
    """

    stop: StopReason
    text: str = ""
    messages: tuple[Message, ...] = ()
    replies: tuple[PaidReply, ...] = ()
    tool_runs: tuple[ToolRun, ...] = ()
    detail: str = ""
    heard: PaidReply | None = None
    labelled: PaidReply | None = None
    said: tuple[str, ...] = ()
    steps: int = 0
    attempts_used: int = 0

    @property
    def usage(self) -> Usage:
        """All tokens of the turn's replies."""
        return sum((paid.usage for paid in self.replies), NO_USAGE)

    @property
    def cost(self) -> Money:
        """All that the turn's replies, and what was paid before they were asked for, cost."""
        paid = (*self.replies, *(aside for aside in (self.heard, self.labelled) if aside is not None))
        return Money(sum((one.cost for one in paid), ZERO))


@dataclass(slots=True)
class _Progress:
    """The loop's state: what was said and done so far."""

    steps: list[Step]
    attempts_used: int
    taken: int = 0
    messages: list[Message] = field(default_factory=list)
    replies: list[PaidReply] = field(default_factory=list)
    runs: list[ToolRun] = field(default_factory=list)

    def recall(self, kind: type[Step]) -> Step | None:
        """The next stored step, if it is of this kind."""
        if self.taken < len(self.steps) and isinstance(self.steps[self.taken], kind):
            self.taken += 1
            return self.steps[self.taken - 1]
        return None

    def end(self, stop: StopReason, text: str = "", detail: str = "") -> LoopResult:
        """The result. An assistant message whose tools were never run is left out: the history stays legal."""
        messages = self.messages
        if messages and isinstance(messages[-1], AssistantMessage):
            messages = messages[:-1]
        return LoopResult(
            stop,
            text,
            tuple(messages),
            tuple(self.replies),
            tuple(self.runs),
            detail,
            steps=self.taken,
            attempts_used=self.attempts_used,
        )


class AgentLoop:
    """Runs turns. Holds nothing of any of them but what their calls were like."""

    def __init__(self, meter: Meter, book: Callable[[], PriceBook], clock: Clock) -> None:
        self._meter = meter
        self._book = book
        self._clock = clock
        self._traffic = Traffic()
        self._windows = Windows()

    async def settled(self, turn: str) -> None:
        """Wait until all that this turn called is settled and stored."""
        await self._meter.settled(turn)

    def lost(self, turn: str) -> None:
        """This turn is another daemon's now."""
        self._meter.lost(turn)

    def marks(self, bot: Bot) -> Marks:
        """Between which marks the bot's window moves now."""
        habits = self._traffic.habits(bot.id)
        price = None if habits is None else self._book().find(habits.choice.provider, habits.choice.model)
        return self._windows.marks(bot.conversations, habits, price)

    def sees(self, choice: ModelChoice) -> bool:
        """Whether this model takes pictures at a bounded price."""
        price = self._book().find(choice.provider, choice.model)
        return price is not None and price.limits.image_tokens is not None

    def ear(self, listening: Listening, session: LaneSession) -> Ear:
        """Who hears the recording of one message."""
        return Ear(self._meter, listening, session)

    def judge(self, listening: Listening, ear: Ear, session: LaneSession) -> Judge:
        """Who names the kind of one message, behind what was heard."""
        return Judge(self._meter, self._book, listening, ear, session)

    async def run(self, task: LoopTask, tools: Toolbox, session: LaneSession) -> LoopResult:
        """Answer one message."""
        progress = _Progress(list(task.done), task.attempts_used)
        for iteration in range(1, task.bot.limits.max_loop_iterations + 1):
            paid = await self._reply(task, tools, session, progress, iteration)
            if isinstance(paid, LoopResult):
                return paid
            reply = paid.reply
            progress.replies.append(paid)
            progress.messages.append(AssistantMessage(reply.text, reply.tool_calls))
            if not reply.tool_calls or reply.finish is FinishReason.LENGTH:
                return progress.end(_end_of(paid), reply.text)
            stop = before_tools(progress.runs, reply.tool_calls, task.bot.limits)
            if stop is None and iteration == task.bot.limits.max_loop_iterations:
                stop = StopReason.LOOP_LIMIT  # nobody would read what the tools bring
            if stop is not None:
                return progress.end(stop, reply.text)
            runs = await self._tools(task, tools, session, progress, reply.tool_calls)
            progress.runs.extend(runs)
            progress.messages.append(ToolMessage(tuple(run.result for run in runs)))
            stop = after_tools(progress.runs, task.bot.limits)
            if stop is not None:
                return progress.end(stop, reply.text)
            if self._clock.monotonic() >= task.deadline:
                return progress.end(StopReason.TIMEOUT)
        return progress.end(StopReason.LOOP_LIMIT)

    async def _reply(
        self, task: LoopTask, tools: Toolbox, session: LaneSession, progress: _Progress, iteration: int
    ) -> PaidReply | LoopResult:
        """The next reply: recalled, or asked for and paid."""
        recalled = progress.recall(PaidReply)
        if isinstance(recalled, PaidReply):
            return recalled
        result = await self._ask(task, tools, session, progress, iteration)
        if isinstance(result, Refused):
            return progress.end(StopReason.BUDGET if result.limit else StopReason.BUSY, detail=result.scope)
        if isinstance(result, Failed):
            return progress.end(_stop_of(result), detail=result.why)
        progress.taken += 1
        return result.paid

    async def _ask(
        self, task: LoopTask, tools: Toolbox, session: LaneSession, progress: _Progress, iteration: int
    ) -> MeterResult:
        """Ask the models of the turn's routes in order, as long as another one may have better luck."""
        bot = task.bot
        failed = ""
        for routed in task.routes:
            choice = routed.choice
            price = self._book().find(choice.provider, choice.model)
            request = build_request(bot, choice, (*task.history, *progress.messages), tools.specs, price)
            request = replace(request, cache=self._traffic.plan(bot, request, price))
            reason = "; ".join(why for why in (routed.reason, failed) if why)
            ask = Ask(
                request=request,
                about=replace(task.about, iteration=iteration, route=routed.route, route_reason=reason),
                scopes=task.scopes,
                deadline=task.deadline,
                attempts_used=progress.attempts_used,
                step_number=task.first_step + progress.taken,
                key=bot.key_for(choice.provider),
                patient=routed is task.routes[-1],
                listener=task.listener,
            )
            result = await self._meter.call(ask, session)
            progress.attempts_used = result.attempts_used
            if isinstance(result, Metered):
                talk = task.about.conversation
                self._traffic.note(bot, talk, request, price, result.paid.usage, self._clock.now_ms())
            if not isinstance(result, Failed) or not result.elsewhere:
                break
            failed = f"{choice.provider}/{choice.model}: {result.why}"
        return result

    async def _tools(
        self,
        task: LoopTask,
        tools: Toolbox,
        session: LaneSession,
        progress: _Progress,
        calls: tuple[ToolCall, ...],
    ) -> tuple[ToolRun, ...]:
        """The results of all calls, side by side; recalled where an earlier try had them."""
        started = progress.recall(ToolsStarted)
        recalled = progress.recall(ToolsDone)
        if isinstance(recalled, ToolsDone):
            return recalled.runs
        delicate = {call.id for call in calls if not tools.is_repeatable(call.name)}
        if delicate and started is None:
            await self._save(session, task, progress, ToolsStarted(tuple(sorted(delicate))))
        interrupted = delicate if started is not None else set()
        async with asyncio.TaskGroup() as group:
            running = [
                group.create_task(
                    self._tool(tools, call, task.deadline, interrupted=call.id in interrupted),
                    name=f"tool {call.name} of {task.about.turn}",
                )
                for call in calls
            ]
        ended = [run.result() for run in running]
        for end in ended:
            if isinstance(end, StoreError):
                raise end
        runs = tuple(end for end in ended if not isinstance(end, StoreError))
        await self._save(session, task, progress, ToolsDone(runs))
        return runs

    async def _tool(
        self, tools: Toolbox, call: ToolCall, deadline: float, *, interrupted: bool
    ) -> ToolRun | StoreError:
        """One call's result; a failing store as a value: raised here, it would hide that the turn is cancelled."""
        if interrupted:
            return ToolRun(call, ToolResult(call.id, call.name, INTERRUPTED, ok=False), 0)
        begun = self._clock.monotonic()
        try:
            result = await tools.run(call, max(0.0, deadline - begun))
        except StoreError as error:
            return error
        return ToolRun(call, result, int((self._clock.monotonic() - begun) * 1000))

    async def _save(self, session: LaneSession, task: LoopTask, progress: _Progress, step: Step) -> None:
        number = task.first_step + progress.taken
        await session.save_step(task.about.turn, StoredStep(number, step_to_json(step)))
        progress.taken += 1


def _end_of(paid: PaidReply) -> StopReason:
    """What a reply without tools to run ends the turn as."""
    if paid.reply.finish is FinishReason.LENGTH:
        return StopReason.OUTPUT_LIMIT
    if paid.reply.finish is FinishReason.REFUSAL:
        return StopReason.MODEL_REFUSED
    return StopReason.ANSWERED


def _stop_of(failed: Failed) -> StopReason:
    if failed.unpriced:
        return StopReason.UNPRICED
    return StopReason.TIMEOUT if failed.timed_out else StopReason.PROVIDER_ERROR
