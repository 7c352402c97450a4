"""chat."""

import json

import pytest

from runner.cli.chat import figures, greeting
from tests.unit.cli.admin import AdminDouble
from tests.unit.cli.desk import BOTS, Desk

ANSWER = {
    "response": "Hi \x1b[2Jthere",
    "tokens": {"input": 100, "output": 20, "cache_read": 60},
    "cost_usd": "0.0012",
    "latency_ms": 345,
    "stop_reason": "answered",
    "tool_calls": [],
    "route": {"provider": "openai", "model": "gpt-4o-mini", "route": "default", "reason": ""},
}


def test_one_message_without_a_daemon_walks_the_whole_pipeline(desk: Desk) -> None:
    desk.write()
    done = desk.type("chat", "hello", "--message", "How are you?")
    assert done.code == 0
    assert "How are you?" in done.out
    assert "USD" in done.out.splitlines()[-1]
    assert json.loads(desk.type("usage", "--json").out)["total"]["calls"] == 1
    assert desk.type("ledger", "verify").code == 0


def test_lines_of_stdin(desk: Desk) -> None:
    desk.write()
    done = desk.type("chat", "hello", "--json", stdin="one\n\n/help\n/quit\nnever\n")
    answers = [json.loads(line) for line in done.out.splitlines()]
    assert len(answers) == 2
    assert "one" in answers[0]["response"]
    assert answers[0]["route"]["model"] == "echo"
    assert answers[1]["route"] is None


def test_an_unknown_bot(desk: Desk) -> None:
    desk.write()
    done = desk.type("chat", "helo", "-m", "Hi")
    assert (done.code, done.err) == (1, "error: there is no bot 'helo', did you mean hello?\n")
    assert "there are: hello, resting" in desk.type("chat", "zzz", "-m", "Hi").err


def test_a_bot_that_is_not_enabled(desk: Desk) -> None:
    desk.write()
    done = desk.type("chat", "resting", "-m", "Hi")
    assert done.code == 1
    assert "is not enabled" in done.err


def test_a_faulty_file(desk: Desk) -> None:
    desk.write(BOTS.replace("llm_model", "llm_modle", 1))
    done = desk.type("chat", "hello", "-m", "Hi")
    assert done.code == 1
    assert done.err.startswith("error: bots.yaml cannot be used, 1 problem:\nbots.yaml:5: ")


def test_an_empty_message(desk: Desk) -> None:
    desk.write()
    assert desk.type("chat", "hello", "-m", " ").code == 1


def test_through_the_daemon(desk: Desk, admin: AdminDouble) -> None:
    admin.answers["POST", "/api/bots/hello/chat"] = (200, ANSWER)
    done = desk.type("chat", "hello", "-m", "Hi")
    assert done.out.splitlines() == [
        "Hi \N{REPLACEMENT CHARACTER}[2Jthere",
        "100 tokens in (60 cached), 20 out · 0.0012 USD · 345 ms · openai/gpt-4o-mini",
    ]
    assert admin.asked[-1] == ("POST", "/api/bots/hello/chat", {"message": "Hi", "user_id": "terminal"})


def test_the_daemon_refuses(desk: Desk, admin: AdminDouble) -> None:
    admin.answers["POST", "/api/bots/hello/chat"] = (
        429,
        {"error": {"code": "x", "message": "Too Many Requests"}},
    )
    done = desk.type("chat", "hello", "-m", "Hi")
    assert (done.code, done.err) == (1, "error: Too Many Requests\n")


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        (
            {"route": {"provider": "a", "model": "b", "route": "fallback", "reason": "openai is away"}},
            "fallback: openai is away",
        ),
        ({"route": {"provider": "a", "model": "b", "route": "cheap"}}, "cheap"),
        ({"tool_calls": [{"toolName": "get_order"}, {"toolName": "ship"}]}, "tools: get_order, ship"),
        ({"stop_reason": "timeout"}, "ended by: timeout"),
    ],
)
def test_what_else_the_line_tells(change: dict[str, object], shown: str) -> None:
    assert figures({**ANSWER, **change}).endswith(f" · {shown}")


def test_an_answer_without_a_model() -> None:
    assert figures({**ANSWER, "route": None}) == "no model was called, 345 ms"


def test_the_greeting_names_the_commands() -> None:
    assert greeting("hello").startswith("You are talking to hello. /start")
