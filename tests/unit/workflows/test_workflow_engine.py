import pytest

from runner.testing.workflows import (
    ask,
    choose,
    finished,
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
    Ended,
    Failed,
    Result,
    Run,
    advance,
    begin,
    steps,
)
from runner.workflows.expressions import Json
from runner.workflows.moves import MAX_STEPS
from tests.unit.workflows.loops import LOOP

SUPPORT = workflow(
    {
        "t": trigger(),
        "classify": ask("Classify: {{message}}", "intent"),
        "l": choose("{{intent.text}} == billing"),
        "order": node(
            "mcp_tool", tool="orders__get", arguments={"id": "{{user_id}}"}, outputVariable="order"
        ),
        "answer": send("It is {{order.status}}."),
        "other": send("Please ask {{user_name}}."),
    },
    "t > classify",
    "classify > l",
    "l true> order",
    "l false> other",
    "order > answer",
)


def test_a_run_step_by_step() -> None:
    graph = readable(SUPPORT)
    state = begin(graph, {"message": "My bill?", "user_id": "u1"})
    [classify] = steps(graph, state)
    assert isinstance(classify, Run)
    assert (classify.step, classify.placed.id, classify.inputs["prompt"]) == (
        2,
        "classify",
        "Classify: My bill?",
    )
    state = advance(graph, state, 2, Done({"text": "Billing"}))
    [order] = steps(graph, state)
    assert isinstance(order, Run)
    assert order.inputs["arguments"] == {"id": "u1"}
    state = advance(graph, state, order.step, Done({"status": "sent"}))
    [answer] = steps(graph, state)
    assert isinstance(answer, Run)
    assert answer.inputs == {"text": "It is sent."}
    state = advance(graph, state, answer.step, Done())
    assert steps(graph, state) == (Ended(),)
    assert path_of(state) == ["t", "classify", "l", "order", "answer"]
    assert state.variables["intent"] == {"text": "Billing"}


def test_telling_a_result_twice_is_telling_it_once() -> None:
    graph = readable(SUPPORT)
    state = begin(graph, {"message": "x"})
    once = advance(graph, state, 2, Done({"text": "billing"}))
    assert advance(graph, once, 2, Done({"text": "other"})) == once
    assert advance(graph, once, 99, Failed("x")) == once


def test_breadth_first_and_each_once() -> None:
    nodes = {name: send() for name in "abcd"}
    source = workflow({"t": trigger(), **nodes}, "t > a", "t > b", "a > c", "b > d", "c > d", "a > d")
    assert path_of(finished(source)) == ["t", "a", "b", "c", "d"]


def test_one_at_a_time_outside_a_parallel() -> None:
    graph = readable(workflow({"t": trigger(), "a": send(), "b": send()}, "t > a", "t > b"))
    assert [step.placed.id for step in steps(graph, begin(graph, {})) if isinstance(step, Run)] == ["a"]


@pytest.mark.parametrize(
    ("value", "way"), [("one", "a"), (" TWO\n", "b"), ("Two", "b"), ("three", "c"), ("", "c"), (2, "c")]
)
def test_a_switch(value: Json, way: str) -> None:
    switch = node("logic", logicType="switch", value="{{v}}", cases=["one", "two"])
    nodes = {"t": trigger(), "s": switch, "a": send(), "b": send(), "c": send()}
    source = workflow(nodes, "t > s", "s one> a", "s two> b", "s default> c")
    assert path_of(finished(source, v=value)) == ["t", "s", way]


def test_a_switch_without_a_case_ends_there() -> None:
    switch = node("logic", logicType="switch", value="{{v}}", cases=["one"])
    assert path_of(
        finished(workflow({"t": trigger(), "s": switch, "a": send()}, "t > s", "s one> a"), v="x")
    ) == ["t", "s"]


def test_a_guardrail_of_rules_costs_nothing() -> None:
    rail = node("guardrail", rules={"deny": ["fool"]})
    source = workflow(
        {"t": trigger(), "g": rail, "a": send(), "b": send()}, "t > g", "g pass> a", "g block> b"
    )
    assert path_of(finished(source, message="You fool")) == ["t", "g", "b"]
    assert path_of(finished(source, message="You")) == ["t", "g", "a"]


