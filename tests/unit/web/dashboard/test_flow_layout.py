"""Where a workflow's nodes and edges are drawn: below one another, beside one another, never on one another."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from runner.web.dashboard.flow_layout import APART, BELOW, HIGH, MARGIN, WIDE, Layout, lay_out

NODES = [f"n{number}" for number in range(12)]
EDGES = st.lists(st.tuples(st.sampled_from(NODES), st.sampled_from(NODES)), max_size=30)


def rows(layout: Layout) -> dict[float, list[float]]:
    found: dict[float, list[float]] = {}
    for x, y in layout.boxes.values():
        found.setdefault(y, []).append(x)
    return found


@given(EDGES)
def test_boxes_stand_apart_and_inside_whatever_the_edges(edges: list[tuple[str, str]]) -> None:
    layout = lay_out(NODES, edges)
    assert sorted(layout.boxes) == sorted(NODES)
    for places in rows(layout).values():
        ordered = sorted(places)
        assert all(b - a >= WIDE + APART - 1e-6 for a, b in pairwise(ordered))
    for x, y in layout.boxes.values():
        assert -1e-6 <= x - MARGIN <= layout.width - WIDE - 2 * MARGIN + 1e-6
        assert MARGIN <= y <= layout.height - HIGH - MARGIN
    assert layout == lay_out(NODES, edges)


@given(EDGES)
def test_edges_begin_and_end_at_their_boxes(edges: list[tuple[str, str]]) -> None:
    layout = lay_out(NODES, edges)
    for (source, target), route in zip(edges, layout.routes, strict=True):
        (left, above), (right, below) = layout.boxes[source], layout.boxes[target]
        assert route[0] == (left + WIDE / 2, above + HIGH)
        assert route[-1] == (right + WIDE / 2, below)


@given(st.lists(st.tuples(st.integers(0, 10), st.integers(1, 11)).filter(lambda e: e[0] < e[1]), max_size=30))
def test_without_a_circle_all_edges_lead_down(numbers: list[tuple[int, int]]) -> None:
    edges = [(f"n{a}", f"n{b}") for a, b in numbers]
    layout = lay_out(NODES, edges)
    for route in layout.routes:
        heights = [y for _, y in route]
        assert heights == sorted(heights)
        assert len(set(heights)) == len(heights)


def test_a_chain_is_one_straight_line_and_a_fork_stands_around_its_middle() -> None:
    chain = lay_out(["a", "b", "c"], [("a", "b"), ("b", "c")])
    assert {x for x, _ in chain.boxes.values()} == {MARGIN}
    assert [y for _, y in chain.boxes.values()] == [MARGIN + at * (HIGH + BELOW) for at in range(3)]
    fork = lay_out(["a", "b", "c"], [("a", "b"), ("a", "c")]).boxes
    assert fork["a"][0] * 2 == fork["b"][0] + fork["c"][0]


def test_an_edge_over_a_layer_passes_beside_what_is_there() -> None:
    layout = lay_out(["a", "b", "c"], [("a", "b"), ("b", "c"), ("a", "c")])
    left, above = layout.boxes["b"]
    beside = [x for x, y in layout.routes[2] if above <= y <= above + HIGH]
    assert len(beside) == 2
    assert all(not left - 1 < x < left + WIDE + 1 for x in beside)


def test_nothing_and_the_largest_workflow_can_be_drawn() -> None:
    assert lay_out([], []).boxes == {}
    names = [f"n{number}" for number in range(50)]
    every = [(a, b) for at, a in enumerate(names) for b in names[at + 1 : at + 9]]
    assert len(lay_out(names, every).routes) == len(every)
    crowded = [(a, b) for at, a in enumerate(names) for b in names[at + 1 :]]
    assert len(lay_out(names, crowded).routes) == len(crowded)
