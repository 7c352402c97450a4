"""A workflow as a picture in Mermaid's language, which many editors and forges draw. Pure.

    flowchart TD
        n0(["start · trigger"]) --> n1["classify · llm_call"]
        n1 --> n2{"billing? · logic"}
        n2 -->|true| n3["..."]

Rules: nodes are numbered in the order in which they were written, and what people wrote is escaped, so that no
label can change the drawing. What leads away on an error is dotted, so is what a parallel comes back together at.
"""

from __future__ import annotations

from collections.abc import Mapping

from runner.workflows.graph import Graph, Placed
from runner.workflows.nodes.exits import ERROR
from runner.workflows.nodes.flow import ErrorHandler, IfElse, Loop, Parallel, Switch, Trigger
from runner.workflows.nodes.thinking import ConfidenceRouter, Guardrail, LlmRouter

_BRACKETS: Mapping[type, tuple[str, str]] = {
    Trigger: ("([", "])"),
    IfElse: ("{", "}"),
    Switch: ("{", "}"),
    LlmRouter: ("{", "}"),
    ConfidenceRouter: ("{", "}"),
    Guardrail: ("{", "}"),
    Loop: ("[[", "]]"),
    Parallel: ("[/", "/]"),
    ErrorHandler: (">", "]"),
}
_LONGEST_LABEL = 60
_PLAIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _-.,:·?!/()"


def mermaid(graph: Graph) -> str:
    """The picture, ending with a newline."""
    numbers = {node: f"n{number}" for number, node in enumerate(graph.nodes)}
    lines = ["flowchart TD"]
    lines += [f"    {numbers[placed.id]}{_box(placed)}" for placed in graph.nodes.values()]
    for (source, handle), targets in graph.ways.items():
        arrow = "-.->" if handle == ERROR else "-->"
        label = f'|"{_safe(handle)}"|' if handle else ""
        lines += [f"    {numbers[source]} {arrow}{label} {numbers[target]}" for target in targets]
    for placed in graph.nodes.values():
        if isinstance(placed.node, Parallel):
            lines.append(f'    {numbers[placed.id]} -.->|"join"| {numbers[placed.node.join]}')
    return "\n".join(lines) + "\n"


def _box(placed: Placed) -> str:
    opens, closes = _BRACKETS.get(type(placed.node), ("[", "]"))
    return f'{opens}"{_safe(placed.label)} · {placed.type}"{closes}'


def _safe(text: str) -> str:
    """A label, short, with every character that Mermaid may read otherwise written as its number."""
    short = text if len(text) <= _LONGEST_LABEL else f"{text[: _LONGEST_LABEL - 1]}…"
    return "".join(each if each in _PLAIN or each.isalnum() else f"#{ord(each)};" for each in short)
