import json
from typing import Any

import pytest

from runner.testing.workflows import ask, choose, node, readable, send, trigger, workflow
from runner.workflows.faults import dotted
from runner.workflows.graph import MAX_NODES, Graph, read_graph

LOOP = node("loop", items="{{message}}", itemVariable="item", maxIterations=3)


def said(source: Any) -> list[str]:
    found = read_graph(source)
    assert not isinstance(found, Graph)
    return [str(fault) for fault in found]


def support() -> dict[str, Any]:
    return workflow(
        {
            "start": trigger(),
            "classify": ask("Classify: {{message}}", "intent"),
            "billing?": choose("{{intent.text}} == billing"),
            "look_up": node("mcp_tool", tool="orders__get", arguments={"id": 1}, outputVariable="order_data"),
            "check": node("code_block", code="ctx.variables.is_eligible = true;"),
            "answer": send("{{is_eligible}}"),
            "other": send(),
        },
        "start > classify",
        "classify > billing?",
        "billing? true> look_up",
        "billing? false> other",
        "look_up > check",
        "check > answer",
    )


def test_a_workflow_is_a_graph() -> None:
    graph = readable(support())
    assert list(graph.nodes) == ["start", "classify", "billing?", "look_up", "check", "answer", "other"]
    assert graph.entries == ("start",)
    assert graph.targets("start") == ("classify",)
    assert graph.targets("billing?", "false") == ("other",)
    assert graph.targets("answer") == ()
    assert graph.catcher is None


def test_json_text_is_the_same() -> None:
    assert read_graph(json.dumps(support())) == readable(support())


def test_editors_may_leave_their_marks() -> None:
    source = support()
    source["nodes"][0] |= {"position": {"x": 1, "y": 2}, "label": "A message comes"}
    source["edges"][0] |= {"id": "e1", "sourceHandle": None}
    assert readable(source).nodes["start"].label == "A message comes"


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("{", "not JSON: Expecting property name"),
        ("[]", "must be a mapping with nodes and edges"),
        ("[" * 100_000, "not JSON that can be read"),
        ("x" * 600_000, "has at most"),
        ({}, "nodes: required, a list"),
        ({"nodes": "x", "edges": {}}, "edges: must be a list"),
        ({"nodes": [], "edges": []}, "nodes: there must be at least a trigger"),
        (workflow({"a": send()}), "nodes: there is no trigger, so nothing would ever start"),
        ({"nodes": [1], "edges": [2]}, "nodes[0]: must be a mapping with id, type and data"),
        ({"nodes": [], "edgs": []}, "edgs: unknown field, did you mean edges?"),
        ({"nodes": [{"id": "a", "type": "trigger", "data": []}]}, "nodes[0].data: must be a mapping"),
    ],
)
def test_what_is_no_workflow_at_all(source: Any, fault: str) -> None:
    assert any(each.startswith(fault) for each in said(source)), said(source)


def test_all_faults_are_found_at_once() -> None:
    source = workflow(
        {
            "start": node("triger"),
            "a": node("llm_call", promt="Hi", maxTokens="many"),
            "b": choose("{{a}} = b"),
            "c": node("send_message", text="{{oops"),
            "d": node("data_transform", expression="a[", outputVariable="9"),
        },
        "start > a",
        "a > bb",
        "b tru> c",
    )
    source["nodes"].append({"id": "a", "type": "trigger", "dta": {}})  # type: ignore[union-attr]
    not_jmespath = 'not a JMESPath expression: Invalid jmespath expression: Incomplete expression: "a[" ^'
    assert said(source) == [
        "edges[1].target: no node has the id 'bb', did you mean b?",
        "edges[2].sourceHandle: 'b' has no handle 'tru', did you mean true?",
        "nodes[0].type: unknown type 'triger', did you mean trigger?",
        "nodes[1].data.maxTokens: must be a whole number from 1 to 200000",
        "nodes[1].data.outputVariable: required",
        "nodes[1].data.prompt: required",
        "nodes[1].data.promt: unknown field, did you mean prompt?",
        "nodes[2]: no edge for the branch 'true'",
        "nodes[2]: no edge for the branch 'false'",
        "nodes[2].data.condition: '= b' is not understood; equal is ==",
        "nodes[3].data.text: {{ without }}; write \\{{ for two braces that are meant as such",
        f"nodes[4].data.expression: {not_jmespath}",
        "nodes[4].data.outputVariable: '9' is not a name: a letter, then letters, digits, _",
        "nodes[5].dta: unknown field, did you mean data?",
        "nodes[5].id: 'a' is the id of nodes[1], too",
    ]


