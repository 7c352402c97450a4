"""Workflows for tests: written in a few words, and driven to their end without doing anything.

workflow({"t": trigger(), "a": send("Hi")}, "t > a", "l true> b")
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from runner.workflows.engine import Done, Ended, Failed, Result, Run, advance, begin, steps
from runner.workflows.expressions import Json
from runner.workflows.graph import Graph, read_graph
from runner.workflows.state import RunState, from_json, to_json

_PATIENCE = 10_000


def node(kind: str, **data: Json) -> Mapping[str, Json]:
    """A node without its id."""
    return {"type": kind, "data": data}


def trigger() -> Mapping[str, Json]:
    """A trigger."""
    return node("trigger", triggerType="message_received")


def send(text: str = "Hello") -> Mapping[str, Json]:
    """A message to the user."""
    return node("send_message", text=text)


def ask(prompt: str = "{{message}}", variable: str = "answer") -> Mapping[str, Json]:
    """A model call."""
    return node("llm_call", prompt=prompt, outputVariable=variable)


def choose(condition: str = "{{message}}") -> Mapping[str, Json]:
    """A logic node with the handles true and false."""
    return node("logic", logicType="if_else", condition=condition)


def loop(**data: Json) -> Mapping[str, Json]:
    """A loop over `orders`, each an `order`."""
    return node("loop", **{"items": "{{orders}}", "itemVariable": "order", **data})


def workflow(nodes: Mapping[str, Mapping[str, Json]], *edges: str) -> dict[str, Json]:
    """A workflow as it is written; an edge is `source > target` or `source handle> target`."""
    return {
        "nodes": [{"id": name, **each} for name, each in nodes.items()],
        "edges": [_edge(edge) for edge in edges],
    }


def readable(source: Mapping[str, Json]) -> Graph:
    """The graph of a workflow that must have no fault."""
    graph = read_graph(source)
    assert isinstance(graph, Graph), "\n".join(map(str, graph))
    return graph


def driven(
    graph: Graph,
    state: RunState,
    do: Callable[[Run], Result],
    *,
    pick: Callable[[tuple[Run, ...]], Run] = lambda runs: runs[0],
    seen: Callable[[str], None] = lambda _: None,
) -> RunState:
    """Go on until the run has ended or only waits; each state is stored and read again, and `seen` as JSON."""
    for _ in range(_PATIENCE):
        text = to_json(state)
        seen(text)
        state = from_json(text)
        now = steps(graph, state)
        runs = tuple(step for step in now if isinstance(step, Run))
        if not runs:
            assert all(isinstance(step, Ended) for step in now) == (state.status != "running")
            return state
        step = pick(runs)
        state = advance(graph, state, step.step, do(step))
    raise AssertionError("the run does not end")


def fine(_: Run) -> Result:
    """A node that is done well."""
    return Done({"text": "fine"})


def failing(*nodes: str) -> Callable[[Run], Result]:
    """All is done well but these nodes."""
    return lambda run: Failed("broken") if run.placed.id in nodes else fine(run)


def finished(source: Mapping[str, Json], do: Callable[[Run], Result] = fine, **variables: Json) -> RunState:
    """A run of a workflow that must come to its end without a failure."""
    graph = readable(source)
    state = driven(graph, begin(graph, variables), do)
    assert state.status == "finished", state.failure
    return state


def path_of(state: RunState) -> list[str]:
    """The nodes that were done, in order."""
    return [visit.node for visit in state.path]


def _edge(text: str) -> Mapping[str, Json]:
    left, target = text.split(">")
    source, _, handle = left.strip().partition(" ")
    return {
        "source": source,
        "target": target.strip(),
        **({"sourceHandle": handle.strip()} if handle.strip() else {}),
    }
