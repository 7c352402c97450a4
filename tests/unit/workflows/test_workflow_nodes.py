import json
from typing import Any

import pytest

from runner.testing.workflows import node, readable, send, trigger, workflow
from runner.workflows.expressions import ExpressionError
from runner.workflows.graph import Graph, read_graph
from runner.workflows.nodes import flow
from runner.workflows.nodes.exits import Exits
from runner.workflows.nodes.inputs import inputs
from runner.workflows.nodes.kinds import KINDS, Node
from runner.workflows.nodes.thinking import Guardrail, LlmRouter
from runner.workflows.transform import transformed

# Each row of the table, as people write it.
ROWS: list[dict[str, Any]] = [
    {"type": "trigger", "triggerType": "message_received"},
    {"type": "llm_call", "prompt": "Hi {{user_name}}", "outputVariable": "x"},
    {
        "type": "llm_call",
        "prompt": "Hi",
        "outputVariable": "x",
        "model": "openai/gpt-4o-mini",
        "maxTokens": 20,
    },
    {"type": "logic", "logicType": "if_else", "condition": "{{intent.text}} == billing"},
    {"type": "logic", "logicType": "switch", "value": "{{intent.text}}", "cases": ["billing", 5]},
    {
        "type": "code_block",
        "code": "const order = ctx.variables.order_data; ctx.variables.is_eligible = "
        "order.status === 'delivered' && order.days_since_delivery < 30;",
    },
    {
        "type": "mcp_tool",
        "tool": "orders__get",
        "arguments": {"id": "{{id}}"},
        "outputVariable": "order_data",
    },
    {"type": "send_message", "text": "Hello {{user_name}}"},
    {"type": "action", "actionType": "human_handoff", "reason": "{{message}}"},
    {"type": "loop", "items": "{{orders}}", "itemVariable": "order", "maxIterations": 5},
    {"type": "loop", "items": ["a", "b"], "itemVariable": "order"},
    {"type": "parallel", "branches": ["a", "b"], "join": "end"},
    {"type": "delegate_to_bot", "target_bot_id": "b", "context": {"a": "{{message}}"}, "outputVariable": "x"},
    {"type": "delegate_to_bot", "target_bot_id": "b", "context": '{"a": "{{message}}"}'},
    {"type": "auth_gate", "mode": "allow_list", "allow": ["4711"]},
    {"type": "auth_gate", "mode": "code", "text": "Please tell me the code."},
    {"type": "auth_gate", "mode": "link"},
    {"type": "schedule_message", "at": "2026-12-01T08:00:00Z", "channel": "news", "text": "Hi"},
    {"type": "schedule_message", "delay": 3600, "text": "Hi"},
    {"type": "send_proactive", "channel": "news", "text": "Hi"},
    {"type": "send_proactive", "at": "{{when}}", "channel": "news", "text": "Hi"},
    {"type": "error_handler"},
    {"type": "agent_loop", "prompt": "Help", "tools": ["get_order"], "maxIterations": 3},
    {"type": "structured_output", "prompt": "Read", "schema": {"type": "object"}, "outputVariable": "x"},
    {"type": "llm_router", "prompt": "Which?", "routes": ["sales", "support"]},
    {"type": "llm_router", "prompt": "Which?", "routes": {"sales": "buys", "support": "asks"}},
    {"type": "confidence_router", "prompt": "How sure?", "threshold": 0.7},
    {"type": "guardrail", "rules": {"regex": "^[a-z]+$", "length": 100, "deny": ["fool"]}},
    {"type": "guardrail", "prompt": "Is this polite?", "text": "{{answer.text}}"},
    {"type": "function_call", "tool": "get_order", "arguments": {}, "outputVariable": "x"},
    {"type": "data_transform", "expression": "order.items[?price > `10`].name", "outputVariable": "x"},
    {
        "type": "knowledge_retrieval",
        "collection": "faq",
        "query": "{{message}}",
        "topK": 3,
        "outputVariable": "x",
    },
    {"type": "memory_store", "op": "get", "scope": "user", "key": "size", "outputVariable": "x"},
    {
        "type": "memory_store",
        "op": "set",
        "scope": "bot",
        "key": "{{user_id}}",
        "value": {"n": "{{message}}"},
    },
    {"type": "memory_store", "op": "delete", "key": "size"},
    {"type": "wait_delay", "seconds": 60},
    {"type": "wait_delay", "until": "2026-12-01T08:00:00Z"},
    {"type": "sub_workflow", "name": "refunds"},
    {"type": "vision_analyze", "prompt": "What is it?", "outputVariable": "x"},
    {"type": "document_parse", "outputVariable": "x"},
    {"type": "image_generate", "prompt": "A cat", "outputVariable": "x"},
]
VARIABLES: dict[str, Any] = {
    "message": "m",
    "user_name": "Ann",
    "id": 7,
    "when": "now",
    "answer": {"text": "t"},
    "user_id": "u",
}


