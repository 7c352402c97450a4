"""ledger verify."""

import json
import sqlite3

import pytest

from tests.unit.cli.desk import Call, Desk

CALLS = [Call("a", 1, 5 * 10**10), Call("b", 2, 10**10, bot="other")]


@pytest.fixture(autouse=True)
def ledger(desk: Desk) -> None:
    desk.write()


def test_right(desk: Desk) -> None:
    desk.keep(CALLS)
    done = desk.type("ledger", "verify")
    assert (done.code, done.out) == (0, "calls: 2, scopes: 2: the books are right\n")


def test_wrong(desk: Desk) -> None:
    desk.keep(CALLS)
    with sqlite3.connect(desk.state / "botrunner.db") as connection:
        connection.execute("UPDATE scopes SET settled = settled + 1 WHERE name = 'bot:other'")
    connection.close()
    done = desk.type("ledger", "verify")
    assert done.code == 1
    assert done.out.splitlines() == [
        "bot:other: settled 0.010000000001 (rows: 0.01)",
        "calls: 2, scopes: 2: 1 of them WRONG",
    ]
    said = json.loads(desk.type("ledger", "verify", "--json").out)
    assert said["ok"] is False
    assert said["differences"][0]["counter"]["settled_usd"] == "0.010000000001"


def test_no_store_yet(desk: Desk) -> None:
    done = desk.type("ledger", "verify")
    assert done.code == 1
    assert done.err.startswith("error: there is no store at ")