def test_too_many_nodes() -> None:
    nodes = {"start": trigger()} | {f"n{number}": send() for number in range(MAX_NODES)}
    edges = [f"start > n{number}" for number in range(MAX_NODES)]
    assert said(workflow(nodes, *edges)) == ["nodes: a workflow has at most 50 nodes, this one 51"]


@pytest.mark.parametrize(
    ("edges", "fault"),
    [
        (["t > a", "a > b", "b > a"], "nodes[1]: goes in a circle: a → b → a; only the body of a loop"),
        (["t > a", "a > a", "a > b"], "nodes[1]: goes in a circle: a → a; only"),
        (["t > a"], "nodes[2]: 'b' cannot be reached from a trigger"),
        (["t > a", "a > b", "b > t"], "edges[2].target: 't' is a trigger, where runs begin"),
        (["t > a", "a yes> b"], "edges[1].sourceHandle: 'a' has no handle 'yes'; it has error"),
        (["t > a", "t error> b", "a > b"], "edges[1].sourceHandle: a trigger cannot fail"),
    ],
)
def test_edges(edges: list[str], fault: str) -> None:
    found = said(workflow({"t": trigger(), "a": ask(), "b": send()}, *edges))
    assert any(each.startswith(fault) for each in found), found


def test_two_circles_are_two_faults() -> None:
    nodes = {"t": trigger(), "a": send(), "b": send(), "c": send(), "d": send()}
    edges = ["t > a", "a > b", "b > a", "b > c", "c > d", "d > c"]
    assert [each.partition(";")[0] for each in said(workflow(nodes, *edges))] == [
        "nodes[1]: goes in a circle: a → b → a",
        "nodes[3]: goes in a circle: c → d → c",
    ]


def test_branches() -> None:
    nodes = {"t": trigger(), "c": choose(), "a": send(), "b": send()}
    assert said(workflow(nodes, "t > c", "c > a", "c tru> b")) == [
        "edges[1].sourceHandle: required: 'c' branches, at true, false or error",
        "edges[2].sourceHandle: 'c' has no handle 'tru', did you mean true?",
        "nodes[1]: no edge for the branch 'true'",
        "nodes[1]: no edge for the branch 'false'",
    ]


def test_what_yaml_makes_of_words_without_quotes() -> None:
    switch = node("logic", logicType="switch", value="{{a}}", cases=[True, 5])
    source = workflow({"t": trigger(), "c": choose(), "s": switch, "a": send()}, "t > c")
    for start, handle, end in (("c", True, "s"), ("c", False, "a"), ("s", True, "a"), ("s", 5, "a")):
        source["edges"].append({"source": start, "target": end, "sourceHandle": handle})  # type: ignore[union-attr]
    graph = readable(source)
    assert graph.targets("c", "false") == graph.targets("s", "5") == graph.targets("s", "true") == ("a",)
    assert graph.nodes["s"].path == ("nodes", 2)


def test_each_case_of_a_switch_is_a_branch() -> None:
    switch = node("logic", logicType="switch", value="{{a}}", cases=["one", "two"])
    nodes = {"t": trigger(), "s": switch, "a": send(), "b": send()}
    readable(workflow(nodes, "t > s", "s one> a", "s two> a", "s default> b"))
    readable(workflow({**nodes, "b": send()}, "t > s", "s one> a", "s two> b"))
    assert said(workflow(nodes, "t > s", "s one> a", "s default> b")) == [
        "nodes[1]: no edge for the branch 'two'"
    ]


def test_the_body_of_a_loop_may_lead_back() -> None:
    nodes = {"t": trigger(), "l": LOOP, "a": send(), "b": send(), "z": send()}
    graph = readable(workflow(nodes, "t > l", "l body> a", "a > b", "b > l", "l > z"))
    assert graph.targets("l", "body") == ("a",)
    assert graph.targets("l", "done") == ("z",)
    readable(workflow(nodes, "t > l", "l body> a", "a > b", "l done> z"))


