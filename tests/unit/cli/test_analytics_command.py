"""analytics: a bot by day."""

import csv
import io
import json

import pytest

from runner.money.reservation import ReservationState
from runner.money.usage import Usage
from tests.unit.cli.desk import Call, Desk

NEW_YEAR = 1_767_225_600_000
"""2026-01-01T00:00Z."""
DAY = 86_400_000


@pytest.fixture(autouse=True)
def ledger(desk: Desk) -> None:
    desk.write()
    desk.keep(
        [
            Call("a", NEW_YEAR, 5 * 10**10, usage=Usage(100, 20)),
            Call("b", NEW_YEAR + 2 * DAY, 10**10, usage=Usage(7, 3)),
            Call("c", NEW_YEAR + 2 * DAY, 10**10, ReservationState.UNKNOWN),
            Call("d", NEW_YEAR, 9 * 10**10, bot="resting"),
        ]
    )


def test_each_day_is_a_line_and_all_of_them_the_last(desk: Desk) -> None:
    done = desk.type("analytics", "hello", "--from", "2026-01-01", "--to", "2026-01-03")
    assert done.code == 0
    lines = done.out.splitlines()
    assert [line.split()[0] for line in lines[1:5]] == ["2026-01-01", "2026-01-02", "2026-01-03", "all"]
    assert lines[1].split()[4:7] == ["100", "20", "0.05"]
    assert lines[4].split()[4:7] == ["107", "23", "0.06"]
    assert lines[5] == "0.01 USD more may have been charged"


def test_as_callers_of_the_api_see_it(desk: Desk) -> None:
    said = json.loads(desk.type("analytics", "hello", "--to", "2026-01-03", "--json").out)
    assert len(said["daily"]) == 30
    assert said["summary"]["total_cost_usd"] == "0.06"
    text = desk.type("analytics", "hello", "--from", "2026-01-03", "--to", "2026-01-03", "--csv").out
    [day] = csv.DictReader(io.StringIO(text))
    assert (day["date"], day["total_cost_usd"], day["unknown_cost_usd"]) == ("2026-01-03", "0.01", "0.01")


@pytest.mark.parametrize(
    "wrong",
    [
        ["--from", "2026-01-02", "--to", "2026-01-01"],
        ["--from", "2020-01-01"],
        ["--to", "soon"],
        ["--json", "--csv"],
    ],
)
def test_days_that_are_none(desk: Desk, wrong: list[str]) -> None:
    assert desk.type("analytics", "hello", *wrong).code == 2


def test_no_such_bot(desk: Desk) -> None:
    done = desk.type("analytics", "helo")
    assert done.code == 1
    assert "hello" in done.err
