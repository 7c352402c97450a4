"""wallet, and what an operator puts right in the ledger: here in the store itself, and through a daemon."""

import csv
import io
import json

import pytest

from runner.money.reservation import ReservationState
from tests.unit.cli.admin import AdminDouble
from tests.unit.cli.desk import Call, Desk

UNKNOWN = ReservationState.UNKNOWN


@pytest.fixture(autouse=True)
def shop(desk: Desk) -> None:
    desk.write()


def test_no_wallet_is_pay_as_you_go(desk: Desk) -> None:
    done = desk.type("wallet", "show")
    assert done.code == 0
    assert "pay as you go" in done.out
    assert json.loads(desk.type("wallet", "show", "--json").out)["active"] is False


def test_the_same_key_pays_in_once(desk: Desk) -> None:
    for _ in range(2):
        done = desk.type("wallet", "top-up", "$20.00", "--key", "bill-1", "--note", "for Ann")
        assert done.code == 0
        assert done.out.endswith("20.00 USD are left\n")
    other = desk.type("wallet", "top-up", "21", "--key", "bill-1")
    assert (other.code, other.err) == (1, "error: the key 'bill-1' paid in 20.00 USD before\n")
    desk.type("wallet", "top-up", "0.5")
    wallet = json.loads(desk.type("wallet", "show", "--json").out)
    assert (wallet["balance_usd"], wallet["total_purchased_usd"]) == ("20.50", "20.50")
    paid = json.loads(desk.type("wallet", "history", "--json").out)["top_ups"]
    assert [line["amount_usd"] for line in paid] == ["0.50", "20.00"]
    assert "for Ann" in desk.type("wallet", "history").out


@pytest.mark.parametrize("amount", ["0", "nothing", "1e9"])
def test_no_such_amount(desk: Desk, amount: str) -> None:
    assert desk.type("wallet", "top-up", amount).code == 2


def test_an_unknown_call_is_put_right_once(desk: Desk) -> None:
    desk.keep([Call("a", 1, 5 * 10**10, UNKNOWN), Call("b", 2, 10**10), Call("c", 3, 10**10, UNKNOWN)])
    listed = json.loads(desk.type("ledger", "reconcile", "--json").out)["unknown"]
    assert [(call["attempt"], call["held_usd"]) for call in listed] == [("a", "0.05"), ("c", "0.01")]
    done = desk.type("ledger", "reconcile", "a", "--cost", "0.02", "--reason", "on the bill")
    assert (done.code, done.out) == (0, "a: 0.05 USD of unknown fate are 0.02 USD now\n")
    assert desk.type("ledger", "reconcile", "c", "--released", "--reason", "not on the bill").code == 0
    again = desk.type("ledger", "reconcile", "a", "--released", "--reason", "no")
    assert (again.code, again.err) == (1, "error: attempt a was corrected before\n")
    settled = desk.type("ledger", "reconcile", "b", "--released", "--reason", "no")
    assert "only one of unknown fate" in settled.err
    assert desk.type("ledger", "reconcile").out == "There is no call of unknown fate.\n"
    assert desk.type("ledger", "verify").code == 0


@pytest.mark.parametrize(
    "wrong",
    [
        ["a", "--reason", "x"],
        ["a", "--cost", "1", "--released", "--reason", "x"],
        ["a", "--cost", "1"],
        ["a", "--cost", "-1", "--reason", "x"],
    ],
)
def test_a_correction_says_what_and_why(desk: Desk, wrong: list[str]) -> None:
    assert desk.type("ledger", "reconcile", *wrong).code == 2


def test_export(desk: Desk) -> None:
    desk.keep([Call("a", 1, 5 * 10**10, user="=1+1"), Call("b", 86_400_000, 10**10, UNKNOWN, bot="other")])
    desk.type("ledger", "reconcile", "b", "--released", "--reason", "not on the bill")
    rows = list(csv.DictReader(io.StringIO(desk.type("ledger", "export").out)))
    assert [(row["attempt"], row["state"], row["cost_usd"]) for row in rows] == [
        ("a", "settled", "0.05"),
        ("b", "unknown", "0.01"),
        ("b.back", "unknown", "-0.01"),
        ("b.real", "settled", "0.00"),
    ]
    assert rows[0]["user"] == "'=1+1"
    assert rows[2]["why"] == "not on the bill"
    lines = desk.type("ledger", "export", "--format", "jsonl", "--to", "1970-01-01").out.splitlines()
    assert [json.loads(line)["user"] for line in lines] == ["=1+1"]
    only = desk.type("ledger", "export", "--bot", "other", "--format", "jsonl", "--to", "1970-01-02")
    assert [json.loads(line)["attempt"] for line in only.out.splitlines()] == ["b"]


def test_no_model_is_set_aside(desk: Desk) -> None:
    assert desk.type("ledger", "quarantine").out == "No model is set aside.\n"
    assert (
        desk.type("ledger", "quarantine", "--clear", "openai/x").err == "error: that model is not set aside\n"
    )
    assert desk.type("ledger", "quarantine", "--clear", "openai").code == 2


def test_a_running_daemon_is_asked(desk: Desk) -> None:
    desk.state.mkdir(exist_ok=True)
    wallet = {
        "active": True,
        "balance_usd": "7.00",
        "held_usd": "1.00",
        "total_purchased_usd": "10.00",
        "total_consumed_usd": "3.00",
        "hard_limit": "0.00",
        "soft_limit": None,
    }
    paid = {"idempotency_key": "k", "amount_usd": "5.00", "at": "now", "note": ""}
    aside = {"provider": "p", "model": "m/x", "attempt": "t1", "held_usd": "1", "cost_usd": "2", "at": "now"}
    answers = {
        ("GET", "/api/wallet"): (200, wallet),
        ("POST", "/api/wallet/top-ups"): (201, {"top_up": paid, "wallet": wallet}),
        ("POST", "/api/ledger/t1-1/reconcile"): (
            200,
            {"attempt": "t1-1", "was_usd": "1.00", "is_usd": "0.00"},
        ),
        ("GET", "/api/quarantine"): (200, {"models": [aside]}),
        ("POST", "/api/quarantine/clear"): (200, {"models": []}),
    }
    with AdminDouble(desk.state, answers) as daemon:
        assert "left: 7.00 USD" in desk.type("wallet", "show").out
        assert "7.00 USD are left" in desk.type("wallet", "top-up", "5", "--key", "k").out
        assert desk.type("ledger", "reconcile", "t1-1", "--released", "--reason", "r").code == 0
        assert "p/m/x: 2 USD for t1" in desk.type("ledger", "quarantine").out
        assert desk.type("ledger", "quarantine", "--clear", "p/m/x").code == 0
    bodies = [body for method, _, body in daemon.asked if method == "POST"]
    assert bodies == [
        {"amount_usd": "5.00", "note": "", "idempotency_key": "k"},
        {"cost_usd": "0", "reason": "r"},
        {"provider": "p", "model": "m/x"},
    ]