def around(written: dict[str, Any]) -> dict[str, Any]:
    """The least workflow that a node can be in: every way out that it names leads to one end."""
    data = {name: value for name, value in written.items() if name != "type"}
    handles = written.get("branches") or [str(case) for case in written.get("cases", [])]
    handles = handles or list(written.get("routes", [])) or list(NEEDED.get(written["type"], ()))
    if written.get("logicType") == "if_else":
        handles = ["true", "false"]
    nodes = {"t": trigger(), "n": node(written["type"], **data), "end": send()}
    leads = written["type"] not in ("trigger", "error_handler")
    return workflow(
        nodes, *(["t > n"] if leads else ["t > end"]), *(f"n {handle}> end" for handle in handles or [""])
    )


NEEDED = {
    "action": Exits(needed=("approved", "rejected")).needed,
    "loop": ("body",),
    "confidence_router": ("high", "low"),
    "guardrail": ("pass", "block"),
}


def read(written: dict[str, Any]) -> Node:
    return readable(around(written)).nodes["n"].node


def said(written: dict[str, Any]) -> list[str]:
    found = read_graph(around(written))
    assert not isinstance(found, Graph)
    return [
        str(fault).removeprefix("nodes[1].data") for fault in found if fault.path[:3] == ("nodes", 1, "data")
    ]


@pytest.mark.parametrize("written", ROWS, ids=lambda row: row["type"])
def test_each_row_of_the_table_is_understood(written: dict[str, Any]) -> None:
    assert isinstance(inputs(read(written), VARIABLES), dict)


@pytest.mark.parametrize("written", ROWS, ids=lambda row: row["type"])
def test_a_word_too_many_is_a_fault(written: dict[str, Any]) -> None:
    assert said({**written, "colour": "red"}) == [".colour: unknown field"]


def test_no_row_is_left_out() -> None:
    assert {row["type"] for row in ROWS} == set(KINDS)


