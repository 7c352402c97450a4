"""Runs workflows by deciding, never by doing. Pure.

    begin ─▶ state ─ steps(state) ─▶ Run | Waiting | Ended ─▶ somebody does it ─▶ advance(state, step, result) ─▶ state
                └──────────────────────────── stored ◀──────────────────────────────────────────────────────────┘

Rules:
- Nodes are done breadth first along the edges, each once in a frame (`state`), when it is first reached; one at a
  time in a thread. A parallel opens a thread for each branch, and its `join` comes when all have ended.
- A step that was decided stays decided, with the same inputs, until its result is known: whoever crashed in between
  finds it again. A result for a step that is no longer open changes nothing: telling it twice is telling it once.
- A node that fails leaves by its edge `error`; without one, the run drops all else and goes to the error_handler
  that no edge leads to; without that one, the run has failed.
- Every run ends: at most `moves.MAX_STEPS` nodes are done in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from runner.workflows.conditions import as_meant
from runner.workflows.expressions import ExpressionError, Json, Variables, filled
from runner.workflows.graph import Graph, Placed
from runner.workflows.moves import (
    end_of_frame,
    failed_run,
    fails,
    left,
    opened,
    reached,
    too_large,
    visited,
)
from runner.workflows.nodes import flow
from runner.workflows.nodes.inputs import inputs
from runner.workflows.nodes.talking import DelegateToBot
from runner.workflows.nodes.thinking import BLOCK, PASS, Guardrail, Rules
from runner.workflows.state import RunState, Task, Wait

MAX_HOPS = 3
"""How often a message may be handed on between bots."""


@dataclass(frozen=True, slots=True)
class Run:
    """Do this node. The step's number, with the run's id, is the key by which doing it again is known."""

    step: int
    placed: Placed
    inputs: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Waiting:
    """This node was begun and waits."""

    step: int
    placed: Placed
    inputs: Mapping[str, Json]
    wait: Wait


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing is left to do. `failure`: None, or why the run failed."""

    failure: str | None = None


Step: TypeAlias = Run | Waiting | Ended


@dataclass(frozen=True, slots=True)
class Done:
    """A node was done.

    Attributes:
        output: goes into its output variable, if it has one.
        handle: the way to go on; "" where there is but one.
        variables: to be set besides.
        removed: variables to be taken away.
    """

    output: Json = None
    handle: str = ""
    variables: Mapping[str, Json] | None = None
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """A node could not be done, a sentence."""

    message: str


@dataclass(frozen=True, slots=True)
class Paused:
    """A node was begun and waits; `advance` is told of it again when that is over."""

    wait: Wait


Result: TypeAlias = Done | Failed | Paused


def begin(graph: Graph, variables: Mapping[str, Json], *, hops: int = 0) -> RunState:
    """A run at its triggers, with these variables; `hops`: how often the message was handed on before."""
    state = RunState(variables=dict(variables), hops=hops)
    return _onwards(graph, reached(graph, state, graph.entries, 0, ""))


def steps(graph: Graph, state: RunState) -> tuple[Step, ...]:
    """What is to be done now: some steps side by side, or one `Ended`."""
    if state.status != "running":
        return (Ended(state.failure),)
    found: list[Step] = []
    for task in state.tasks:
        if task.inputs is not None:
            placed = graph.nodes[task.node]
            begun = Waiting(task.step, placed, task.inputs, task.wait) if task.wait else None
            found.append(begun or Run(task.step, placed, task.inputs))
    return tuple(found)


def advance(graph: Graph, state: RunState, step: int, result: Result) -> RunState:
    """The state once the result of a step is known."""
    task = state.task(step)
    if state.status != "running" or task is None or task.inputs is None:
        return state
    match result:
        case Paused(wait):
            tasks = tuple(replace(each, wait=wait) if each is task else each for each in state.tasks)
            return _onwards(graph, replace(state, tasks=tasks))
        case Failed(message):
            return _onwards(graph, fails(graph, state, task, message))
        case Done():
            return _onwards(graph, _done(graph, state, task, result))


def wake(graph: Graph, state: RunState, now_ms: int) -> RunState:
    """The state once all nodes have gone on whose time has come; those that wait for somebody leave as `Failed`."""
    for task in state.tasks:
        wait = task.wait
        if wait is not None and wait.until_ms is not None and wait.until_ms <= now_ms:
            late = Failed("nobody answered in time")
            state = advance(graph, state, task.step, Done() if wait.kind == "time" else late)
    return state


