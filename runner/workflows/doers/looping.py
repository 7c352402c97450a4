"""agent_loop: the agent loop as a node, within the turn that the run goes on in.

Rules: its replies and tools are steps of the turn, behind the run's; it hears the conversation so far, with the
node's prompt in the place of the user's message; of the bot's tools it has those that the node names. Its limits are
the bot's, but for its own number of model calls.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from runner.agent import loop
from runner.agent.asks import Refused
from runner.agent.loop import LoopResult, LoopTask
from runner.agent.routing import FALLBACK_ROUTE, Routed
from runner.conversations.models import ToolCall, ToolResult, UserMessage
from runner.ports.dialogue import StopReason, ToolSpec
from runner.ports.tools import Toolbox
from runner.workflows.doing import Doing, Outcome
from runner.workflows.engine import Done, Failed
from runner.workflows.expressions import text_of
from runner.workflows.nodes.thinking import AgentLoop
from runner.workflows.recalling import TurnSteps

_GOOD = frozenset({StopReason.ANSWERED, StopReason.OUTPUT_LIMIT})


class Looping:
    """Runs the agent loop."""

    def __init__(self, agent: loop.AgentLoop) -> None:
        self._agent = agent

    async def do(self, doing: Doing) -> Outcome:
        """Do one agent_loop."""
        node, steps = doing.step.placed.node, doing.recall
        if not isinstance(node, AgentLoop) or not isinstance(steps, TurnSteps):
            return Outcome(Failed("runs no agent loop"))
        bot = doing.bot
        if node.max_iterations is not None:
            bot = replace(bot, limits=replace(bot.limits, max_loop_iterations=node.max_iterations))
        fallbacks = (Routed(choice, FALLBACK_ROUTE) for choice in bot.fallbacks)
        done = steps.rest(doing.feature)
        task = LoopTask(
            bot=bot,
            history=(*doing.history[:-1], UserMessage(text_of(doing.inputs["prompt"]))),
            routes=(Routed(bot.choice), *fallbacks),
            about=doing.about,
            scopes=doing.scopes,
            done=done,
            attempts_used=steps.attempts_used,
            deadline=doing.deadline,
            first_step=steps.number,
        )
        toolbox = SomeTools(doing.toolbox, node.tools) if node.tools else doing.toolbox
        result = await self._agent.run(task, toolbox, doing.session)
        steps.looped(result)
        return _outcome(result, steps)


class SomeTools:
    """A toolbox of which only some tools are seen."""

    __slots__ = ("_box", "_names")

    def __init__(self, box: Toolbox, names: Collection[str]) -> None:
        self._box = box
        self._names = frozenset(names)

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        """Those that are seen."""
        return tuple(spec for spec in self._box.specs if spec.name in self._names)

    def is_repeatable(self, name: str) -> bool:
        """As the box says; a tool that is not seen does nothing."""
        return name not in self._names or self._box.is_repeatable(name)

    async def run(self, call: ToolCall, timeout_s: float) -> ToolResult:
        """Make a call, of a tool that is seen."""
        if call.name not in self._names:
            return ToolResult(call.id, call.name, "There is no such tool here.", ok=False)
        return await self._box.run(call, timeout_s)


def _outcome(result: LoopResult, steps: TurnSteps) -> Outcome:
    """What came of the loop. What it paid is noted with the steps already."""
    if result.stop in (StopReason.BUDGET, StopReason.BUSY):
        limit = result.stop is StopReason.BUDGET
        refused = Refused(result.detail, limit, result.attempts_used)
        return Outcome(Failed(f"money was refused: {result.detail}"), refused=refused)
    if result.stop is StopReason.TIMEOUT:
        steps.late = True
        return Outcome(Failed("the message's time was over"))
    if result.stop not in _GOOD or not result.text.strip():
        return Outcome(Failed(f"the agent loop ended without an answer: {result.detail or result.stop}"))
    usage = result.usage
    return Outcome(
        Done(
            {
                "text": result.text,
                "tokensInput": usage.input_tokens,
                "tokensOutput": usage.output_tokens,
            }
        )
    )
