"""A bot's workflow with its last runs, from what the store has of them.

Rules: the figures on the nodes are of the last `RUNS_SHOWN` runs, the path is that of one of them; what an older
release wrote, or half of it, is shown as far as it can be read; code that reads workflows is loaded only for bots that
have one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from runner.bots import Workflow
from runner.money.amounts import ZERO, BadAmount, Money, from_usd
from runner.ports.runs import RunRecord, RunStatus, RunStore
from runner.web.dashboard.flow_view import (
    FlowLink,
    FlowNode,
    LinkKind,
    NodeKind,
    RunRow,
    Standing,
    TraceLine,
    WorkflowCard,
)

if TYPE_CHECKING:  # loaded for bots that have a workflow
    from runner.workflows.graph import Graph, Placed
    from runner.workflows.state import RunState

RUNS_SHOWN = 10
_STANDING: Mapping[RunStatus, tuple[Standing, str]] = {
    RunStatus.WAITING: ("busy", "Waits"),
    RunStatus.FINISHED: ("good", "Done"),
    RunStatus.FAILED: ("bad", "Failed"),
}
_BRANCHES = frozenset(
    {"logic", "llm_router", "confidence_router", "guardrail", "loop", "parallel", "auth_gate"}
)


async def workflow_card(
    workflow: Workflow | None, bot: str, runs: RunStore, asked: str | None
) -> WorkflowCard | None:
    """The bot's workflow; None: it has none. `asked`: the run whose path is shown, if it is one of the last."""
    if workflow is None:
        return None
    return card_of(workflow.source, await runs.runs(bot, RUNS_SHOWN), asked or "")


def card_of(source: str, records: Sequence[RunRecord], asked: str = "") -> WorkflowCard:
    """A workflow, as it was written, with these runs of it."""
    from runner.workflows.graph import Graph, read_graph  # noqa: PLC0415 - see the module's text

    rows = tuple(map(_row, records))
    graph = read_graph(source)
    if not isinstance(graph, Graph):
        return WorkflowCard((), (), rows, fault="; ".join(map(str, graph)))
    states = {record.id: state for record in records if (state := _state(record)) is not None}
    shown = asked if asked in states else next((one.id for one in records if one.id in states), "")
    state = states.get(shown)
    visits = Counter(visit.node for one in states.values() for visit in one.path)
    lines = [line for row in rows for line in row.lines]
    handles = {} if state is None else {visit.node: visit.handle for visit in state.path}
    waits = set() if state is None else {task.node for task in state.tasks if task.wait is not None}
    nodes = tuple(
        _node(
            placed,
            visits[placed.id],
            lines,
            on_path=placed.id in handles or placed.id in waits,
            waits=placed.id in waits,
        )
        for placed in graph.nodes.values()
    )
    return WorkflowCard(nodes, tuple(_links(graph, handles, waits)), rows, shown)


# --------------------------------------------------------------------------------------------- the picture


def _node(placed: Placed, visits: int, lines: Iterable[TraceLine], *, on_path: bool, waits: bool) -> FlowNode:
    mine = [line for line in lines if line.node == placed.id]
    return FlowNode(
        placed.id,
        placed.label,
        placed.type,
        _kind(placed.type),
        times=max(visits, len(mine)),
        cost=Money(sum((line.cost for line in mine), ZERO)),
        failures=sum(bool(line.failure) for line in mine),
        on_path=on_path,
        waits=waits,
    )


def _kind(kind: str) -> NodeKind:
    if kind == "trigger":
        return "entry"
    if kind == "error_handler":
        return "catch"
    return "branch" if kind in _BRANCHES else "step"


def _links(graph: Graph, handles: Mapping[str, str], waits: set[str]) -> Iterable[FlowLink]:
    """The edges, those between the same two nodes as one, and where a parallel comes together.

    Taken: left at that handle, and the target was reached.
    """
    reached = handles.keys() | waits
    ways: dict[tuple[str, str], list[str]] = {}
    for (source, handle), targets in graph.ways.items():
        for target in targets:
            ways.setdefault((source, target), []).append(handle)
    for (source, target), words in ways.items():
        left = source in handles and target in reached
        taken = left and not {handles[source], *_opened(graph.nodes[source].type)}.isdisjoint(words)
        yield FlowLink(source, target, ", ".join(filter(None, words)), _way(words), on_path=taken)
    for name, placed in graph.nodes.items():
        join = getattr(placed.node, "join", None)
        if isinstance(join, str):
            yield FlowLink(name, join, "join", "join", on_path=name in handles and join in reached)


def _way(words: Sequence[str]) -> LinkKind:
    return "error" if set(words) == {"error"} else "plain"


def _opened(kind: str) -> tuple[str, ...]:
    """Handles by which a node is left besides the one that its visit tells: a loop's body was gone through before."""
    return ("body",) if kind == "loop" else ()


def _state(record: RunRecord) -> RunState | None:
    """Where a run is; None where that cannot be read."""
    from runner.workflows.state import from_json  # noqa: PLC0415 - see the module's text

    try:
        return from_json(record.state)
    except ValueError:
        return None


# ------------------------------------------------------------------------------------------------ the runs


def _row(record: RunRecord) -> RunRow:
    standing, word = _STANDING[record.status]
    lines = tuple(_lines(record.trace))
    failures = [line.failure for line in lines if line.failure]
    why = f"for {record.waiting_for}" if record.waiting_for else ""
    if standing == "bad" and failures:
        why = failures[-1]
    return RunRow(
        id=record.id,
        user=record.user,
        conversation=record.conversation,
        state=standing,
        word=word,
        started_ms=record.started_ms,
        took_ms=sum(line.ms for line in lines),
        cost=Money(sum((line.cost for line in lines), ZERO)),
        lines=lines,
        why=why,
    )


def _lines(trace: str) -> Iterable[TraceLine]:
    try:
        found = json.loads(trace)
    except ValueError:
        return
    for line in found if isinstance(found, list) else ():
        if isinstance(line, Mapping):
            yield TraceLine(
                node=_text(line.get("node")),
                type=_text(line.get("type")),
                inputs=_json(line.get("inputs")),
                output=_json(line.get("output")),
                handle=_text(line.get("handle")),
                failure=_text(line.get("failure")),
                tokens=_whole(line.get("tokens_input")) + _whole(line.get("tokens_output")),
                cost=_money(line.get("cost_usd")),
                ms=_whole(line.get("ms")),
            )


def _text(value: Any) -> str:  # noqa: ANN401 - whatever the trace holds
    return value if isinstance(value, str) else "" if value is None else str(value)


def _json(value: Any) -> str:  # noqa: ANN401 - whatever the trace holds
    """A value that is JSON text already, or is none yet; nothing for what is empty."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "" if text in ("null", "{}", '""', "[]") else text


def _whole(value: Any) -> int:  # noqa: ANN401 - whatever the trace holds
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _money(value: Any) -> Money:  # noqa: ANN401 - whatever the trace holds
    try:
        return from_usd(str(value)) if value is not None else ZERO
    except BadAmount:
        return ZERO
