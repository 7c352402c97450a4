import pytest

from runner.testing.workflows import (
    ask,
    driven,
    failing,
    fine,
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
    Paused,
    Run,
    Waiting,
    advance,
    begin,
    resumed,
    steps,
    wake,
)
from runner.workflows.graph import Graph
from runner.workflows.moves import MAX_VARIABLES
from runner.workflows.state import RunState, Wait, from_json, to_json
from tests.unit.workflows.loops import LOOP

# ------------------------------------------------------------------------------------------------ failures


def test_a_failing_node_leaves_by_its_own_edge() -> None:
    source = workflow({"t": trigger(), "a": ask(), "b": send(), "e": send()}, "t > a", "a > b", "a error> e")
    state = finished(source, failing("a"))
    assert path_of(state) == ["t", "a", "e"]
    assert state.path[1].failure == "broken"
    assert state.variables["error"] == {"node": "a", "message": "broken"}


def test_an_error_handler_takes_whatever_fails() -> None:
    nodes = {
        "t": trigger(),
        "a": ask(),
        "b": send(),
        "h": node("error_handler"),
        "e": send("{{error.message}}"),
    }
    source = workflow(nodes, "t > a", "t > b", "h > e")
    assert path_of(finished(source, failing("a"))) == ["t", "a", "h", "e"]
    assert path_of(finished(source, failing("b"))) == ["t", "a", "b", "h", "e"]
    graph = readable(source)
    state = driven(graph, begin(graph, {}), failing("a", "e"))
    assert state.failure == "e: broken"


def test_without_a_handler_the_run_has_failed() -> None:
    graph = readable(workflow({"t": trigger(), "a": ask()}, "t > a"))
    state = driven(graph, begin(graph, {}), failing("a"))
    assert steps(graph, state) == (Ended("a: broken"),)
    assert advance(graph, state, 2, Done()) == state


def test_a_handler_of_a_body_is_there_in_each_round() -> None:
    source = workflow(
        {"t": trigger(), "l": loop(), "a": ask(), "e": send(), "z": send()},
        "t > l",
        "l body> a",
        "a error> e",
        "l > z",
    )
    assert path_of(finished(source, failing("a"), orders=[1, 2])) == ["t", "l", "a", "e", "a", "e", "z"]


def test_the_run_drops_what_it_was_in_when_it_goes_to_its_handler() -> None:
    source = workflow(
        {"t": trigger(), "l": loop(), "a": ask(), "z": send(), "h": node("error_handler"), "e": send()},
        "t > l",
        "l body> a",
        "l > z",
        "h > e",
    )
    assert path_of(finished(source, failing("a"), orders=[1, 2])) == ["t", "l", "a", "h", "e"]


@pytest.mark.parametrize(
    ("result", "failure"),
    [
        (Done(handle="maybe"), "a: chose 'maybe', which is none of its ways out"),
        (Done(handle="error"), "a: chose 'error', which is none of its ways out"),
        (Done("x" * (MAX_VARIABLES + 1)), "a: the variables have become too large"),
        (Done(float("nan")), "a: the variables have become too large"),
    ],
)
def test_results_that_cannot_be_taken(result: Done, failure: str) -> None:
    graph = readable(workflow({"t": trigger(), "a": ask()}, "t > a"))
    assert driven(graph, begin(graph, {}), lambda _: result).failure == failure


def test_a_node_that_branches_must_choose() -> None:
    router = node("llm_router", prompt="?", routes=["x"])
    graph = readable(workflow({"t": trigger(), "r": router, "a": send()}, "t > r", "r x> a"))
    assert driven(graph, begin(graph, {}), fine).failure == "r: chose '', which is none of its ways out"
    assert path_of(
        driven(graph, begin(graph, {}), lambda _: Done(handle="x" if _.placed.id == "r" else ""))
    ) == list("tra")


def test_inputs_that_become_too_long_are_a_failure() -> None:
    graph = readable(workflow({"t": trigger(), "a": ask("{{m}}{{m}}")}, "t > a"))
    state = begin(graph, {"m": "x" * 150_000})
    assert "longer than" in str(state.failure)


