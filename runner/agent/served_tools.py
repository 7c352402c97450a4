"""The tools that servers bring to a bot, as they are at one moment.

Rules: what the servers offer is read once, when the box is made, which is at the start of a turn: what the model was
told stays so until the turn has ended, whatever becomes of the servers. Arguments are checked here, before a server
sees them. A tool whose server does not say that a second call does no harm is not called again after a crash; nor is
one whose server cannot be asked now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runner.agent.arguments import BadArguments, properties_of, read_arguments
from runner.agent.tools import capped, no_such_tool
from runner.conversations.models import ToolCall, ToolResult
from runner.ports.dialogue import ToolSpec
from runner.ports.tool_servers import ServedTool, ToolSource

_OPEN_WORDS = frozenset({"$ref", "allOf", "anyOf", "oneOf", "patternProperties"})
"""With these a schema may declare arguments elsewhere than under `properties`."""


class ServedToolbox:
    """The tools of a bot's servers.

    Args:
        sources: the servers, read now.
        max_result_chars: the most characters of a result, its remark on a cut included.
    """

    __slots__ = ("_max_chars", "_sources", "_specs", "_tools")

    def __init__(self, sources: Sequence[ToolSource], max_result_chars: int) -> None:
        self._sources = {source.name: source for source in sources}
        self._tools = {tool.name: (source, tool) for source in sources for tool in source.tools}
        self._max_chars = max_result_chars
        self._specs = tuple(
            ToolSpec(tool.name, tool.description, tool.parameters)
            for _, (_, tool) in sorted(self._tools.items())
        )

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        """What the model is told, by name."""
        return self._specs

    def is_repeatable(self, name: str) -> bool:
        """As the server says. Of a tool that is not there nobody knows, as long as there is such a server."""
        found = self._tools.get(name)
        return found[1].repeatable if found is not None else self._source_of(name) is None

    async def run(self, call: ToolCall, timeout_s: float) -> ToolResult:
        """Make one call within `timeout_s` seconds and the server's own limit, whichever is shorter."""
        found = self._tools.get(call.name)
        if found is None:
            source = self._source_of(call.name)
            if source is None or not source.trouble:
                return no_such_tool(call)
            return self._result(call, f"The tool server {source.name} cannot be used now: {source.trouble}.")
        source, tool = found
        arguments = read_arguments(call.arguments, schema_for_checks(tool))
        if isinstance(arguments, BadArguments):
            return self._result(call, f"The call was not made: {arguments.why}.")
        if timeout_s <= 0:
            return self._result(call, "The call was not made: no time is left for this message.")
        answer = await source.call(tool.tool, arguments, timeout_s)
        return self._result(call, answer.text, ok=answer.ok, more=answer.cut)

    def _source_of(self, name: str) -> ToolSource | None:
        server, dashes, _ = name.partition("__")
        return self._sources.get(server) if dashes else None

    def _result(self, call: ToolCall, text: str, *, ok: bool = False, more: bool = False) -> ToolResult:
        return ToolResult(call.id, call.name, capped(text, self._max_chars, more=more), ok)


def schema_for_checks(tool: ServedTool) -> Mapping[str, Any]:
    """The tool's schema; where it says nothing of arguments that it does not declare, they are refused.

    Unless it declares none at all, or in a way that is not read here: then the server judges them.
    """
    schema = tool.parameters
    if "additionalProperties" in schema or (properties_of(schema) and not _OPEN_WORDS & schema.keys()):
        return schema
    return {**schema, "additionalProperties": True}
