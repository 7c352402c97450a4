"""`handoff`: listed and decided through the running daemon."""

import getpass
import json
from typing import Any

from tests.unit.cli.admin import AdminDouble
from tests.unit.cli.desk import Desk

PENDING = ("GET", "/api/handoffs?decision=pending&limit=50")


def shown(name: str = "ht1.ask", **changes: Any) -> dict[str, Any]:
    return {
        "id": name,
        "decision": "pending",
        "bot": "hello",
        "channel": "custom",
        "user": "ann\x1b[2J",
        "conversation": "c1",
        "run": "rt1",
        "reason": "wants money back",
        "asked_at": "2026-01-01T12:00:00.000Z",
        "decided_at": None,
        "by": "",
        "comment": "",
        **changes,
    }


def test_what_waits_is_listed(desk: Desk) -> None:
    desk.write()
    desk.state.mkdir(exist_ok=True)
    everything = ("GET", "/api/handoffs?limit=3")
    answers = {PENDING: (200, {"handoffs": [shown()]}), everything: (200, {"handoffs": []})}
    with AdminDouble(desk.state, answers):
        done = desk.type("handoff", "list")
        assert done.code == 0
        assert "ht1.ask" in done.out
        assert "wants money back" in done.out
        assert "\x1b" not in done.out
        assert json.loads(desk.type("handoff", "list", "--json").out)["handoffs"] == [shown()]
        assert desk.type("handoff", "list", "--decision", "all", "--limit", "3").out == "There are none.\n"


def test_nothing_waits(desk: Desk) -> None:
    desk.write()
    desk.state.mkdir(exist_ok=True)
    with AdminDouble(desk.state, {PENDING: (200, {"handoffs": []})}):
        assert desk.type("handoff", "list").out == "Nothing waits for a reviewer.\n"


def test_a_decision_is_sent_with_its_comment(desk: Desk) -> None:
    desk.write()
    desk.state.mkdir(exist_ok=True)
    decided = {"error": {"code": "decided", "message": "it was approved before, by ann"}}
    answers = {
        ("POST", "/api/handoffs/ht1.ask/approve"): (200, shown(decision="approved")),
        ("POST", "/api/handoffs/h%2F2/reject"): (200, shown("h/2", decision="rejected", user="ann")),
        ("POST", "/api/handoffs/ht1.ask/reject"): (409, decided),
    }
    with AdminDouble(desk.state, answers) as daemon:
        done = desk.type("handoff", "approve", "ht1.ask", "--comment", "once, as goodwill")
        assert (done.code, done.out[:19]) == (0, "ht1.ask is approved")
        assert "\x1b" not in done.out
        done = desk.type("handoff", "reject", "h/2", "--by", "bob")
        assert done.out == "h/2 is rejected: hello goes on with ann\n"
        late = desk.type("handoff", "reject", "ht1.ask")
        assert (late.code, late.err) == (1, "error: it was approved before, by ann\n")
        told = desk.type("handoff", "approve", "ht1.ask", "--json")
        assert json.loads(told.out)["decision"] == "approved"
    me = getpass.getuser()
    assert [body for method, _, body in daemon.asked if method == "POST"] == [
        {"comment": "once, as goodwill", "by": me},
        {"comment": "", "by": "bob"},
        {"comment": "", "by": me},
        {"comment": "", "by": me},
    ]


def test_without_a_daemon_nothing_is_decided(desk: Desk) -> None:
    desk.write()
    done = desk.type("handoff", "approve", "ht1.ask")
    assert done.code == 1
    assert "no daemon is running" in done.err
