"""Where the nodes and edges of a workflow go when it is drawn from top to bottom. Pure.

    layers    a node is one below the lowest of those that lead to it (edges that lead back up are left out of that)
    stops     an edge over several layers stops once in each, so that it passes between the nodes there
    order     each layer is sorted by the middle of its neighbours, down and up, some times
    places    each stop goes as near to the middle of its neighbours as its layer has room

Rules: the same workflow gives the same picture; the time it takes is bounded by `MOST_STOPS`: with more, edges go
straight.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

WIDE, HIGH = 184, 62
"""A node's box, px."""
APART, BELOW = 26, 56
"""Room between boxes, beside and below, px."""
THIN = 18
"""Room that an edge takes where it passes a layer."""
MARGIN = 12
MOST_STOPS = 3_000
_SWEEPS = 7

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things are, px from the upper left corner.

    Attributes:
        boxes: the upper left corner of each node's box.
        routes: for each edge, in their order, the points that it goes through, the first below its source.
    """

    width: float
    height: float
    boxes: Mapping[str, Point]
    routes: tuple[tuple[Point, ...], ...]


@dataclass(frozen=True, slots=True)
class _Stop:
    """A place in a layer: a node, or an edge (its number) that passes."""

    layer: int
    node: str = ""
    edge: int = -1

    @property
    def wide(self) -> float:
        return WIDE if self.node else THIN


def lay_out(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> Layout:
    """Place all nodes; edges between nodes that are not there are an error of the caller."""
    layers_of = _layers(nodes, edges)
    chains = _chains(edges, layers_of)
    rows = _rows(nodes, layers_of, chains)
    beside = _neighbours(chains)
    _sort(rows, beside)
    middles = _spread(rows, beside)
    least = min((middles[stop] - stop.wide / 2 for row in rows for stop in row), default=0.0)
    most = max((middles[stop] + stop.wide / 2 for row in rows for stop in row), default=0.0)
    shift = MARGIN - least

    def point(stop: _Stop, *, top: bool) -> Point:
        y = MARGIN + stop.layer * (HIGH + BELOW)
        return middles[stop] + shift, y if top else y + HIGH

    boxes = {
        stop.node: (middles[stop] + shift - WIDE / 2, float(MARGIN + stop.layer * (HIGH + BELOW)))
        for row in rows
        for stop in row
        if stop.node
    }
    routes = tuple(
        (
            point(chain[0], top=False),
            *(each for stop in chain[1:-1] for each in (point(stop, top=True), point(stop, top=False))),
            point(chain[-1], top=True),
        )
        for chain in chains
    )
    height = len(rows) * (HIGH + BELOW) - BELOW if rows else 0
    return Layout(most - least + 2 * MARGIN, float(height + 2 * MARGIN), boxes, routes)


def _layers(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """The layer of each node."""
    down = _without_ways_back(nodes, edges)
    led_to = dict.fromkeys(nodes, 0)
    for targets in down.values():
        for target in targets:
            led_to[target] += 1
    layer = dict.fromkeys(nodes, 0)
    ready = [name for name in nodes if not led_to[name]]
    for name in ready:
        for target in down[name]:
            layer[target] = max(layer[target], layer[name] + 1)
            led_to[target] -= 1
            if not led_to[target]:
                ready.append(target)
    return layer


def _without_ways_back(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """Where the edges lead, without those that close a circle."""
    leads: dict[str, list[str]] = {name: [] for name in nodes}
    for source, target in dict.fromkeys(edges):
        leads[source].append(target)
    down: dict[str, list[str]] = {name: [] for name in nodes}
    seen: set[str] = set()
    for entry in nodes:
        if entry in seen:
            continue
        seen.add(entry)
        above = {entry: None}
        path = [(entry, iter(leads[entry]))]
        while path:
            name, rest = path[-1]
            target = next(rest, "")
            if not target:
                path.pop()
                del above[name]
            elif target not in above:
                down[name].append(target)
                if target not in seen:
                    seen.add(target)
                    above[target] = None
                    path.append((target, iter(leads[target])))
    return down


def _chains(edges: Sequence[tuple[str, str]], layer: Mapping[str, int]) -> list[list[_Stop]]:
    """Each edge as its stops, from its source to its target."""
    gaps = sum(max(0, abs(layer[target] - layer[source]) - 1) for source, target in edges)
    chains = []
    for number, (source, target) in enumerate(edges):
        first, last = layer[source], layer[target]
        between = range(first + 1, last) if last > first and gaps <= MOST_STOPS else range(0)
        stops = [_Stop(at, edge=number) for at in between]
        chains.append([_Stop(first, source), *stops, _Stop(last, target)])
    return chains


def _rows(
    nodes: Sequence[str], layer: Mapping[str, int], chains: Sequence[Sequence[_Stop]]
) -> list[list[_Stop]]:
    rows: list[list[_Stop]] = [[] for _ in range(max(layer.values(), default=-1) + 1)]
    for name in nodes:
        rows[layer[name]].append(_Stop(layer[name], name))
    for chain in chains:
        for stop in chain[1:-1]:
            rows[stop.layer].append(stop)
    return rows


def _neighbours(chains: Sequence[Sequence[_Stop]]) -> dict[_Stop, tuple[list[_Stop], list[_Stop]]]:
    """Of each stop, those above and those below that it is joined to."""
    found: dict[_Stop, tuple[list[_Stop], list[_Stop]]] = {}
    for chain in chains:
        for one, other in pairwise(chain):
            upper, lower = (one, other) if one.layer < other.layer else (other, one)
            if upper.layer < lower.layer:
                found.setdefault(upper, ([], []))[1].append(lower)
                found.setdefault(lower, ([], []))[0].append(upper)
    return found


def _sort(rows: list[list[_Stop]], beside: Mapping[_Stop, tuple[list[_Stop], list[_Stop]]]) -> None:
    """Bring what is joined near to one another: down by those above, up by those below."""
    place = {stop: float(at) for row in rows for at, stop in enumerate(row)}
    for sweep in range(_SWEEPS):
        side = sweep % 2
        for row in rows if side == 0 else reversed(rows):
            middle = {}
            for stop in row:
                joined = beside.get(stop, ([], []))[side]
                middle[stop] = sum(place[one] for one in joined) / len(joined) if joined else place[stop]
            row.sort(key=middle.__getitem__)
            place.update((stop, float(at)) for at, stop in enumerate(row))


def _spread(
    rows: Sequence[Sequence[_Stop]], beside: Mapping[_Stop, tuple[list[_Stop], list[_Stop]]]
) -> dict[_Stop, float]:
    """The middle of each stop, left to right."""
    middles: dict[_Stop, float] = {}
    for row in rows:
        _put(row, [0.0] * len(row), middles)
    for sweep in range(_SWEEPS):
        for row in rows if sweep % 2 == 0 else reversed(rows):
            wanted = []
            for stop in row:
                above, below = beside.get(stop, ([], []))
                joined = (above or below) if sweep % 2 == 0 else (below or above)
                wanted.append(sum(middles[one] for one in joined) / len(joined) if joined else middles[stop])
            _put(row, wanted, middles)
    return middles


def _put(row: Sequence[_Stop], wanted: Sequence[float], middles: dict[_Stop, float]) -> None:
    """Each where it is wanted or, where there is no room, right of its neighbour; then all back by what that moved."""
    right, moved = float("-inf"), 0.0
    for stop, want in zip(row, wanted, strict=True):
        middles[stop] = max(want, right + stop.wide / 2)
        moved += middles[stop] - want
        right = middles[stop] + stop.wide / 2 + APART
    for stop in row:
        middles[stop] -= moved / len(row)
