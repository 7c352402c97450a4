"""What a node is done with: its fields with the variables put in, by the names that its class gives them."""

from __future__ import annotations

import dataclasses

from runner.workflows.expressions import Json, Template, Variables, filled
from runner.workflows.nodes.kinds import Node
from runner.workflows.nodes.working import CodeBlock, DataTransform


def inputs(node: Node, variables: Variables) -> dict[str, Json]:
    """The fields of a node, as JSON. Raises ExpressionError where the variables make one too long.

    A script, and a transformation of no `input`, also get all the variables.
    """
    found: dict[str, Json] = {}
    for field in dataclasses.fields(node):
        value = getattr(node, field.name)
        found[field.name] = value.text(variables) if isinstance(value, Template) else filled(value, variables)
    if isinstance(node, CodeBlock):
        found["variables"] = dict(variables)
    elif isinstance(node, DataTransform) and node.source is None:
        found["source"] = dict(variables)
    return found
