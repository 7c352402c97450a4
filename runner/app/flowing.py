"""Those who run workflows, made when the first bot needs them: a daemon without workflows loads nothing of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from adapters.messages import InboundMessage
from runner.agent.loop import AgentLoop
from runner.agent.meter import Meter
from runner.clock import Clock
from runner.dispatch.errands import Say, wrap
from runner.dispatch.outbox import Outbox
from runner.money.prices import PriceBook
from runner.ports.knowledge import Knowledge
from runner.ports.observer import Observer
from runner.ports.runs import RunStore

if TYPE_CHECKING:  # loaded when they are needed
    from runner.dispatch.flows import Flows
    from runner.workflows.doing import NodeDoer


@dataclass(slots=True)
class LazyFlows:
    """Makes them once, of these."""

    agent: AgentLoop
    meter: Meter
    book: Callable[[], PriceBook]
    runs: RunStore
    knowledge: Knowledge
    outbox: Outbox
    clock: Clock
    observer: Observer
    _made: Flows | None = field(default=None, init=False)

    def __call__(self) -> Flows:
        """Those who run workflows."""
        if self._made is None:
            self._made = self._make()
        return self._made

    def _make(self) -> Flows:
        from runner.dispatch.flows import Flows  # noqa: PLC0415 - see the module's text
        from runner.workflows.running import RunLoop  # noqa: PLC0415 - with the first workflow

        loop = RunLoop(self._doers(), self.meter, self.book, self.clock, self.observer)
        return Flows(loop, self.runs, self.outbox, self.clock)

    def _doers(self) -> dict[type, NodeDoer]:
        """Who does which nodes."""
        from runner.dispatch.delegate_nodes import Delegating  # noqa: PLC0415 - with the first workflow
        from runner.workflows.doers.asking import Asking  # noqa: PLC0415 - with the first workflow
        from runner.workflows.doers.looping import Looping  # noqa: PLC0415 - with the first workflow
        from runner.workflows.doers.pausing import Delaying, Escalating, Saying  # noqa: PLC0415 - with the first workflow
        from runner.workflows.doers.structuring import Structuring  # noqa: PLC0415 - with the first workflow
        from runner.workflows.doers.table import other_doers  # noqa: PLC0415 - with the first workflow
        from runner.workflows.doers.working import Scripting, Tooling, Transforming  # noqa: PLC0415 - with the first workflow
        from runner.workflows.nodes import talking, thinking, working  # noqa: PLC0415 - with the first workflow
        from runner.workflows.sandbox import Sandbox  # noqa: PLC0415 - with the first workflow

        def payload(text: str, message: InboundMessage) -> str:
            return wrap(Say(text), message)

        asking = Asking(self.book)
        return {
            **other_doers(self.runs, self.knowledge, payload, self.book, self.clock),
            thinking.LlmCall: asking,
            thinking.LlmRouter: asking,
            thinking.ConfidenceRouter: asking,
            thinking.Guardrail: asking,
            thinking.StructuredOutput: Structuring(self.book),
            thinking.AgentLoop: Looping(self.agent),
            talking.SendMessage: Saying(),
            talking.HumanHandoff: Escalating(),
            talking.WaitDelay: Delaying(self.clock),
            talking.DelegateToBot: Delegating(self.clock),
            working.ToolUse: Tooling(),
            working.CodeBlock: Scripting(Sandbox()),
            working.DataTransform: Transforming(),
        }
