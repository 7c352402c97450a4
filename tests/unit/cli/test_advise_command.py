"""advise."""

import json
from dataclasses import replace

import pytest

from runner.clock import MS_PER_DAY, SystemClock
from runner.money.usage import Usage
from tests.unit.cli.desk import BOTS, Call, Desk

CENT = 10**10
PRICES = """\
prices:
  echo: {input: "100", output: "500"}
  echo-mini: {input: "10", output: "50"}
"""


@pytest.fixture(autouse=True)
def file(desk: Desk) -> None:
    desk.write(PRICES + BOTS)


@pytest.fixture
def ledger(desk: Desk) -> None:
    """A hundred and twenty answers of two cents each, one of them long, over six days."""
    now = SystemClock().now_ms()
    plain = Call("", 0, 2 * CENT, usage=Usage(100, 20))
    calls = [replace(plain, id=f"a{at}", time_ms=now - at % 6 * MS_PER_DAY) for at in range(120)]
    calls[7] = replace(calls[7], cost=52 * CENT, usage=Usage(100, 1020))
    desk.keep([replace(call, user=f"u{at % 10}") for at, call in enumerate(calls)])


@pytest.mark.usefixtures("ledger")
def test_what_would_have_cost_less(desk: Desk) -> None:
    done = desk.type("advise")
    lines = done.out.splitlines()
    assert done.code == 0
    assert lines[0].endswith("(UTC): 120 model calls, 2.90 USD")
    assert " ".join(lines[1].split()) == "would have saved bot what write in bots.yaml, or run"
    model, limit = (line.strip() for line in lines[2:4])
    assert model.startswith(
        "2.61 USD  hello  answer with echo-mini in place of echo; quality is not measured"
    )
    assert " | 120 calls with 15,400 tokens cost 2.90 USD, at its prices 0.29 USD" in model
    assert model.endswith("llm_model: echo-mini | bots.hello")
    assert limit.startswith("0.382 USD  hello  limit answers to 256 tokens")
    assert lines[-1].startswith("Sums overlap")


@pytest.mark.usefixtures("ledger")
def test_json(desk: Desk) -> None:
    said = json.loads(desk.type("advise", "hello", "--days", "7", "--json").out)
    assert said["spent"] == [{"bot": "hello", "cost_usd": "2.90", "calls": 120}]
    assert [one["kind"] for one in said["advice"]] == ["model", "max_tokens"]
    assert said["advice"][1] == {
        "kind": "max_tokens",
        "bot": "hello",
        "would_have_saved_usd": "0.382",
        "what": "limit answers to 256 tokens: it would have cut 1 of them",
        "evidence": "output tokens of 120 answers: 50 % at most 20, 95 % at most 20, 99 % at most 20, the longest "
        "1,020; the limit is 8,192",
        "where": "bots.hello",
        "write": "max_tokens_per_turn: 256",
        "run": "",
        "estimate": False,
        "calls": 120,
        "tokens": 0,
    }
    assert said["warnings"] == []
    today = json.loads(desk.type("advise", "--days", "1", "--json").out)
    assert today["from"] == today["to"]
    assert today["spent"][0]["calls"] < 120


def test_a_jump_is_told_first(desk: Desk) -> None:
    now = SystemClock().now_ms()
    plain = Call("", 0, CENT, usage=Usage(100, 20))
    days = [(day, number) for day in range(16) for number in range(4 if day > 6 else 5)]
    desk.keep(
        [
            replace(
                plain,
                id=f"{day}-{number}",
                time_ms=now - day * MS_PER_DAY,
                usage=Usage(100 if day > 2 else 900, 20),
            )
            for day, number in days
        ]
    )
    lines = desk.type("advise", "--days", "3").out.splitlines()
    # Not the figure itself: it is another one should midnight come between here and there.
    assert lines[1].startswith("warning: hello: input tokens a call: ")
    assert ", usually 100 (+" in lines[1]
    said = json.loads(desk.type("advise", "hello", "--json").out)
    assert [one["kind"] for one in said["warnings"]] == ["jump"]


def test_a_bot_that_was_never_asked(desk: Desk) -> None:
    desk.keep([Call("x", SystemClock().now_ms(), CENT, usage=Usage(100, 20))])
    done = desk.type("advise", "resting")
    assert (done.code, done.out.splitlines()[1]) == (0, "No model was called.")


def test_nothing_to_advise(desk: Desk) -> None:
    desk.write(BOTS)
    desk.keep([Call("x", SystemClock().now_ms(), CENT, bot="resting", usage=Usage(100, 20))])
    assert desk.type("advise", "resting").out.splitlines()[1:] == ["There is nothing to advise."]


@pytest.mark.parametrize(("arguments", "code"), [(["helo"], 1), (["--days", "0"], 2), (["--days", "400"], 2)])
def test_what_is_not_understood(desk: Desk, arguments: list[str], code: int) -> None:
    done = desk.type("advise", *arguments)
    assert (done.code, done.out) == (code, "")


def test_a_bot_that_was_probably_meant(desk: Desk) -> None:
    assert "did you mean hello" in desk.type("advise", "helo").err


def test_a_name_from_outside_cannot_steer_the_terminal(desk: Desk) -> None:
    now = SystemClock().now_ms()
    evil = Call("e", now, 500 * CENT, user="\x1b]0;owned\x07", usage=Usage(100, 20))
    desk.keep([evil, Call("f", now, CENT, usage=Usage(100, 20))])
    done = desk.type("advise")
    assert "owned" in done.out
    assert "\x1b" not in done.out
