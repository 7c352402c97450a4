"""Who is in a bot's team, as a model is told of it, and how far work is handed on. Pure.

    reception ─▶ billing ─▶ refunds ─▶ archive ─▶ …
               1          2          3          no further

Rules: one tool a member, by the order of their names, so that equal teams make equal bytes; the chain of bots that
wait for an answer is at most `MOST_HOPS` long, which bounds rings too; a bot at its end is not told of its team.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runner.agent.arguments import BadArguments, read_arguments
from runner.bots import Teammate
from runner.ports.dialogue import ToolSpec

DELEGATE = "delegate_to_"
"""What the names of these tools begin with."""
LONGEST_TOOL_NAME = 64
MOST_HOPS = 3

_MESSAGE = "message"
_CONTEXT = "context"
_PARAMETERS: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        _MESSAGE: {
            "type": "string",
            "minLength": 1,
            "description": "What it is to do, with all that it must know: it has not seen the conversation.",
        },
        _CONTEXT: {"type": "object", "description": "Facts that were found out, by name."},
    },
    "required": [_MESSAGE],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Request:
    """What one bot asks of another."""

    bot: str
    message: str
    context: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """As the other bot reads it: the context as JSON in front."""
        if not self.context:
            return self.message
        facts = json.dumps(self.context, ensure_ascii=False, separators=(",", ":"))
        return f"{facts}\n\n{self.message}" if self.message else facts


def tool_name(bot: str) -> str:
    """The tool that hands work over to that bot."""
    return f"{DELEGATE}{bot}"


def member_of(tool: str) -> str | None:
    """To whom a tool of that name hands work over; None: it is another kind of tool."""
    return tool.removeprefix(DELEGATE) if tool.startswith(DELEGATE) else None


def specs_of(team: Sequence[Teammate]) -> tuple[ToolSpec, ...]:
    """What a model is told of a team, by name."""
    named = sorted(team, key=lambda member: member.bot)
    return tuple(ToolSpec(tool_name(each.bot), _description(each), _PARAMETERS) for each in named)


def read_request(bot: str, arguments: str) -> Request | BadArguments:
    """The arguments of a call as a model wrote them."""
    read = read_arguments(arguments, _PARAMETERS)
    if isinstance(read, BadArguments):
        return read
    return Request(bot, read[_MESSAGE], read.get(_CONTEXT) or {})


def _description(member: Teammate) -> str:
    return f"Hands a request over to a specialist and returns its answer. It is for: {member.purpose}"
