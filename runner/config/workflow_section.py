"""Workflows as bots.yaml has them: `workflow`, `workflow_json`, and `workflows:`, which others may use. Pure.

Rule: a bot's workflow is kept as JSON text, so that two readings of the same file are the same bot.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runner.bots import Workflow
from runner.config.drafts import Draft


@dataclass(frozen=True, slots=True)
class Written:
    """A bot's workflow as it is written, and the field that it is written in."""

    field: str
    source: Mapping[str, Any] | str


def written_of(draft: Draft) -> Written | None:
    """What answers in place of the agent loop; None where nothing does."""
    section = draft.section
    if not section.workflow_enabled:
        return None
    if section.workflow is not None:
        return Written("workflow", section.workflow)
    return None if section.workflow_json is None else Written("workflow_json", section.workflow_json)


def parts_of(source: Mapping[str, Any] | str, workflows: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The sub-workflows that a workflow may come to, in the order in which they are met; those that there are."""
    found: dict[str, Mapping[str, Any]] = {}
    open_names = list(names_in(source))
    while open_names:
        name = open_names.pop(0)
        part = workflows.get(name)
        if name not in found and isinstance(part, Mapping):
            found[name] = part
            open_names += names_in(part)
    return found


def names_in(source: Mapping[str, Any] | str) -> Iterator[str]:
    """The sub-workflows that are named in a workflow, whatever else is wrong with it."""
    for kind, data in _nodes(source):
        name = data.get("name")
        if kind == "sub_workflow" and isinstance(name, str):
            yield name


def models_in(source: Mapping[str, Any] | str) -> Iterator[str]:
    """The models that are named in a workflow, whatever else is wrong with it."""
    for _, data in _nodes(source):
        model = data.get("model")
        if isinstance(model, str):
            yield model


def _nodes(source: Mapping[str, Any] | str) -> Iterator[tuple[object, Mapping[str, Any]]]:
    """Type and data of each node that has them."""
    read: object = source
    if isinstance(source, str):
        try:
            read = json.loads(source)
        except (ValueError, RecursionError):
            return
    nodes = read.get("nodes") if isinstance(read, Mapping) else None
    for node in nodes if isinstance(nodes, list) else ():
        data = node.get("data") if isinstance(node, Mapping) else None
        if isinstance(data, Mapping):
            yield node.get("type"), data


def to_workflow(draft: Draft, workflows: Mapping[str, Any]) -> Workflow | None:
    """The workflow of a draft without problems."""
    written = written_of(draft)
    if written is None:
        return None
    parts = parts_of(written.source, workflows)
    return Workflow(_text(written.source), tuple((name, _text(part)) for name, part in parts.items()))


def _text(source: Mapping[str, Any] | str) -> str:
    return source if isinstance(source, str) else json.dumps(source, ensure_ascii=False)
