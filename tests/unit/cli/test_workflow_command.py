"""workflow: drawn from the file; runs, their traces and passes through the running daemon."""

import json
from typing import Any

from tests.unit.cli.admin import AdminDouble
from tests.unit.cli.desk import Desk

DRAWN = """\
bots:
  shop:
    platform: custom
    llm_provider: echo
    llm_model: echo
    workflow_enabled: true
    workflow:
      nodes:
        - {id: start, type: trigger}
        - {id: hello, type: send_message, data: {text: "Hi"}}
      edges: [{source: start, target: hello}]
  plain: {platform: custom, llm_provider: echo, llm_model: echo}
"""
RUN: dict[str, Any] = {
    "id": "rt1",
    "bot": "hello",
    "channel": "custom",
    "user": "ann\x1b[2J",
    "conversation": "c1",
    "status": "waiting",
    "waiting_for": "a reviewer",
    "started_at": "2026-01-01T12:00:00.000Z",
    "at": "2026-01-01T12:00:01.000Z",
}
NODE = {
    "node": "ask",
    "type": "llm_call",
    "step": "2",
    "inputs": "{}",
    "output": '{"text": "hm\x1b"}',
    "handle": "",
    "tokens_input": 3,
    "tokens_output": 1,
    "cost_usd": "0.0021",
    "ms": 640,
    "failure": None,
}


def told(desk: Desk, answers: dict[tuple[str, str], tuple[int, Any]], *typed: str) -> str:
    desk.write()
    desk.state.mkdir(exist_ok=True)
    with AdminDouble(desk.state, answers):
        done = desk.type("workflow", *typed)
    assert (done.code, done.err) == (0, "")
    assert "\x1b" not in done.out
    return done.out


def test_a_workflow_is_drawn(desk: Desk) -> None:
    desk.write(DRAWN)
    done = desk.type("workflow", "show", "shop")
    assert done.out.splitlines() == [
        "flowchart TD",
        '    n0(["start · trigger"])',
        '    n1["hello · send_message"]',
        "    n0 --> n1",
    ]
    none = desk.type("workflow", "show", "plain")
    assert (none.code, none.err.splitlines()[0]) == (1, "error: bot plain has no workflow")


def test_runs_are_listed(desk: Desk) -> None:
    which = ("GET", "/api/bots/hello/runs?limit=20")
    out = told(desk, {which: (200, {"runs": [RUN]})}, "runs", "hello")
    assert "rt1" in out
    assert "a reviewer" in out
    assert told(desk, {which: (200, {"runs": []})}, "runs", "hello") == "It has not run yet.\n"
    assert json.loads(told(desk, {which: (200, {"runs": []})}, "runs", "hello", "--json")) == {"runs": []}


def test_a_run_is_told_node_by_node(desk: Desk) -> None:
    answers = {("GET", "/api/runs/rt1"): (200, {**RUN, "trace": [NODE]})}
    lines = told(desk, answers, "trace", "rt1").splitlines()
    assert lines[0].endswith(": waiting, waits for a reviewer")
    assert [word for word in ("ask", "llm_call", "640 ms", "0.0021") if word not in lines[2]] == []
    assert json.loads(told(desk, answers, "trace", "rt1", "--json").replace("\\u001b", ""))["id"] == "rt1"


def test_a_pass_is_printed_once(desk: Desk) -> None:
    path = ("POST", "/api/bots/hello/passes")
    answers = {path: (201, {"text": "123456", "until": "2026-01-01T13:00:00.000Z"})}
    assert told(desk, answers, "pass", "hello", "--user", "4711") == "123456\n"
    assert json.loads(told(desk, answers, "pass", "hello", "--identity", "x", "--json"))["text"] == "123456"


def test_a_pass_is_for_somebody(desk: Desk) -> None:
    desk.write()
    done = desk.type("workflow", "pass", "hello")
    assert done.code == 2
    assert "--user" in done.err