@pytest.mark.parametrize(
    ("written", "faults"),
    [
        (
            {"type": "llm_call", "prompt": 5, "outputVariable": ""},
            ["outputVariable: must not be empty", "prompt: must be a text: put it in quotes"],
        ),
        (
            {"type": "llm_call", "prompt": "x" * 50_001, "outputVariable": "x"},
            ["prompt: a text has at most 50000"],
        ),
        (
            {"type": "llm_call", "prompt": "x", "outputVariable": "x", "temperature": 3},
            ["temperature: must be a number"],
        ),
        (
            {"type": "logic", "logicType": "iff"},
            ["condition: required", "logicType: 'iff' is none of if_else or switch"],
        ),
        (
            {"type": "code_block", "code": "x" * 20_001},
            ["code: has at most 20000 characters, this one 20001"],
        ),
        ({"type": "mcp_tool", "tool": "x", "arguments": "y"}, ["arguments: must be a mapping"]),
        ({"type": "mcp_tool", "tool": "x", "arguments": {"a": ["{{"]}}, ["arguments: {{ without }}"]),
        (
            {"type": "action", "actionType": "refund", "reason": "x"},
            ["actionType: 'refund' is none of human_handoff"],
        ),
        (
            {"type": "loop", "itemVariable": "x", "maxIterations": 1000},
            ["items: required", "maxIterations: must be"],
        ),
        (
            {"type": "delegate_to_bot", "target_bot_id": "b", "context": "{"},
            ["context: must be a mapping, or the JSON"],
        ),
        ({"type": "delegate_to_bot", "target_bot_id": "b", "context": "[1]"}, ["context: must be a mapping"]),
        ({"type": "auth_gate", "mode": "allow_list"}, ["allow: required"]),
        ({"type": "auth_gate", "mode": "allow_list", "allow": []}, ["allow: has 1 to 50 items, not 0"]),
        ({"type": "auth_gate", "mode": "code", "allow": "x"}, ["allow: must be a list"]),
        ({"type": "schedule_message", "text": "x"}, [": needs at or delay, exactly one of them"]),
        (
            {"type": "send_proactive", "text": "x", "at": "x", "delay": 1},
            [": needs at or delay", "channel: required"],
        ),
        ({"type": "wait_delay", "seconds": -1}, ["seconds: must be a number from 0"]),
        ({"type": "confidence_router", "prompt": "x"}, ["threshold: required"]),
        ({"type": "guardrail", "rules": {}}, ["rules: must not be empty"]),
        ({"type": "guardrail", "rules": {"regex": "("}}, ["rules.regex: not a regular expression"]),
        ({"type": "guardrail", "rules": {"rgex": "a"}}, ["rules.rgex: unknown field, did you mean regex?"]),
        ({"type": "guardrail"}, [": needs rules or prompt"]),
        ({"type": "memory_store", "op": "set", "key": "x"}, ["value: required for set"]),
        ({"type": "memory_store", "op": "get", "key": "x"}, ["outputVariable: required for get"]),
        (
            {"type": "structured_output", "prompt": "x", "schema": [], "outputVariable": "x"},
            ["schema: must be a mapping"],
        ),
        ({"type": "llm_router", "prompt": "x", "routes": {}}, ["routes: must not be empty"]),
        (
            {"type": "llm_router", "prompt": "x", "routes": ["a", "a", 1.5]},
            ["routes[1]: 'a' stands there twice", "routes[2]: must be"],
        ),
        (
            {"type": "data_transform", "expression": "a" * 2001, "outputVariable": "x"},
            ["expression: an expression has"],
        ),
    ],
)
def test_faults_of_each(written: dict[str, Any], faults: list[str]) -> None:
    found = said(written)
    assert len(found) == len(faults), found
    for each, start in zip(found, faults, strict=True):
        assert each.removeprefix(".").startswith(start), found


def test_inputs_have_the_variables_in_them() -> None:
    tool = {"type": "mcp_tool", "tool": "x", "arguments": {"id": "{{id}}", "to": ["{{user_name}}!"]}}
    assert inputs(read(tool), VARIABLES)["arguments"] == {"id": 7, "to": ["Ann!"]}
    code = inputs(read({"type": "code_block", "code": "'{{user_name}}'"}), VARIABLES)
    assert code == {"code": "'{{user_name}}'", "variables": VARIABLES}


@pytest.mark.parametrize("written", ROWS, ids=lambda row: row["type"])
def test_inputs_are_json(written: dict[str, Any]) -> None:
    node = read(written)
    if vars(type(node)).get("__module__") == flow.__name__ or getattr(node, "rules", None):
        return  # the engine does these itself
    found = inputs(node, VARIABLES)
    assert json.loads(json.dumps(found)) == found


def test_routes_may_say_what_they_are_for() -> None:
    router = read({"type": "llm_router", "prompt": "x", "routes": {"sales": "buys"}})
    assert isinstance(router, LlmRouter)
    assert router.routes == {"sales": "buys"}


@pytest.mark.parametrize(
    ("rules", "text", "passes"),
    [
        ({"length": 5}, "12345", True),
        ({"length": 5}, "123456", False),
        ({"regex": "^[a-z ]+$"}, "all small", True),
        ({"regex": "^[a-z ]+$"}, "Not small", False),
        ({"deny": ["ass", "you fool"]}, "A class of fools", True),
        ({"deny": ["ass", "you fool"]}, "YOU, fool!", False),
    ],
)
def test_guardrails(rules: dict[str, Any], text: str, passes: bool) -> None:  # noqa: FBT001 - a row of a table
    guardrail = read({"type": "guardrail", "rules": rules})
    assert isinstance(guardrail, Guardrail)
    assert guardrail.rules is not None
    assert guardrail.rules.allow(text) is passes


def test_data_is_transformed() -> None:
    order: dict[str, Any] = {"items": [{"name": "cup", "price": 5}, {"name": "pot", "price": 50}]}
    assert transformed("items[?price > `10`].name", order) == ["pot"]
    with pytest.raises(ExpressionError, match="does not fit the data"):
        transformed("sum(items[].name)", order)
