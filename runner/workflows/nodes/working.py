"""Nodes that work on data, without a model.

code_block   mcp_tool   function_call   data_transform   knowledge_retrieval   memory_store   sub_workflow
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from runner.workflows.expressions import Template, Tree
from runner.workflows.nodes.exits import PLAIN, Exits
from runner.workflows.nodes.fields import Fields
from runner.workflows.transform import checked

MAX_CODE = 20_000
"""Characters of a script."""


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """JavaScript over `ctx.variables`, in a sandbox. Nothing is put into the code: variables are data."""

    exits: ClassVar[Exits] = PLAIN
    code: str

    @classmethod
    def read(cls, fields: Fields) -> CodeBlock:
        """Read `data`."""
        return cls(fields.text("code", longest=MAX_CODE))


@dataclass(frozen=True, slots=True)
class ToolUse:
    """One tool call: mcp_tool and function_call."""

    exits: ClassVar[Exits] = PLAIN
    tool: str
    arguments: Mapping[str, Tree]
    output_variable: str | None

    @classmethod
    def read(cls, fields: Fields) -> ToolUse:
        """Read `data`."""
        return cls(
            fields.text("tool", longest=200),
            fields.tree_mapping("arguments"),
            fields.optional_name("outputVariable"),
        )


@dataclass(frozen=True, slots=True)
class DataTransform:
    """A JMESPath expression over the variables, or over `input`."""

    exits: ClassVar[Exits] = PLAIN
    expression: str
    source: Tree
    output_variable: str

    @classmethod
    def read(cls, fields: Fields) -> DataTransform:
        """Read `data`."""
        return cls(
            fields.parsed("expression", checked) or "",
            fields.tree("input"),
            fields.name("outputVariable"),
        )


@dataclass(frozen=True, slots=True)
class KnowledgeRetrieval:
    """Finds passages in the files of a collection."""

    exits: ClassVar[Exits] = PLAIN
    collection: str
    query: Template
    top_k: int
    output_variable: str

    @classmethod
    def read(cls, fields: Fields) -> KnowledgeRetrieval:
        """Read `data`."""
        return cls(
            fields.text("collection", longest=200),
            fields.template("query"),
            fields.whole("topK", 1, 20, default=5),
            fields.name("outputVariable"),
        )


@dataclass(frozen=True, slots=True)
class MemoryStore:
    """Remembers something for the user or for the whole bot.

    Attributes:
        op: get, set or delete.
        scope: user or bot.
        value: what is kept, for set.
        output_variable: where it goes, for get.
    """

    exits: ClassVar[Exits] = PLAIN
    op: str
    scope: str
    key: Template
    value: Tree
    output_variable: str | None

    @classmethod
    def read(cls, fields: Fields) -> MemoryStore:
        """Read `data`."""
        op = fields.choice("op", ["get", "set", "delete"])
        for name, needed in (("value", op == "set"), ("outputVariable", op == "get")):
            if needed and not fields.has(name):
                fields.fault(name, f"required for {op}")
        return cls(
            op,
            fields.choice("scope", ["user", "bot"], default="user"),
            fields.template("key"),
            fields.tree("value"),
            fields.optional_name("outputVariable"),
        )


@dataclass(frozen=True, slots=True)
class SubWorkflow:
    """Another workflow, with these variables; its variables are the output."""

    exits: ClassVar[Exits] = PLAIN
    name: str
    input: Mapping[str, Tree]
    output_variable: str | None

    @classmethod
    def read(cls, fields: Fields) -> SubWorkflow:
        """Read `data`."""
        return cls(
            fields.text("name", longest=200),
            fields.tree_mapping("input"),
            fields.optional_name("outputVariable"),
        )