@pytest.mark.parametrize(
    ("orders", "rounds"), [([], 0), ([1], 1), ([1, 2, 3, 4, 5], 3), ("[7, 8]", 2)], ids=str
)
def test_a_loop(orders: Json, rounds: int) -> None:
    prompts: list[Json] = []

    def do(run: Run) -> Result:
        prompts.extend([run.inputs["prompt"]] if run.placed.id == "a" else [])
        return Done({"text": "x"})

    state = finished(LOOP, do, orders=orders)
    assert path_of(state) == ["t", "l", *["a", "b"] * rounds, "z"]
    assert prompts == [str(each) for each in ([7, 8] if orders == "[7, 8]" else orders)][:rounds]  # type: ignore[union-attr]


def test_a_loop_over_no_list_fails() -> None:
    graph = readable(LOOP)
    for orders in ("nothing", 5, {"a": 1}, None):
        state = begin(graph, {"orders": orders})
        assert steps(graph, state) == (Ended("l: its items are no list"),)


def test_loops_within_loops() -> None:
    source = workflow(
        {
            "t": trigger(),
            "o": loop(),
            "i": loop(items="{{order}}", itemVariable="item"),
            "a": send("{{item}}"),
            "z": send(),
        },
        "t > o",
        "o body> i",
        "i body> a",
        "i > o",
        "o > z",
    )
    texts: list[Json] = []

    def do(run: Run) -> Result:
        texts.append(run.inputs["text"])
        return Done()

    finished(source, do, orders=[[1, 2], [], [3]])
    assert texts == ["1", "2", "3", "Hello"]


def test_a_run_that_would_never_end_fails() -> None:
    source = workflow(
        {"t": trigger(), "o": loop(), "i": loop(itemVariable="item"), "a": send()},
        "t > o",
        "o body> i",
        "i body> a",
    )
    graph = readable(source)
    state = begin(graph, {"orders": list(range(100))})
    while state.status == "running":
        [step] = [each for each in steps(graph, state) if isinstance(each, Run)]
        state = advance(graph, state, step.step, Done())
    assert state.failure == "more than 1000 nodes would have been done in this run"
    assert len(state.path) <= MAX_STEPS


PARALLEL = workflow(
    {
        "t": trigger(),
        "p": node("parallel", branches=["x", "y"], join="j"),
        "a": ask("a", "a"),
        "b": ask("b", "b"),
        "c": ask("c", "c"),
        "j": send("{{a.text}} {{c.text}}"),
    },
    "t > p",
    "p x> a",
    "p y> b",
    "b > c",
    "a > j",
    "c > j",
)


def test_branches_run_side_by_side_and_meet() -> None:
    graph = readable(PARALLEL)
    state = begin(graph, {})
    assert [step.placed.id for step in steps(graph, state) if isinstance(step, Run)] == ["a", "b"]
    both = state
    for order in (["a", "b", "c"], ["b", "a", "c"], ["b", "c", "a"]):
        state = both
        for name in order:
            [step] = [
                each for each in steps(graph, state) if isinstance(each, Run) and each.placed.id == name
            ]
            assert "j" not in [each.placed.id for each in steps(graph, state) if isinstance(each, Run)]
            state = advance(graph, state, step.step, Done({"text": name}))
        [join] = steps(graph, state)
        assert isinstance(join, Run)
        assert join.inputs["text"] == "a c"


def test_inputs_stay_as_they_were_decided() -> None:
    source = workflow(
        {
            "t": trigger(),
            "p": node("parallel", join="j"),
            "a": ask("{{x}}", "x"),
            "b": ask("{{x}}", "x"),
            "j": send(),
        },
        "t > p",
        "p > a",
        "p > b",
    )
    graph = readable(source)
    state = advance(graph, begin(graph, {"x": "first"}), 3, Done("second"))
    [b] = steps(graph, state)
    assert isinstance(b, Run)
    assert b.inputs["prompt"] == "first"
