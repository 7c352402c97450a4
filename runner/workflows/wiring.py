"""How the nodes of a workflow are joined: what is checked of the edges once all nodes are known. Pure.

Rules: every node can be reached from a trigger; each branch has an edge and each edge a branch; runs cannot go in
circles. The body of a loop and the branches of a parallel are regions of their own:

        ┌────────────── the body ──────────────┐
    loop ─body─▶ a ─▶ b ─▶ (back to the loop, or nowhere)
        └─done─▶ c                                    no edge leads from outside into a region but from its opener

Only an edge from the body of a loop back to this loop may close a circle: it ends the round.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from runner.workflows.faults import Faults, Path, did_you_mean, one_of, shown
from runner.workflows.nodes.exits import ERROR, Exits
from runner.workflows.nodes.flow import BODY

UNKNOWN = ""

_MOST_IN_A_CIRCLE = 8


@dataclass(frozen=True, slots=True)
class Edge:
    """An edge between two nodes. `handle`: "" where it has none."""

    path: Path
    source: str
    target: str
    handle: str


@dataclass(frozen=True, slots=True)
class Shape:
    """A graph without what its nodes do.

    Attributes:
        paths: where each node was written.
        kinds: the type of each; UNKNOWN where it is none.
        exits: the ways out of each node that could be read.
        joins: parallel -> the node where its branches meet, as it was written.
        edges: between nodes that exist.
    """

    paths: Mapping[str, Path]
    kinds: Mapping[str, str]
    exits: Mapping[str, Exits]
    joins: Mapping[str, str]
    edges: tuple[Edge, ...]

    def of_kind(self, kind: str) -> list[str]:
        """The nodes of one type."""
        return [node for node, its in self.kinds.items() if its == kind]


def check(shape: Shape, faults: Faults, *, whole: bool) -> None:
    """Find all faults; `whole`: no edge was left out, so that what cannot be reached is worth saying."""
    if not shape.paths:
        faults.add(("nodes",), "there must be at least a trigger")
        return
    triggers = shape.of_kind("trigger")
    if not triggers and UNKNOWN not in shape.kinds.values():
        faults.add(("nodes",), "there is no trigger, so nothing would ever start")
    for edge in shape.edges:
        _edge(shape, edge, faults)
    for node, exits in shape.exits.items():
        _branches(shape, node, exits, faults)
    catchers = _catchers(shape, faults)
    for parallel, join in shape.joins.items():
        if join not in shape.paths:
            where = (*shape.paths[parallel], "data", "join")
            faults.add(where, f"no node has the id {shown(join)}{did_you_mean(join, shape.paths)}")
    regions = _regions(shape)
    for opener, region in regions.items():
        _entries(shape, opener, region, faults)
    _circles(shape, regions, faults)
    if whole and triggers:
        _unreached(shape, [*triggers, *catchers], faults)


def _edge(shape: Shape, edge: Edge, faults: Faults) -> None:
    if shape.kinds[edge.target] == "trigger":
        faults.add(
            (*edge.path, "target"),
            f"{shown(edge.target)} is a trigger, where runs begin: no edge leads to it",
        )
    exits = shape.exits.get(edge.source)
    if exits is None:
        return
    where = (*edge.path, "sourceHandle")
    kind = shape.kinds[edge.source]
    if not edge.handle and not exits.plain:
        faults.add(where, f"required: {shown(edge.source)} branches, at {one_of(exits.named)}")
    elif edge.handle == ERROR and not exits.can_fail and ERROR not in exits.named:
        faults.add(where, f"a {kind} cannot fail")
    elif edge.handle and edge.handle not in exits.named:
        known = f"it has {one_of(exits.named)}" if exits.named else "it has none"
        hint = did_you_mean(edge.handle, exits.named)
        faults.add(where, f"{shown(edge.source)} has no handle {shown(edge.handle)}{hint or f'; {known}'}")


def _branches(shape: Shape, node: str, exits: Exits, faults: Faults) -> None:
    there = {edge.handle for edge in shape.edges if edge.source == node}
    for handle in exits.needed:
        if handle not in there:
            faults.add(shape.paths[node], f"no edge for the branch {shown(handle)}")
    if node in shape.joins and not there:
        faults.add(shape.paths[node], "no edge for any branch")


def _catchers(shape: Shape, faults: Faults) -> list[str]:
    """The error handlers that no edge leads to: one at most."""
    led_to = {edge.target for edge in shape.edges}
    catchers = [node for node in shape.of_kind("error_handler") if node not in led_to]
    for node in catchers[1:]:
        faults.add(
            shape.paths[node],
            f"no edge leads to it, nor to {shown(catchers[0])}: only one can take whatever fails",
        )
    return catchers


# ----------------------------------------------------------------------------------------------- regions


def _ways(shape: Shape) -> dict[str, list[str]]:
    """Where each node leads; a parallel also to its join."""
    ways: dict[str, list[str]] = {node: [] for node in shape.paths}
    for edge in shape.edges:
        ways[edge.source].append(edge.target)
    for parallel, join in shape.joins.items():
        if join in ways:
            ways[parallel].append(join)
    return ways


def _reached(ways: Mapping[str, Iterable[str]], starts: Iterable[str], stops: AbstractSet[str]) -> set[str]:
    """All that can be reached from some nodes, themselves included, without going to or past others."""
    reached: set[str] = set()
    queue = deque(starts)
    while queue:
        node = queue.popleft()
        if node not in reached and node not in stops:
            reached.add(node)
            queue.extend(ways[node])
    return reached


def _inner(shape: Shape, edge: Edge) -> bool:
    """Whether an edge leads from an opener into its own region."""
    return edge.handle == BODY if shape.kinds[edge.source] == "loop" else edge.source in shape.joins


def _regions(shape: Shape) -> dict[str, set[str]]:
    """Opener -> what runs in frames of its own: the body of a loop, the branches of a parallel."""
    ways = _ways(shape)
    regions: dict[str, set[str]] = {}
    for opener in (*shape.of_kind("loop"), *shape.joins):
        starts = [edge.target for edge in shape.edges if edge.source == opener and _inner(shape, edge)]
        regions[opener] = _reached(ways, starts, {shape.joins.get(opener, opener), opener})
    return regions


def _entries(shape: Shape, opener: str, region: AbstractSet[str], faults: Faults) -> None:
    """Nothing leads into a region but its opener."""
    called = f"{'a branch' if opener in shape.joins else 'the body'} of {shown(opener)}"
    for edge in shape.edges:
        inside = edge.source in region or (edge.source == opener and _inner(shape, edge))
        if edge.target in region and not inside:
            faults.add(
                (*edge.path, "target"),
                f"{shown(edge.target)} is in {called}: no edge may lead there from outside",
            )
    for parallel, join in shape.joins.items():
        if join in region and parallel not in region:
            faults.add(
                (*shape.paths[parallel], "data", "join"),
                f"{shown(join)} is in {called}: branches cannot be joined there",
            )


# ----------------------------------------------------------------------------------------------- circles


def _circles(shape: Shape, regions: Mapping[str, AbstractSet[str]], faults: Faults) -> None:
    """Each node is named in one circle at most."""
    ways = {node: set(targets) for node, targets in _ways(shape).items()}
    for loop in shape.of_kind("loop"):
        for node in regions[loop]:
            ways[node].discard(loop)
    while _without_ends(ways):
        circle = _circle(ways)
        for node in circle:
            del ways[node]
        more = " → …" if len(circle) > _MOST_IN_A_CIRCLE else ""
        walk = " → ".join([*circle[:_MOST_IN_A_CIRCLE]]) + f"{more} → {circle[0]}"
        faults.add(
            shape.paths[circle[0]],
            f"goes in a circle: {walk}; only the body of a loop may lead back, to its loop",
        )


def _without_ends(ways: dict[str, set[str]]) -> bool:
    """Take away, again and again, what leads nowhere; whether anything is left, which has a circle in it."""
    while True:
        ends = [node for node, targets in ways.items() if not targets & ways.keys()]
        if not ends:
            return bool(ways)
        for node in ends:
            del ways[node]


def _circle(ways: Mapping[str, AbstractSet[str]]) -> list[str]:
    """Walk until a node comes again; the circle begins at the node that was written first."""
    walk = [next(iter(ways))]
    while True:
        following = next(node for node in ways if node in ways[walk[-1]])
        if following in walk:
            circle = walk[walk.index(following) :]
            first = min(range(len(circle)), key=lambda at: list(ways).index(circle[at]))
            return circle[first:] + circle[:first]
        walk.append(following)


def _unreached(shape: Shape, entries: Iterable[str], faults: Faults) -> None:
    reached = _reached(_ways(shape), entries, frozenset())
    for node, path in shape.paths.items():
        if node not in reached:
            faults.add(path, f"{shown(node)} cannot be reached from a trigger")
