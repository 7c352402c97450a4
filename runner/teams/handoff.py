"""A bot's tools with those of its team: work is handed over to another bot inside the turn that asks.

    model ─▶ delegate_to_billing {message, context} ─▶ Colleagues.ask ─▶ the other bot's own turn ─▶ its answer

Rules: the n-th request of a turn is its part `<turn>.d<n>`, counted over all that the turn has stored, so that it is
the same part however often the turn is begun. What the other bot pays and does is stored under that part: a call that
a crash cut off is simply made again, and takes up what was paid; so no delegate is ever "interrupted". Whatever
becomes of the other bot is a result that the model can read; a store that fails alone goes through.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from runner.agent.arguments import BadArguments
from runner.agent.replies import Step, ToolsDone
from runner.agent.tools import capped
from runner.bots import Teammate
from runner.conversations.models import ToolCall, ToolResult
from runner.ports.dialogue import ToolSpec
from runner.ports.tools import Toolbox
from runner.teams.roster import MOST_HOPS, Request, member_of, read_request, specs_of

NO_TIME = "The call was not made: no time is left for this message."
TOO_FAR = f"The call was not made: a message is handed on {MOST_HOPS} times at most. Answer it yourself."


@dataclass(frozen=True, slots=True)
class Handed:
    """What came of a request: the other bot's answer, or in words why there is none."""

    text: str
    ok: bool


class Colleagues(Protocol):
    """Has other bots answer, for one turn."""

    async def ask(self, request: Request, part: str, timeout_s: float) -> Handed:
        """The answer within `timeout_s` seconds; asked again for the same `part`, what was paid is taken.

        Raises StoreError only.
        """


class TeamToolbox:
    """A bot's own tools and its team's, in one turn. A `runner.ports.tools.Toolbox`.

    Args:
        own: all other tools.
        turn: the part of which turn the requests are.
        asked: how many of the turn's stored steps are requests already (`asked_before`).
        hops: how many bots wait for this one's answer.
        max_result_chars: the most characters of an answer, its remark on a cut included.
    """

    __slots__ = ("_asked", "_colleagues", "_hops", "_max_chars", "_members", "_own", "_specs", "_turn")

    def __init__(
        self,
        own: Toolbox,
        team: Sequence[Teammate],
        colleagues: Colleagues,
        *,
        turn: str,
        asked: int,
        hops: int,
        max_result_chars: int,
    ) -> None:
        self._own = own
        self._members = frozenset(member.bot for member in team)
        self._colleagues = colleagues
        self._turn = turn
        self._asked = asked
        self._hops = hops
        self._max_chars = max_result_chars
        told = specs_of(team) if hops < MOST_HOPS else ()
        self._specs = tuple(sorted((*own.specs, *told), key=lambda spec: spec.name))

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        """What the model is told, by name."""
        return self._specs

    def is_repeatable(self, name: str) -> bool:
        """A request is: made again, it is the same part of the turn, and nothing of it is paid or done twice.

        What of the other bot's own tools must not be made twice is kept from it by that part's stored steps.
        """
        return member_of(name) in self._members or self._own.is_repeatable(name)

    async def run(self, call: ToolCall, timeout_s: float) -> ToolResult:
        """Ask the other bot, or make the call of a tool of one's own. Raises StoreError only."""
        bot = member_of(call.name)
        if bot is None:
            return await self._own.run(call, timeout_s)
        self._asked += 1  # whatever comes of it: `asked_before` counts calls by their names
        if bot not in self._members:
            return await self._own.run(call, timeout_s)
        part = f"{self._turn}.d{self._asked}"
        request = read_request(bot, call.arguments)
        if isinstance(request, BadArguments):
            handed = Handed(f"The call was not made: {request.why}.", ok=False)
        else:
            handed = await self.hand_over(request, part, timeout_s)
        return ToolResult(call.id, call.name, capped(handed.text, self._max_chars), handed.ok)

    async def hand_over(self, request: Request, part: str, timeout_s: float) -> Handed:
        """Ask another bot, a member or not: that is up to the caller, as is the part's name. Raises StoreError only."""
        if self._hops >= MOST_HOPS:
            return Handed(TOO_FAR, ok=False)
        if timeout_s <= 0:
            return Handed(NO_TIME, ok=False)
        return await self._colleagues.ask(request, part, timeout_s)


def asked_before(steps: Iterable[Step]) -> int:
    """How many requests a turn's stored steps hold."""
    runs = (run for step in steps if isinstance(step, ToolsDone) for run in step.runs)
    return sum(member_of(run.call.name) is not None for run in runs)
