"""Whatever a workflow is: its runs end, do nothing twice, and go on from any stored state as they would have gone."""

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.testing.workflows import (
    ask,
    choose,
    driven,
    loop,
    node,
    path_of,
    readable,
    send,
    trigger,
    workflow,
)
from runner.workflows.engine import (
    Done,
    Failed,
    Paused,
    Result,
    Run,
    Waiting,
    advance,
    begin,
    resumed,
    steps,
    wake,
)
from runner.workflows.graph import MAX_NODES, Graph
from runner.workflows.moves import MAX_STEPS
from runner.workflows.state import RunState, Wait, from_json, to_json

thorough = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@dataclass
class Author:
    """Somebody who writes workflows without a fault: parts in a row, that branch, repeat and run side by side."""

    draw: Any
    nodes: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    edges: list[str] = field(default_factory=list)

    def add(self, each: Mapping[str, Any]) -> str:
        name = f"n{len(self.nodes)}"
        self.nodes[name] = each
        return name

    def workflow(self) -> dict[str, Any]:
        if self.draw(st.booleans()):
            self.edges.append(f"{self.add(node('error_handler'))} > {self.add(send())}")
        start = self.add(trigger())
        self.row([start], 0)
        if self.draw(st.booleans()):
            self.row([start], 1)
        return workflow(self.nodes, *self.edges)

    def row(self, ends: list[str], depth: int) -> list[str]:
        """Parts after one another, from these ends, which are nodes with their handles; and the new ends."""
        for _ in range(self.draw(st.integers(1, 3))):
            if len(self.nodes) > MAX_NODES // 3:
                break
            kinds = ["send", "ask", "handled", "wait", *(["choose", "loop", "parallel"] if depth < 2 else [])]
            ends = getattr(self, self.draw(st.sampled_from(kinds)))(ends, depth)
        if not self.edges or not any(edge.startswith(end) for edge in self.edges for end in ends):
            ends = self.send(ends, depth)
        return ends

    def join(self, ends: list[str], name: str) -> str:
        self.edges += [f"{end} > {name}" if " " not in end else f"{end}> {name}" for end in ends]
        return name

    def send(self, ends: list[str], _: int) -> list[str]:
        return [self.join(ends, self.add(send("{{message}}")))]

    def ask(self, ends: list[str], _: int) -> list[str]:
        name = f"v{len(self.nodes)}"
        return [self.join(ends, self.add(ask("{{message}}", name)))]

    def wait(self, ends: list[str], _: int) -> list[str]:
        return [self.join(ends, self.add(node("wait_delay", seconds=5)))]

    def handled(self, ends: list[str], _: int) -> list[str]:
        """A node whose failure is dealt with beside it."""
        name = self.join(ends, self.add(ask()))
        return [name, self.join([f"{name} error"], self.add(send("{{error.message}}")))]

    def choose(self, ends: list[str], depth: int) -> list[str]:
        seen = [name for name in self.nodes if name.startswith("n")]
        one = self.draw(st.sampled_from(seen)).replace("n", "v")
        name = self.join(ends, self.add(choose(f"{{{{{one}.odd}}}}")))
        return self.row([f"{name} true"], depth + 1) + self.row([f"{name} false"], depth + 1)

    def loop(self, ends: list[str], depth: int) -> list[str]:
        name = self.join(ends, self.add(loop(maxIterations=self.draw(st.integers(1, 4)))))
        ends = self.row([f"{name} body"], depth + 1)
        if self.draw(st.booleans()):
            self.join(ends, name)
        return [name]

    def parallel(self, ends: list[str], depth: int) -> list[str]:
        count = self.draw(st.integers(1, 3))
        handles = [f"b{number}" for number in range(count)]
        name = self.join(ends, self.add({}))
        for handle in handles:
            self.row([f"{name} {handle}"], depth + 1)
        join = self.add(send())
        self.nodes[name] = node("parallel", branches=handles, join=join)
        return [join]


@st.composite
def workflows(draw: Any) -> Graph:
    return readable(Author(draw).workflow())


def doer(seed: int) -> Any:
    """Does each step the same way whenever it is asked to, as a store of paid answers does."""

    def do(run: Run) -> Result:
        dice = random.Random(f"{seed} {run.step} {run.placed.id}")
        if run.placed.type == "wait_delay":
            return Paused(Wait("time", dice.randint(1, 50)))
        if dice.random() < 0.08:
            return Failed("broken")
        return Done({"odd": dice.random() < 0.5, "text": str(dice.random())})

    return do


def whole(
    graph: Graph, state: RunState, do: Any, seen: Any = lambda _: None, pick: Any = lambda runs: runs[0]
) -> RunState:
    """Go on to the end, letting time pass where only that is waited for."""
    for _ in range(MAX_STEPS):
        state = driven(graph, state, do, seen=seen, pick=pick)
        waits = [step.wait.until_ms or 0 for step in steps(graph, state) if isinstance(step, Waiting)]
        if not waits:
            return state
        state = wake(graph, state, min(waits))
    raise AssertionError("the run does not end")


@thorough
@given(workflows(), st.integers(0, 10**6), st.lists(st.integers(), max_size=5))
def test_every_run_ends_and_does_nothing_twice(graph: Graph, seed: int, orders: list[int]) -> None:
    asked: Counter[int] = Counter()
    do = doer(seed)

    def counted(run: Run) -> Result:
        asked[run.step] += 1
        return do(run)  # type: ignore[no-any-return]

    state = whole(graph, begin(graph, {"message": "m", "orders": orders}), counted)
    assert state.status in ("finished", "failed")
    assert (state.failure is None) == (state.status == "finished")
    assert set(asked.values()) <= {1}
    assert len({visit.step for visit in state.path}) == len(state.path) <= MAX_STEPS
    if not any(placed.type == "loop" for placed in graph.nodes.values()):
        assert max(Counter(path_of(state)).values()) == 1


@thorough
@given(workflows(), st.integers(0, 10**6), st.lists(st.integers(), max_size=3))
def test_from_any_stored_state_a_run_goes_the_same_way(graph: Graph, seed: int, orders: list[int]) -> None:
    stored: list[str] = []
    end = whole(graph, begin(graph, {"message": "m", "orders": orders}), doer(seed), seen=stored.append)
    dice = random.Random(seed)
    for text in dice.sample(stored, min(4, len(stored))):
        state = from_json(text)
        assert to_json(state) == text
        assert resumed(graph, state) == state
        assert whole(graph, state, doer(seed)) == end


@thorough
@given(workflows(), st.integers(0, 10**6), st.lists(st.integers(), max_size=3))
def test_in_whatever_order_results_come(graph: Graph, seed: int, orders: list[int]) -> None:
    dice = random.Random(seed)
    do = doer(seed)
    state = begin(graph, {"message": "m", "orders": orders})
    state = whole(graph, state, do, pick=dice.choice)
    assert state.status in ("finished", "failed")
    assert len({visit.step for visit in state.path}) == len(state.path)


@thorough
@given(workflows(), st.integers(0, 10**6))
def test_what_comes_late_or_twice_changes_nothing(graph: Graph, seed: int) -> None:
    do = doer(seed)
    told: list[tuple[int, Result]] = []

    def remembered(run: Run) -> Result:
        result: Result = do(run)
        told.append((run.step, result))
        return result

    state = driven(graph, begin(graph, {"message": "m", "orders": [1, 2]}), remembered)
    for step, result in [*told, (10**6, Done())]:
        if not isinstance(result, Paused):
            assert advance(graph, state, step, result) == state