def test_variables_are_set_and_taken_away() -> None:
    source = workflow({"t": trigger(), "c": node("code_block", code="x")}, "t > c")
    state = finished(source, lambda _: Done(variables={"a": 1}, removed=("b",)), b=2, c=3)
    assert state.variables == {"a": 1, "c": 3}


def test_a_message_is_handed_on_three_times_at_most() -> None:
    graph = readable(workflow({"t": trigger(), "d": node("delegate_to_bot", target_bot_id="x")}, "t > d"))
    assert driven(graph, begin(graph, {}, hops=2), fine).status == "finished"
    assert begin(graph, {}, hops=3).failure == "d: the message was handed on 3 times already"


# ------------------------------------------------------------------------------------------------- waiting

HANDOFF = workflow(
    {
        "t": trigger(),
        "h": node("action", actionType="human_handoff", reason="{{message}}"),
        "y": send(),
        "n": send(),
    },
    "t > h",
    "h approved> y",
    "h rejected> n",
)


def paused(graph: Graph, wait: Wait) -> RunState:
    state = begin(graph, {})
    [step] = steps(graph, state)
    assert isinstance(step, Run)
    return from_json(to_json(advance(graph, state, step.step, Paused(wait))))


@pytest.mark.parametrize(("decision", "last"), [("approved", "y"), ("rejected", "n")])
def test_a_reviewer_decides_days_later(decision: str, last: str) -> None:
    graph = readable(HANDOFF)
    state = paused(graph, Wait("decision"))
    [waiting] = steps(graph, state)
    assert isinstance(waiting, Waiting)
    assert (waiting.placed.id, waiting.wait) == ("h", Wait("decision"))
    assert wake(graph, state, 10**15) == state
    state = driven(graph, advance(graph, state, waiting.step, Done(handle=decision)), fine)
    assert path_of(state) == ["t", "h", last]


def test_a_wait_ends_by_the_clock() -> None:
    source = workflow({"t": trigger(), "w": node("wait_delay", seconds=60), "a": send()}, "t > w", "w > a")
    graph = readable(source)
    state = paused(graph, Wait("time", 1_000))
    assert wake(graph, state, 999) == state
    assert path_of(driven(graph, wake(graph, state, 1_000), fine)) == ["t", "w", "a"]


def test_nobody_answers_in_time() -> None:
    graph = readable(HANDOFF)
    assert wake(graph, paused(graph, Wait("decision", 1_000)), 2_000).failure == "h: nobody answered in time"


def test_who_waits_holds_up_nobody() -> None:
    nodes = {"t": trigger(), "w": node("wait_delay", seconds=60), "a": send()}
    graph = readable(workflow(nodes, "t > w", "t > a"))
    state = paused(graph, Wait("time", 1_000))
    assert sorted(type(step).__name__ for step in steps(graph, state)) == ["Run", "Waiting"]
    assert driven(graph, state, fine).status == "running"


# ------------------------------------------------------------------------------------------------- storing


def test_a_workflow_that_was_changed_meanwhile() -> None:
    state = paused(readable(HANDOFF), Wait("decision"))
    assert resumed(readable(HANDOFF), state) is state
    other = readable(workflow({"t": trigger(), "a": send()}, "t > a"))
    assert resumed(other, state).failure == "the workflow was changed while this run waited"
    in_loop = begin(readable(LOOP), {"orders": [1]})
    assert resumed(readable(LOOP), in_loop) is in_loop
    unlooped = {"t": trigger(), "l": send(), "a": ask()}
    assert resumed(readable(workflow(unlooped, "t > l", "l > a")), in_loop).status == "failed"


def test_a_state_is_json() -> None:
    state = begin(
        readable(LOOP), {"orders": [1, {}], "message": "\ud800 ü", "n": 1.5, "deep": {"a": [None, True]}}
    )
    assert from_json(to_json(state)) == state
    assert to_json(state).isascii()


@pytest.mark.parametrize("text", ["{}", "[]", "x", '{"version": 2}', '{"version": 1, "variables": {}}'])
def test_what_is_no_state(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        from_json(text)
