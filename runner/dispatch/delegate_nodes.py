"""delegate_to_bot: another bot answers inside of a workflow's turn.

Rules: what is handed over is the user's message, with the node's `context`; the other bot's turn is the part
`<turn>.n<the step's key>`, so that a node that a crash cut off takes up what was paid; no answer is the node's
failure, so its edge `error` says what happens then.
"""

from __future__ import annotations

from runner.clock import Clock
from runner.teams.handoff import TeamToolbox
from runner.teams.roster import Request
from runner.workflows.doing import Doing, Outcome
from runner.workflows.engine import Done, Failed
from runner.workflows.nodes.talking import DelegateToBot

NOBODY = "work cannot be handed over here"
_LONGEST = 500


class Delegating:
    """Does delegate_to_bot; its output is the other bot's text."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def do(self, doing: Doing) -> Outcome:
        """Ask one bot. Raises StoreError only."""
        node, team, context = doing.step.placed.node, doing.toolbox, doing.inputs.get("context")
        if not isinstance(node, DelegateToBot) or not isinstance(team, TeamToolbox):
            return Outcome(Failed(NOBODY))
        if node.target == doing.bot.id:
            return Outcome(Failed("a bot cannot hand work over to itself"))
        request = Request(node.target, doing.message.text, context if isinstance(context, dict) else {})
        part = f"{doing.turn}.n{doing.key}"
        handed = await team.hand_over(request, part, doing.deadline - self._clock.monotonic())
        return Outcome(Done(handed.text) if handed.ok else Failed(handed.text[:_LONGEST]))
