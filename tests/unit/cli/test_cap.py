"""cap."""

import json

import pytest
import typer

from runner.cli.cap import read_cap
from tests.unit.cli.admin import HELLO, AdminDouble
from tests.unit.cli.desk import BOTS, Call, Desk


@pytest.mark.parametrize(
    ("text", "cents"),
    [
        ("5.00", 500),
        ("5", 500),
        ("$0.5", 50),
        ("0", 0),
        ("0.01", 1),
        ("9000000", 900_000_000),
        ("None", None),
    ],
)
def test_amounts(text: str, cents: int | None) -> None:
    assert read_cap(text) == cents


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5.001",
        "-1",
        "5,00",
        "1e3",
        "9000000.01",
        "99999999",
        "five",
        "\N{ARABIC-INDIC DIGIT FIVE}",
        "5.",
        "5 ",
    ],
)
def test_what_is_no_cap(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        read_cap(text)


def test_without_a_daemon_the_file_is_changed_and_nothing_else_in_it(desk: Desk) -> None:
    desk.write()
    done = desk.type("cap", "hello", "2.50")
    assert done.out == "hello has a cap of 2.50 USD now; 0.00 USD are spent or set aside\n"
    assert desk.bots_yaml.read_text(encoding="utf-8") == BOTS.replace("100", "250", 1)
    assert desk.type("cap", "hello", "none").out.startswith("hello has no cap now")
    assert desk.bots_yaml.read_text(encoding="utf-8") == BOTS.replace("100", "null", 1)


def test_it_tells_what_is_spent(desk: Desk) -> None:
    desk.write()
    desk.keep([Call("a", 1, 1_230_000_000_000)])
    done = desk.type("cap", "hello", "3", "--json")
    assert json.loads(done.out) == {"bot": "hello", "spending_cap_cents": 300, "spent_usd": "1.23"}


def test_a_file_with_other_problems_can_still_get_a_cap(desk: Desk) -> None:
    desk.write(BOTS.replace("You are kind.", "${UNHEARD_OF}"))
    done = desk.type("cap", "hello", "2")
    assert (done.code, done.out) == (0, "hello has a cap of 2.00 USD now\n")


def test_an_unknown_bot(desk: Desk) -> None:
    desk.write()
    done = desk.type("cap", "helo", "2")
    assert done.code == 1
    assert "did you mean hello?" in done.err
    assert desk.bots_yaml.read_text(encoding="utf-8") == BOTS


def test_a_bad_amount_is_usage(desk: Desk) -> None:
    desk.write()
    assert desk.type("cap", "hello", "2.505").code == 2


def test_a_daemon_is_asked_to_do_it(desk: Desk, admin: AdminDouble) -> None:
    desk.write()
    admin.answers["PATCH", "/api/bots/hello"] = (200, {**HELLO, "spending_cap_cents": 700})
    done = desk.type("cap", "hello", "7.00")
    assert done.out == "hello has a cap of 7.00 USD now; 0.50 USD are spent or set aside\n"
    assert admin.asked[-1] == ("PATCH", "/api/bots/hello", {"spending_cap_cents": 700})
    assert desk.bots_yaml.read_text(encoding="utf-8") == BOTS


def test_a_daemon_that_cannot_write_says_why(desk: Desk, admin: AdminDouble) -> None:
    desk.write()
    refusal = {"error": {"code": "not_written", "message": "bots.yaml: is read-only", "details": []}}
    admin.answers["PATCH", "/api/bots/hello"] = (409, refusal)
    done = desk.type("cap", "hello", "7.00")
    assert (done.code, done.err) == (1, "error: bots.yaml: is read-only\n")


def test_a_daemon_without_that_bot(desk: Desk, admin: AdminDouble) -> None:
    desk.write()
    done = desk.type("cap", "helo", "7.00")
    assert (done.code, done.err) == (1, "error: there is no bot 'helo', did you mean hello?\n")
    assert [method for method, _, _ in admin.asked] == ["GET"]
