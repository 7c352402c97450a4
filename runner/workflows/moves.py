"""The moves that a run is made of: a node is reached, left, fails; a frame comes to its end. Pure.

reached  ── once in a frame, in the order of the edges ──▶  done by somebody  ──▶  left, or fails
a frame with nothing left in it: next round of its loop | join of its parallel | the run has finished
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from runner.workflows.expressions import Json
from runner.workflows.graph import Graph
from runner.workflows.nodes import flow
from runner.workflows.nodes.exits import ERROR
from runner.workflows.state import Frame, RunState, Task, Visit

MAX_STEPS = 1_000
"""Nodes that are done in one run, those of a loop's body once for each round."""

MAX_VARIABLES = 256 * 1024
"""Characters of all variables of a run, as JSON."""

MAX_DEPTH = 100
"""How deep they may be nested."""


def reached(graph: Graph, state: RunState, targets: Iterable[str], frame: int, thread: str) -> RunState:
    """Put nodes at the end of what is to be done, but for those that the frame has seen or ends at."""
    for target in targets:
        where = state.frame(frame)
        if target in where.seen or target in _ends(graph, where):
            continue
        if state.next_step > MAX_STEPS:
            return failed_run(state, f"more than {MAX_STEPS} nodes would have been done in this run")
        task = Task(state.next_step, target, frame, thread)
        state = replace(
            _with_frame(state, replace(where, seen=(*where.seen, target))),
            tasks=(*state.tasks, task),
            next_step=task.step + 1,
        )
    return state


def left(graph: Graph, state: RunState, task: Task, handle: str) -> RunState:
    """A node was done: go on at this handle."""
    state = visited(state, task, handle)
    return reached(graph, state, graph.targets(task.node, handle), task.frame, task.thread)


def visited(state: RunState, task: Task, handle: str, failure: str | None = None) -> RunState:
    """Write down that a node was done; it is no longer to be done."""
    visit = Visit(task.step, task.node, task.frame, handle, failure)
    tasks = tuple(each for each in state.tasks if each.step != task.step)
    return replace(state, tasks=tasks, path=(*state.path, visit))


def fails(graph: Graph, state: RunState, task: Task, message: str) -> RunState:
    """A node failed: on to its error handler, else to that of the whole run, else the run has failed."""
    error = {"node": task.node, "message": message}
    state = replace(visited(state, task, ERROR, message), variables={**state.variables, "error": error})
    handled = reached(graph, state, graph.targets(task.node, ERROR), task.frame, task.thread)
    if handled.next_step > state.next_step or handled.status == "failed":
        return handled
    root = state.frame(0)
    if graph.catcher is None or graph.catcher in root.seen:
        return failed_run(state, f"{graph.nodes[task.node].label}: {message}")
    return reached(graph, replace(state, tasks=(), frames=(root,)), [graph.catcher], 0, "")


def failed_run(state: RunState, message: str) -> RunState:
    """The run has failed."""
    return replace(state, status="failed", failure=message, tasks=())


def end_of_frame(graph: Graph, state: RunState) -> RunState | None:
    """The state after the end of the innermost frame that has nothing left in it; None where there is none."""
    busy = {task.frame for task in state.tasks} | {frame.parent for frame in state.frames}
    over = next((frame for frame in reversed(state.frames) if frame.id not in busy), None)
    if over is None:
        return None
    if over.parent is None:
        return replace(state, status="finished")
    if over.index + 1 < len(over.items):
        return _next_round(graph, state, over)
    state = replace(state, frames=tuple(frame for frame in state.frames if frame is not over))
    opener = graph.nodes[over.opener].node
    join = [opener.join] if isinstance(opener, flow.Parallel) else graph.targets(over.opener, flow.DONE)
    return reached(graph, state, join, over.parent, over.thread)


def opened(state: RunState, task: Task, items: tuple[Json, ...] = ()) -> tuple[RunState, Frame]:
    """A new frame of this loop or parallel; that of a loop is before its first round."""
    frame = Frame(state.next_frame, task.frame, task.node, task.thread, (), items, -1 if items else 0)
    return replace(state, frames=(*state.frames, frame), next_frame=frame.id + 1), frame


def too_large(variables: Mapping[str, Json]) -> bool:
    """Whether variables are more than a run may have, nested too deeply, or no JSON."""
    if _deeper(variables, MAX_DEPTH):
        return True
    try:
        return len(json.dumps(variables, ensure_ascii=False, allow_nan=False)) > MAX_VARIABLES
    except (TypeError, ValueError):
        return True


def _deeper(value: Json, most: int) -> bool:
    if isinstance(value, str) or not isinstance(value, Mapping | Sequence):
        return False
    inner = value.values() if isinstance(value, Mapping) else value
    return most == 0 or any(_deeper(each, most - 1) for each in inner)


def _next_round(graph: Graph, state: RunState, frame: Frame) -> RunState:
    loop = graph.nodes[frame.opener].node
    following = replace(frame, seen=(), index=frame.index + 1)
    variables = dict(state.variables)
    if isinstance(loop, flow.Loop):
        variables[loop.item_variable] = frame.items[following.index]
    state = replace(_with_frame(state, following), variables=variables)
    return reached(graph, state, graph.targets(frame.opener, flow.BODY), frame.id, frame.thread)


def _ends(graph: Graph, frame: Frame) -> tuple[str, ...]:
    """Where what is done in a frame stops: the loop that it came from, or the join."""
    if not frame.opener:
        return ()
    opener = graph.nodes[frame.opener].node
    return (frame.opener, opener.join) if isinstance(opener, flow.Parallel) else (frame.opener,)


def _with_frame(state: RunState, frame: Frame) -> RunState:
    return replace(state, frames=tuple(frame if each.id == frame.id else each for each in state.frames))
