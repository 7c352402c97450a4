"""`batch`: what is typed becomes a call of the admin API, what it answers becomes lines."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.cli import batch as command
from tests.unit.cli.admin import AdminDouble
from tests.unit.cli.desk import Desk

HERE = "/api/bots/hello/batches"
MADE = {
    "id": "b1",
    "bot": "hello",
    "state": "held",
    "lines": 2,
    "reached": 0,
    "waiting": 2,
    "answered": 0,
    "not_run": 0,
    "unknown": 0,
    "llm_model": "m",
    "schedule": None,
    "created_at": "2026-11-22T10:00:00.000Z",
    "ended_at": None,
    "cost_usd": "0.00",
    "held_usd": "0.02",
    "unknown_cost_usd": "0.00",
    "saved_usd": "0.00",
    "why": "",
}
DONE = {
    **MADE,
    "state": "done",
    "reached": 2,
    "waiting": 0,
    "answered": 2,
    "cost_usd": "0.01",
    "held_usd": "0.00",
}
PROMPTS = '{"custom_id": "a", "prompt": "x"}\n\n{"custom_id": "b", "prompt": "é"}\n'


@pytest.fixture
def admin(desk: Desk) -> Iterator[AdminDouble]:
    desk.write()
    desk.state.mkdir()
    with AdminDouble(desk.state) as double:
        double.answers["POST", HERE] = (201, MADE)
        double.answers["GET", "/api/batches/b1"] = (200, DONE)
        yield double


@pytest.fixture
def prompts(desk: Desk) -> Path:
    path = desk.folder / "prompts.jsonl"
    path.write_text(PROMPTS, encoding="utf-8")
    return path


def test_a_file_is_handed_in(desk: Desk, admin: AdminDouble, prompts: Path) -> None:
    done = desk.type("batch", "submit", "hello", str(prompts), "--key", "k")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("b1: 2 lines are handed in, 0.02 USD are held")
    lines = [json.loads(line) for line in PROMPTS.splitlines() if line]
    assert admin.asked[-1] == ("POST", HERE, {"lines": lines, "key": "k"})


def test_stdin_is_a_file_too(desk: Desk, admin: AdminDouble) -> None:
    done = desk.type("batch", "submit", "hello", "-", "--json", stdin=PROMPTS)
    assert json.loads(done.out) == MADE
    assert len(admin.asked[-1][2]["lines"]) == 2


def test_all_faults_of_a_file_are_told_with_their_lines(desk: Desk, admin: AdminDouble) -> None:
    text = '{"custom_id": "a"}\nodd\n\n{"custom_id": "a", "prompt": "x", "max": 1}\n[]\n'
    (desk.folder / "p.jsonl").write_text(text, encoding="utf-8")
    done = desk.type("batch", "submit", "hello", "p.jsonl")
    assert done.code == 1
    told = done.err.splitlines()
    assert told[0] == "error: p.jsonl cannot be used, 5 faults:"
    places = [line.partition(": ")[0] for line in told[1:]]
    assert places == ["p.jsonl:1", "p.jsonl:2", "p.jsonl:4", "p.jsonl:4", "p.jsonl:5"]
    assert admin.asked == []


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [("none.jsonl", None, "cannot be read"), ("empty.jsonl", "\n", "there are no lines")],
)
def test_a_file_that_is_none(desk: Desk, admin: AdminDouble, name: str, text: str | None, why: str) -> None:
    if text is not None:
        (desk.folder / name).write_text(text, encoding="utf-8")
    done = desk.type("batch", "submit", "hello", name)
    assert (done.code, why in done.err, admin.asked) == (1, True, [])


def test_a_refusal_is_in_the_daemons_words(desk: Desk, admin: AdminDouble, prompts: Path) -> None:
    error = {"code": "limit_reached", "message": "more than is left", "details": []}
    admin.answers["POST", HERE] = (402, {"error": error})
    done = desk.type("batch", "submit", "hello", str(prompts))
    assert (done.code, done.err) == (1, "error: more than is left\n")


def test_without_a_daemon_nothing_is_handed_in(desk: Desk, prompts: Path) -> None:
    desk.write()
    done = desk.type("batch", "submit", "hello", str(prompts))
    assert (done.code, "no daemon is running" in done.err) == (1, True)


@pytest.mark.parametrize(("state", "code"), [("done", 0), ("failed", 1)])
def test_whoever_waits_is_told_the_end(
    desk: Desk, admin: AdminDouble, prompts: Path, state: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(command, "_waited", _with(command._waited, pauses.append))
    admin.answers["GET", "/api/batches/b1"] = (200, {**DONE, "state": state, "why": "odd"})
    done = desk.type("batch", "submit", "hello", str(prompts), "--wait")
    assert (done.code, pauses) == (code, [command.LOOK_S])
    assert f"b1 of hello: {state}" in done.out
    assert "2 of 2 lines" in done.out
    assert "what is amiss: odd" in done.out
    waited = desk.type("batch", "status", "b1", "--wait", "--json")
    assert (json.loads(waited.out)["state"], waited.code) == (state, code)


def _with(waited: Any, pause: Any) -> Any:
    return lambda daemon, batch: waited(daemon, batch, pause)


def test_batches_are_listed_and_shown(desk: Desk, admin: AdminDouble) -> None:
    admin.answers["GET", "/api/batches"] = (
        200,
        {"batches": [MADE, {**DONE, "id": "b2", "schedule": "night"}]},
    )
    listed = desk.type("batch", "status").out.splitlines()
    assert [line.split()[:3] for line in listed[1:]] == [["b1", "hello", "held"], ["b2", "hello", "done"]]
    assert ("0/2" in listed[1], "2/2" in listed[2], "night" in listed[2]) == (True, True, True)
    assert "cost, USD: 0.01" in desk.type("batch", "status", "b1").out
    admin.answers["GET", "/api/batches"] = (200, {"batches": []})
    assert desk.type("batch", "status").out == "There are no batches.\n"
    assert json.loads(desk.type("batch", "status", "--json").out) == {"batches": []}
    assert desk.type("batch", "status", "--wait").code == 2


def test_results_come_page_by_page(desk: Desk, admin: AdminDouble) -> None:
    path = f"{HERE}/b1/results?after={{}}&limit=1000"
    admin.answers["GET", path.format(0)] = (200, {"results": [{"custom_id": "a"}], "next": 1})
    admin.answers["GET", path.format(1)] = (200, {"results": [{"custom_id": "é"}], "next": None})
    printed = desk.type("batch", "results", "b1")
    assert [json.loads(line)["custom_id"] for line in printed.out.splitlines()] == ["a", "é"]
    assert printed.err == ""
    admin.answers["GET", "/api/batches/b1"] = (200, MADE)
    written = desk.type("batch", "results", "b1", "--out", "answers.jsonl")
    assert (written.code, written.out) == (0, "")
    assert written.err == "the results are in answers.jsonl\n2 of 2 lines have no result yet\n"
    assert (desk.folder / "answers.jsonl").read_text(encoding="utf-8") == printed.out
    nowhere = desk.type("batch", "results", "b1", "--out", "missing/answers.jsonl")
    assert (nowhere.code, "cannot be written" in nowhere.err) == (1, True)


def test_a_batch_is_stopped(desk: Desk, admin: AdminDouble) -> None:
    admin.answers["POST", f"{HERE}/b1/cancel"] = (200, {**MADE, "cancel_asked": True})
    assert desk.type("batch", "cancel", "b1").out.startswith("b1 is being stopped")
    assert json.loads(desk.type("batch", "cancel", "b1", "--json").out)["cancel_asked"]
    assert desk.type("batch", "cancel", "b2").code == 1
