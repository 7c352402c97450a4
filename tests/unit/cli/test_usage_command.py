"""usage."""

import csv
import json
from dataclasses import replace

import pytest
import typer

from runner.cli.usage import read_day, read_groupings
from runner.money.reservation import ReservationState
from runner.money.usage import Usage
from tests.unit.cli.desk import Call, Desk

DAY = 86_400_000
FIRST = read_day("2026-11-20", "--from") * DAY
CENT = 10**10
CALLS = [
    Call("a", FIRST, 30 * CENT, usage=Usage(100, 10, cache_read_tokens=50)),
    Call("b", FIRST + DAY - 1, 10 * CENT, number=2, usage=Usage(100, 5)),
    Call("c", FIRST + DAY, 5 * CENT, bot="other", user="ben", usage=Usage(1000, 1)),
    Call("d", FIRST + 3 * DAY, 7 * CENT, state=ReservationState.UNKNOWN),
]


@pytest.fixture(autouse=True)
def ledger(desk: Desk) -> None:
    desk.write()
    desk.keep(CALLS)


def groups(desk: Desk, *arguments: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(desk.type("usage", "--json", *arguments).out)["groups"]
    return found


def test_by_bot_and_model_dearest_first(desk: Desk) -> None:
    lines = [line.split() for line in desk.type("usage").out.splitlines()]
    assert (
        " ".join(lines[0])
        == "bot model calls retries input output cached cost USD saved USD may have cost share"
    )
    assert lines[1][:9] == ["hello", "echo", "3", "1", "200", "15", "25", "%", "0.40"]
    assert lines[2][:9] == ["other", "echo", "1", "0", "1,000", "1", "0", "%", "0.05"]
    assert lines[3] == ["total", "4", "1", "1,200", "16", "4", "%", "0.45", "0.000045", "0.07"]


def test_days_in_their_order(desk: Desk) -> None:
    found = groups(desk, "--by", "day")
    assert [(group["day"], group["cost_usd"]) for group in found] == [
        ("2026-11-20", "0.40"),
        ("2026-11-21", "0.05"),
        ("2026-11-23", "0.00"),
    ]
    assert found[2]["unknown_usd"] == "0.07"


@pytest.mark.parametrize(
    ("arguments", "calls"),
    [
        (["--from", "2026-11-21"], 2),
        (["--to", "2026-11-20"], 2),
        (["--from", "2026-11-21", "--to", "2026-11-21"], 1),
        (["--bot", "other"], 1),
    ],
)
def test_some_of_it(desk: Desk, arguments: list[str], calls: int) -> None:
    said = json.loads(desk.type("usage", "--json", *arguments).out)
    assert said["total"]["calls"] == calls


def test_csv(desk: Desk) -> None:
    done = desk.type("usage", "--csv", "--by", "user")
    rows = list(csv.DictReader(done.out.splitlines()))
    assert [(row["user"], row["cost_usd"], row["cache_hit_percent"]) for row in rows] == [
        ("ann", "0.40", "25"),
        ("ben", "0.05", "0"),
    ]


def test_what_was_saved(desk: Desk) -> None:
    rows = "prices: {echo: {input: '1', output: '5', cache_read: '0.10', cache_write_5m: '1.25'}}\n"
    desk.write(rows + desk.bots_yaml.read_text(encoding="utf-8"))
    wrote = Usage(1000, 10, cache_write_5m_tokens=1000)
    desk.keep(
        [
            replace(CALLS[0], id="e", bot="other", user="eve", usage=wrote),
            replace(CALLS[0], id="f", bot="other", user="eve", cost=0, usage=Usage(), route="cache"),
        ]
    )
    other, hello = sorted(groups(desk, "--by", "bot"), key=lambda group: str(group["bot"]), reverse=True)
    assert (hello["cache_saved_usd"], hello["saved_usd"]) == ("0.000045", "0.000045")
    assert other["cache_saved_usd"] == "-0.00025"
    # Its two other calls cost 0.35 together.
    assert (other["kept_answers"], other["kept_answers_saved_usd"]) == (1, "0.175")
    assert (other["batch_saved_usd"], other["saved_usd"]) == ("0.00", "0.17475")
    line = next(line for line in desk.type("usage", "--by", "user").out.splitlines() if "eve" in line)
    assert line.split()[6:10] == ["%", "0.30", "0.17475", "0.00"]


def test_nothing_found(desk: Desk) -> None:
    assert desk.type("usage", "--from", "2030-01-01").out == "No model was called.\n"


def test_a_name_from_outside_cannot_steer_the_terminal(desk: Desk) -> None:
    desk.keep([replace(CALLS[0], id="e", user="\x1b]0;owned\x07")])
    assert "\x1b" not in desk.type("usage", "--by", "user").out


@pytest.mark.parametrize("arguments", [["--by", "modle"], ["--from", "21.11.2026"], ["--json", "--csv"]])
def test_what_is_not_understood(desk: Desk, arguments: list[str]) -> None:
    done = desk.type("usage", *arguments)
    assert (done.code, done.out) == (2, "")


def test_groupings() -> None:
    assert read_groupings(" bot , day,bot,") == ("bot", "day")
    with pytest.raises(typer.BadParameter, match="did you mean model"):
        read_groupings("modle")


def test_a_store_that_keeps_nothing(desk: Desk) -> None:
    desk.write("store: {url: 'memory:'}\n" + desk.bots_yaml.read_text(encoding="utf-8"))
    done = desk.type("usage")
    assert (done.code, done.err.splitlines()[0]) == (1, "error: the store is memory: and keeps nothing")
