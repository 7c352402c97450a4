"""A bot's tools: none, HTTP requests that bots.yaml declares, or several boxes as one.

Rules: the model is told of the tools in the order of their names, so that equal definitions make equal
bytes; whatever a call meets, its end is a result that the model can read, never longer than the bot's limit;
only reading (GET, HEAD) is made again after a crash.
"""

from __future__ import annotations

from collections.abc import Sequence

from runner.agent.arguments import BadArguments
from runner.agent.http_request import build_http_request, schema_of
from runner.agent.tool_sessions import ToolSessions
from runner.bots import HttpTool
from runner.conversations.models import ToolCall, ToolResult
from runner.ports.dialogue import ToolSpec
from runner.ports.tools import Toolbox

_REPEATABLE = frozenset({"GET", "HEAD"})
_LONGEST_NAME = 100


class EmptyToolbox:
    """No tools."""

    __slots__ = ()

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        """Nothing."""
        return ()

    def is_repeatable(self, name: str) -> bool:
        """A call of a tool that does not exist does no harm."""
        return True

    async def run(self, call: ToolCall, timeout_s: float) -> ToolResult:
        """Say that there is no such tool."""
        return no_such_tool(call)


class HttpToolbox:
    """The HTTP tools of one bot.

    Args:
        sessions: those of the process, shared by all toolboxes.
        max_result_chars: the most characters of a result, its remark on a cut included.
    """

    __slots__ = ("_max_chars", "_sessions", "_specs", "_tools")

    def __init__(self, tools: tuple[HttpTool, ...], sessions: ToolSessions, max_result_chars: int) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._sessions = sessions
        self._max_chars = max_result_chars
        self._specs = tuple(
            ToolSpec(tool.name, tool.description, schema_of(tool))
            for tool in sorted(tools, key=lambda tool: tool.name)
        )

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        """What the model is told, by name."""
        return self._specs

    def is_repeatable(self, name: str) -> bool:
        """GET and HEAD are; so is a call of a tool that does not exist."""
        tool = self._tools.get(name)
        return tool is None or tool.method in _REPEATABLE

    async def run(self, call: ToolCall, timeout_s: float) -> ToolResult:
        """Make one call within `timeout_s` seconds and the tool's own limit, whichever is shorter."""
        tool = self._tools.get(call.name)
        if tool is None:
            return no_such_tool(call)
        request = build_http_request(tool, call.arguments)
        if isinstance(request, BadArguments):
            return self._result(call, f"The call was not made: {request.why}.", ok=False)
        limit = min(tool.timeout_s, timeout_s)
        if limit <= 0:
            return self._result(call, "The call was not made: no time is left for this message.", ok=False)
        from runner.agent.http_exchange import exchange  # noqa: PLC0415 - loads aiohttp, see ToolSessions

        session = self._sessions.session(allow_private=tool.allow_private)
        answer = await exchange(session, request, tool.headers, limit)
        return self._result(call, answer.text, ok=answer.ok, more=answer.cut)

    def _result(self, call: ToolCall, text: str, *, ok: bool, more: bool = False) -> ToolResult:
        return ToolResult(call.id, call.name, capped(text, self._max_chars, more=more), ok)


class JointToolbox:
    """Several boxes as one.

    Args:
        boxes: a name that several have is the first one's; one that none has is the last one's to answer for.
    """

    __slots__ = ("_last", "_owners", "_specs")

    def __init__(self, boxes: Sequence[Toolbox]) -> None:
        self._last = boxes[-1]
        told = {spec.name: (spec, box) for box in reversed(boxes) for spec in box.specs}
        self._owners = {name: box for name, (_, box) in told.items()}
        self._specs = tuple(told[name][0] for name in sorted(told))

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        """What the model is told, by name."""
        return self._specs

    def is_repeatable(self, name: str) -> bool:
        """As its box says."""
        return self._owners.get(name, self._last).is_repeatable(name)

    async def run(self, call: ToolCall, timeout_s: float) -> ToolResult:
        """Hand the call to its box."""
        return await self._owners.get(call.name, self._last).run(call, timeout_s)


def capped(text: str, limit: int, *, more: bool = False) -> str:
    """The text, at most `limit` characters of it, with a remark where something is missing.

    `more`: the text itself is only the beginning of what there was.
    """
    if len(text) <= limit and not more:
        return text
    remark = f"\n[cut: {'more than ' if more else ''}{len(text)} characters in all]"
    return text[: max(0, limit - len(remark))] + remark[: max(0, limit)]


def no_such_tool(call: ToolCall) -> ToolResult:
    """The model named a tool that it was never told of."""
    return ToolResult(call.id, call.name, f"There is no such tool: {call.name[:_LONGEST_NAME]}", ok=False)