@pytest.mark.parametrize(
    ("edges", "fault"),
    [
        (["t > l", "l > a"], "nodes[1]: no edge for the branch 'body'"),
        (
            ["t > l", "l body> a", "t > a"],
            "edges[2].target: 'a' is in the body of 'l': no edge may lead there",
        ),
        (["t > l", "l body> a", "l > a"], "edges[2].target: 'a' is in the body of 'l'"),
        (["t > l", "l body> l", "t > a"], "nodes[1]: goes in a circle: l → l"),
        (["t > l", "l body> a", "l > l"], "nodes[1]: goes in a circle: l → l"),
    ],
)
def test_the_body_of_a_loop_is_a_place_of_its_own(edges: list[str], fault: str) -> None:
    found = said(workflow({"t": trigger(), "l": LOOP, "a": send()}, *edges))
    assert any(each.startswith(fault) for each in found), found


def parallel(**data: Any) -> Any:
    return node("parallel", **data)


def test_branches_side_by_side_meet_again() -> None:
    nodes = {"t": trigger(), "p": parallel(join="j"), "a": ask(), "b": ask(), "j": send()}
    readable(workflow(nodes, "t > p", "p > a", "p > b", "a > j", "b > j"))
    readable(workflow(nodes, "t > p", "p > a", "p > b"))
    nodes["p"] = parallel(join="j", branches=["one", "two"])
    readable(workflow(nodes, "t > p", "p one> a", "p two> b"))


@pytest.mark.parametrize(
    ("join", "edges", "fault"),
    [
        ("k", ["t > p", "p > a", "p > b", "t > j"], "nodes[1].data.join: no node has the id 'k'"),
        ("j", ["t > p", "t > a", "t > b"], "nodes[1]: no edge for any branch"),
        ("j", ["t > p", "p > a", "p > b", "t > b"], "edges[3].target: 'b' is in a branch of 'p'"),
        ("p", ["t > p", "p > a", "p > b", "t > j"], "nodes[1]: goes in a circle: p → p"),
        ("j", ["t > p", "p > a", "p > b", "j > a"], "edges[3].target: 'a' is in a branch of 'p'"),
    ],
)
def test_branches_are_a_place_of_their_own(join: str, edges: list[str], fault: str) -> None:
    nodes = {"t": trigger(), "p": parallel(join=join), "a": ask(), "b": ask(), "j": send()}
    found = said(workflow(nodes, *edges))
    assert any(each.startswith(fault) for each in found), found


def test_branches_cannot_be_joined_in_a_place_within() -> None:
    nodes = {"t": trigger(), "p": parallel(join="j"), "l": LOOP, "j": send()}
    found = said(workflow(nodes, "t > p", "p > l", "l body> j"))
    assert "nodes[1].data.join: 'j' is in the body of 'l': branches cannot be joined there" in found


def test_error_handlers() -> None:
    nodes = {"t": trigger(), "a": ask(), "h": node("error_handler"), "s": send(), "c": choose()}
    edges = ["t > a", "h > s"]
    plain = readable(workflow({name: nodes[name] for name in "tahs"}, *edges))
    assert plain.catcher == "h"
    own = readable(workflow({name: nodes[name] for name in "tahs"}, *edges, "a > h"))
    assert own.catcher is None
    assert own.targets("a", "error") == ("h",)
    assert own.targets("a") == ()
    branch = readable(workflow(nodes, *edges, "a > c", "c true> s", "c false> h"))
    assert branch.targets("c", "false") == ("h",)
    two = {**{name: nodes[name] for name in "tahs"}, "h2": node("error_handler")}
    assert said(workflow(two, *edges)) == [
        "nodes[4]: no edge leads to it, nor to 'h': only one can take whatever fails"
    ]


def test_a_fault_has_its_place() -> None:
    found = read_graph(workflow({"t": trigger(), "a": node("send_message")}, "t > a"))
    assert not isinstance(found, Graph)
    assert [fault.path for fault in found] == [("nodes", 1, "data", "text")]
    assert dotted(found[0].path) == "nodes[1].data.text"