def resumed(graph: Graph, state: RunState) -> RunState:
    """A stored state, to be gone on with: failed where the workflow was changed so that it no longer fits."""
    openers = {frame.opener: frame for frame in state.frames if frame.opener}
    fits = all(task.node in graph.nodes for task in state.tasks) and all(
        opener in graph.nodes
        and isinstance(graph.nodes[opener].node, flow.Loop if frame.items else flow.Parallel)
        for opener, frame in openers.items()
    )
    if state.status != "running" or fits:
        return state
    return failed_run(state, "the workflow was changed while this run waited")


# ------------------------------------------------------------------------------------------------ results


def _done(graph: Graph, state: RunState, task: Task, result: Done) -> RunState:
    placed = graph.nodes[task.node]
    exits = placed.node.exits
    handle = result.handle or exits.same
    if (handle and handle not in (*exits.needed, *exits.allowed)) or not (handle or exits.plain):
        return fails(graph, state, task, f"chose {handle!r}, which is none of its ways out")
    variables = {name: value for name, value in state.variables.items() if name not in result.removed}
    variables |= result.variables or {}
    name = getattr(placed.node, "output_variable", None)
    if name:
        variables[name] = result.output
    if too_large(variables):
        return fails(graph, state, task, "the variables have become too large")
    return left(graph, replace(state, variables=variables), task, handle)


# ------------------------------------------------------------------------------------------- by itself


def _onwards(graph: Graph, state: RunState) -> RunState:
    """Do all that costs nothing, until something else is due or the run has ended."""
    while state.status == "running":
        task = _next(state)
        following = _by_itself(graph, state, task) if task is not None else end_of_frame(graph, state)
        if following is None:
            break
        state = following
    return state


def _next(state: RunState) -> Task | None:
    """The next task whose turn has come and that was not begun: the first of a thread in which none is being done."""
    busy = {task.thread for task in state.tasks if task.inputs is not None and task.wait is None}
    return next((task for task in state.tasks if task.inputs is None and task.thread not in busy), None)


def _by_itself(graph: Graph, state: RunState, task: Task) -> RunState:
    """Do a node of `flow`; of all others, fix the inputs."""
    node = graph.nodes[task.node].node
    variables = state.variables
    try:
        match node:
            case flow.Loop():
                following = _loop(graph, state, task, node)
            case flow.Parallel():
                following = _parallel(graph, state, task, node)
            case DelegateToBot() if state.hops >= MAX_HOPS:
                following = fails(graph, state, task, f"the message was handed on {MAX_HOPS} times already")
            case (
                flow.Trigger()
                | flow.ErrorHandler()
                | flow.IfElse()
                | flow.Switch()
                | Guardrail(rules=Rules())
            ):
                following = left(graph, state, task, _way(node, variables))
            case _:
                ready = replace(task, inputs=inputs(node, variables))
                tasks = tuple(ready if each is task else each for each in state.tasks)
                following = replace(state, tasks=tasks)
    except ExpressionError as error:
        following = fails(graph, state, task, str(error))
    return following


def _way(
    node: flow.Trigger | flow.ErrorHandler | flow.IfElse | flow.Switch | Guardrail, variables: Variables
) -> str:
    """The handle at which a node is left that only looks at the variables."""
    match node:
        case flow.IfElse(condition):
            return "true" if condition is not None and condition.holds(variables) else "false"
        case flow.Switch(value):
            return _case(node, value.text(variables))
        case Guardrail(text, rules) if rules is not None:
            return PASS if rules.allow(text.text(variables)) else BLOCK
        case _:
            return ""


def _case(node: flow.Switch, value: str) -> str:
    """The case that the value is: as it stands, or as it is meant."""
    alike = (case for case in node.cases if as_meant(case) == as_meant(value))
    return value if value in node.cases else next(alike, flow.DEFAULT)


def _loop(graph: Graph, state: RunState, task: Task, node: flow.Loop) -> RunState:
    items = _list(filled(node.items, state.variables))
    if items is None:
        return fails(graph, state, task, "its items are no list")
    if not items:
        return left(graph, state, task, flow.DONE)
    state, _ = opened(visited(state, task, flow.BODY), task, items[: node.max_iterations])
    return state


def _list(value: Json) -> tuple[Json, ...] | None:
    """The items of a list, or of a text that is the JSON of one."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    return tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else None


def _parallel(graph: Graph, state: RunState, task: Task, node: flow.Parallel) -> RunState:
    state, frame = opened(visited(state, task, ""), task)
    plain = [(target,) for target in graph.targets(task.node)]
    branches = [graph.targets(task.node, name) for name in node.branches] or plain
    for number, targets in enumerate(branches):
        state = reached(graph, state, targets, frame.id, f"{task.thread}/{frame.id}.{number}")
    return state
