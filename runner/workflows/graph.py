"""A workflow as it was written, read and checked once: a graph that can be run, or all that is wrong with it.

    {nodes: [{id, type, data}], edges: [{source, target, sourceHandle?}]}   or the same as JSON text

Rules: whatever is written, the answer is a Graph or the faults, never an exception, and there is no Graph with a
fault in it. `label` and `position` of a node and `id` of an edge are for people and editors. An edge without a
handle that leads to an error_handler says where its source goes when it fails.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from runner.workflows.expressions import Json
from runner.workflows.faults import Fault, Faults, Path, did_you_mean, shown
from runner.workflows.nodes.exits import ERROR, Exits
from runner.workflows.nodes.fields import Fields
from runner.workflows.nodes.flow import ErrorHandler, Parallel, Trigger
from runner.workflows.nodes.kinds import KINDS, Node
from runner.workflows.wiring import UNKNOWN, Edge, Shape, check

MAX_NODES = 50
MAX_EDGES = 400
MAX_JSON = 500_000
"""Characters of a workflow as JSON text."""

PLAIN = ""
"""The handle of an edge that has none."""

_READ_AT_MOST = 200
_LONGEST_ID = 64


@dataclass(frozen=True, slots=True)
class Placed:
    """A node in its graph.

    Attributes:
        label: how people call it, else its id.
        path: where it was written, for what others find wrong with it.
    """

    id: str
    type: str
    node: Node
    label: str
    path: Path = ()


@dataclass(frozen=True, slots=True)
class Graph:
    """A workflow that can be run.

    Attributes:
        nodes: by id, in the order in which they were written.
        ways: (id, handle) -> where the edges of this handle lead, in the order in which they were written.
        entries: the triggers.
        catcher: the error_handler that no edge leads to, which takes whatever fails and has no edge for it.
    """

    nodes: Mapping[str, Placed]
    ways: Mapping[tuple[str, str], tuple[str, ...]]
    entries: tuple[str, ...]
    catcher: str | None = None

    def targets(self, node: str, handle: str = PLAIN) -> tuple[str, ...]:
        """Where a run goes on from a node; nothing: it ends there."""
        return self.ways.get((node, handle), ())


@dataclass(frozen=True, slots=True)
class _Written:
    """A node of which at least the id could be read.

    Attributes:
        node: None where its type is unknown; after a fault, not what was meant.
        exits: None where they cannot be told, for a fault.
    """

    path: Path
    id: str
    type: str
    label: str
    node: Node | None = None
    exits: Exits | None = None


def read_graph(source: Mapping[str, Json] | str) -> Graph | tuple[Fault, ...]:
    """Read and check a workflow, given as a mapping or as JSON text."""
    faults = Faults()
    written = _mapping(source, faults)
    if written is None:
        return faults.in_order()
    top = Fields((), written, faults)
    nodes = _nodes(_list(top, "nodes", MAX_NODES, faults), faults)
    edges, dangling = _edges(_list(top, "edges", MAX_EDGES, faults), nodes, faults)
    top.end()
    check(_shape(nodes, edges), faults, whole=not dangling)
    if faults.found:
        return faults.in_order()
    placed = {
        one.id: Placed(one.id, one.type, cast("Node", one.node), one.label, one.path)
        for one in nodes.values()
    }
    ways: dict[tuple[str, str], dict[str, None]] = {}
    for edge in edges:
        ways.setdefault((edge.source, edge.handle), {})[edge.target] = None
    led_to = {edge.target for edge in edges}
    return Graph(
        placed,
        {way: tuple(targets) for way, targets in ways.items()},
        tuple(one.id for one in placed.values() if isinstance(one.node, Trigger)),
        next(
            (o.id for o in placed.values() if isinstance(o.node, ErrorHandler) and o.id not in led_to), None
        ),
    )


def _mapping(source: Mapping[str, Json] | str, faults: Faults) -> Mapping[str, Json] | None:
    found: object = source
    if isinstance(source, str):
        if len(source) > MAX_JSON:
            faults.add((), f"has at most {MAX_JSON} characters, this one {len(source)}")
            return None
        try:
            found = json.loads(source)
        except json.JSONDecodeError as error:
            faults.add((), f"not JSON: {error.msg}, line {error.lineno} column {error.colno}")
            return None
        except (ValueError, RecursionError):
            faults.add((), "not JSON that can be read")
            return None
    if not isinstance(found, Mapping):
        faults.add((), "must be a mapping with nodes and edges")
        return None
    return found


def _list(top: Fields, name: str, most: int, faults: Faults) -> Sequence[Json]:
    top.asked[name] = None
    found = top.data.get(name)
    if found is None and name == "edges":
        return ()
    if isinstance(found, str) or not isinstance(found, Sequence):
        faults.add((name,), "required, a list" if found is None else "must be a list")
        return ()
    if len(found) > most:
        faults.add((name,), f"a workflow has at most {most} {name}, this one {len(found)}")
    return found[: max(most, _READ_AT_MOST)]


# ------------------------------------------------------------------------------------------------- nodes


def _nodes(items: Sequence[Json], faults: Faults) -> dict[str, _Written]:
    nodes: dict[str, _Written] = {}
    for number, item in enumerate(items):
        path: Path = ("nodes", number)
        if not isinstance(item, Mapping):
            faults.add(path, "must be a mapping with id, type and data")
            continue
        found = _node(path, item, faults)
        if found.id in nodes:
            first = nodes[found.id].path[1]
            faults.add((*path, "id"), f"{shown(found.id)} is the id of nodes[{first}], too")
        elif found.id:
            nodes[found.id] = found
    return nodes


def _node(path: Path, item: Mapping[str, Json], faults: Faults) -> _Written:
    fields = Fields(path, item, faults)
    name = fields.text("id", longest=_LONGEST_ID)
    kind = fields.text("type")
    label = fields.optional_text("label", longest=200)
    for known in ("data", "position"):
        fields.has(known)
    fields.end()
    written = _Written(path, name, kind, label or name)
    if kind and kind not in KINDS:
        faults.add((*path, "type"), f"unknown type {shown(kind)}{did_you_mean(kind, KINDS)}")
    elif kind:
        written = _with_data(written, item.get("data"), faults)
    return written


def _with_data(written: _Written, data: Json, faults: Faults) -> _Written:
    path = (*written.path, "data")
    if data is not None and not isinstance(data, Mapping):
        faults.add(path, "must be a mapping")
        return written
    before = len(faults.found)
    fields = Fields(path, data or {}, faults)
    node = KINDS[written.type](fields)
    fields.end()
    sound = len(faults.found) == before or isinstance(vars(type(node))["exits"], Exits)
    return replace(written, node=node, exits=node.exits if sound else None)


# ------------------------------------------------------------------------------------------------- edges


def _edges(items: Sequence[Json], nodes: Mapping[str, _Written], faults: Faults) -> tuple[list[Edge], bool]:
    """The edges between nodes that exist; and whether there were others."""
    edges: list[Edge] = []
    dangling = False
    for number, item in enumerate(items):
        path: Path = ("edges", number)
        if not isinstance(item, Mapping):
            faults.add(path, "must be a mapping with source and target")
            dangling = True
            continue
        fields = Fields(path, item, faults)
        ends = {end: fields.text(end) for end in ("source", "target")}
        handle = fields.optional_word("sourceHandle")
        fields.has("id")
        fields.end()
        for end, name in ends.items():
            if name and name not in nodes:
                faults.add((*path, end), f"no node has the id {shown(name)}{did_you_mean(name, nodes)}")
        if all(name in nodes for name in ends.values()):
            source, target = (nodes[name] for name in ends.values())
            edges.append(Edge(path, source.id, target.id, _handle(source, target, handle)))
        else:
            dangling = True
    return edges, dangling


def _handle(source: _Written, target: _Written, handle: str | None) -> str:
    """The handle that the edge stands for."""
    if handle is not None or source.exits is None:
        return handle or PLAIN
    return ERROR if target.type == "error_handler" and source.exits.plain else source.exits.same


def _shape(nodes: Mapping[str, _Written], edges: Sequence[Edge]) -> Shape:
    return Shape(
        paths={one.id: one.path for one in nodes.values()},
        kinds={one.id: one.type if one.node else UNKNOWN for one in nodes.values()},
        exits={one.id: one.exits for one in nodes.values() if one.exits is not None},
        joins={one.id: one.node.join for one in nodes.values() if isinstance(one.node, Parallel)},
        edges=tuple(edges),
    )
