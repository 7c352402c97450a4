"""Nodes that work on data: mcp_tool, function_call, code_block, data_transform.

Rules: a tool's result that is a JSON object or list is taken as such, so that its fields can be used; a tool that
fails is a node that fails. A script runs in a process of its own, a transformation in a thread: neither holds up
the event loop.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

from runner.conversations.models import ToolCall
from runner.workflows.doing import Doing, Outcome
from runner.workflows.engine import Done, Failed
from runner.workflows.expressions import ExpressionError, Json
from runner.workflows.nodes.working import CodeBlock, DataTransform, ToolUse
from runner.workflows.sandbox import Sandbox, ScriptFailed
from runner.workflows.transform import transformed

_LONGEST = 500
_OPENS = ("{", "[")


class Tooling:
    """Makes one tool call."""

    async def do(self, doing: Doing) -> Outcome:
        """Do one mcp_tool or function_call."""
        node = doing.step.placed.node
        if not isinstance(node, ToolUse):
            return Outcome(Failed("calls no tool"))
        if all(spec.name != node.tool for spec in doing.toolbox.specs):
            return Outcome(Failed(f"there is no tool {node.tool!r} now"))
        arguments = json.dumps(doing.inputs["arguments"], ensure_ascii=False)
        run = await doing.recall.tool(ToolCall(f"n{doing.step.step}", node.tool, arguments))
        if not run.result.ok:
            return Outcome(Failed(run.result.text[:_LONGEST] or "the tool failed"))
        return Outcome(Done(value_of(run.result.text)))


class Scripting:
    """Runs scripts."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def do(self, doing: Doing) -> Outcome:
        """Do one code_block."""
        node, variables = doing.step.placed.node, doing.inputs.get("variables")
        if not isinstance(node, CodeBlock) or not isinstance(variables, Mapping):
            return Outcome(Failed("holds no script"))
        changes = await self._sandbox.run(node.code, variables)
        if isinstance(changes, ScriptFailed):
            return Outcome(Failed(f"the script {changes.message}"))
        return Outcome(Done(variables=changes.variables, removed=changes.removed))


class Transforming:
    """Transforms data."""

    async def do(self, doing: Doing) -> Outcome:
        """Do one data_transform."""
        node = doing.step.placed.node
        if not isinstance(node, DataTransform):
            return Outcome(Failed("transforms nothing"))
        try:
            found = await asyncio.to_thread(transformed, node.expression, doing.inputs["source"])
        except ExpressionError as error:
            return Outcome(Failed(str(error)))
        return Outcome(Done(found))


def value_of(text: str) -> Json:
    """A tool's result: the JSON object or list that it is, else the text."""
    if not text.lstrip().startswith(_OPENS):
        return text
    try:
        found: Json = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return found
