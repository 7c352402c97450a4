"""Whatever people write into expressions and workflows: an answer, or our own error, and never anything else."""

import copy
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runner.testing.workflows import ask, choose, node, readable, send, trigger, workflow
from runner.workflows.conditions import condition
from runner.workflows.expressions import ExpressionError, filled, reference, template, text_of, tree
from runner.workflows.graph import Graph, read_graph
from runner.workflows.nodes.kinds import KINDS
from runner.workflows.patterns import compiled
from runner.workflows.picture import mermaid

PIECES = [
    *(
        "{{a}}",
        "{{a.b}}",
        "{{a[0]}}",
        "{{c}}",
        "{{",
        "}}",
        "{",
        "\\{{",
        "a",
        "billing",
        "'",
        '"',
        "'x y'",
        "5",
        "1e9",
    ),
    *(
        "==",
        "!=",
        ">",
        ">=",
        "<",
        "<=",
        "=",
        "!",
        "contains",
        "matches",
        "and",
        "or",
        "not",
        "(",
        ")",
        "true",
        "null",
    ),
    *(" ", "\n", "(a+)+$", "[a-z]*", "\ud800", "\x00", "ß", "İ"),
]
texts = st.lists(st.sampled_from(PIECES), max_size=14).map(" ".join) | st.text(max_size=30)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
values: Any = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
variables = st.fixed_dictionaries({}, optional={"a": values, "c": values, "billing": values})
quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@quick
@given(texts, variables)
def test_texts_with_variables(source: str, known: dict[str, Any]) -> None:
    try:
        parsed = template(source)
    except ExpressionError:
        return
    assert isinstance(parsed.text(known), str)
    if "{{" not in source:
        assert parsed.text(known) == source


@quick
@given(texts, variables)
def test_conditions(source: str, known: dict[str, Any]) -> None:
    try:
        parsed = condition(source)
    except ExpressionError:
        return
    assert parsed.holds(known) in (True, False)
    assert condition(f"not ({source})").holds(known) is not parsed.holds(known)
    assert condition(f"({source}) or {{{{nothing}}}}").holds(known) is parsed.holds(known)


@quick
@given(values, variables)
def test_trees(source: Any, known: dict[str, Any]) -> None:
    try:
        parsed = tree(source)
    except ExpressionError:
        return
    if "{{" not in text_of(source):
        assert repr(filled(parsed, known)) == repr(source)


@quick
@given(st.text(max_size=20), values)
def test_references(source: str, value: Any) -> None:
    try:
        parsed = reference(source)
    except ExpressionError:
        return
    parsed.value({parsed.name: value})


@quick
@given(texts, texts)
def test_patterns(source: str, text: str) -> None:
    try:
        pattern = compiled(source)
    except ExpressionError:
        return
    assert pattern.is_in(text) in (True, False)


# ---------------------------------------------------------------------------------------------- workflows

WHOLE = workflow(
    {
        "t": trigger(),
        "c": ask(),
        "l": choose("{{answer.text}} == billing"),
        "o": node("loop", items="{{answer}}", itemVariable="x", maxIterations=3),
        "s": send(),
        "p": node("parallel", branches=["a", "b"], join="z"),
        "x": node("guardrail", rules={"regex": "a+", "length": 5}),
        "y": node("mcp_tool", tool="y", arguments={"a": ["{{b}}"]}),
        "z": send(),
        "h": node("error_handler"),
    },
    *("t > c", "c > l", "l true> o", "l false> p", "o body> s", "s > o", "p a> x", "p b> y", "x pass> z"),
    *("x block> z", "y > z", "h > z"),
)
words = st.sampled_from(
    [*KINDS, *"tclospxyzh", "true", "body", "error", "data", "prompt", "", "{{", "a", "default"]
)
spoilt = values | words | st.lists(words, max_size=3) | st.dictionaries(words, words, max_size=3)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Each place in a JSON value: what it is in, and by which key."""
    inner = (
        list(value.items())
        if isinstance(value, dict)
        else list(enumerate(value))
        if isinstance(value, list)
        else []
    )
    return [(value, key) for key, _ in inner] + [place for _, each in inner for place in places(each)]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_workflow_with_something_wrong_in_it(data: st.DataObject) -> None:
    source = copy.deepcopy(WHOLE)
    for _ in range(data.draw(st.integers(1, 3))):
        where, key = data.draw(st.sampled_from(places(source) or [({"": 0}, "")]))
        if data.draw(st.booleans()):
            where[key] = data.draw(spoilt)
        else:
            del where[key]
    found = read_graph(source)
    if isinstance(found, Graph):
        assert mermaid(found).startswith("flowchart TD\n")
        assert readable(source) == found
    else:
        assert found
        assert all(fault.message for fault in found)
        assert len(set(found)) == len(found)


@quick
@given(values)
def test_what_is_no_workflow_at_all(source: Any) -> None:
    assert not isinstance(read_graph(source), Graph)


def test_the_whole_one_has_no_fault() -> None:
    readable(WHOLE)
