"""Commands where the store is a PostgreSQL database: copied there, looked at, brought up to date, read."""

import json
from urllib.parse import urlsplit

import pytest

from runner.cli.store_copy import _remarks
from runner.cli.store_database import shown_address
from runner.money.reservation import ReservationState
from runner.store.moving.moving import Moved
from runner.store.moving.tables import Sums
from runner.testing.postgres_server import PostgresServer
from tests.unit.cli.desk import BOTS, Call, Desk

CALLS = [
    Call("a", 1, 5, user="ann"),
    Call("b", 2, 7, user="bob"),
    Call("c", 3, 9, state=ReservationState.UNKNOWN),
]


@pytest.fixture
def shop(desk: Desk, postgres_url: str) -> Desk:
    """A desk whose bots.yaml names a database; the calls are still in the file."""
    desk.write(f"store: {{url: '{postgres_url}'}}\n{BOTS}")
    desk.state.mkdir(mode=0o700)
    desk.keep(CALLS)
    return desk


@pytest.fixture
def moved(shop: Desk, postgres_url: str) -> Desk:
    done = shop.type("store", "copy", "sqlite:botrunner.db", postgres_url)
    assert (done.code, done.err) == (0, "")
    return shop


def test_a_store_is_copied_and_what_went_over_is_told(shop: Desk, postgres_url: str) -> None:
    secret = postgres_url.replace("botrunner@", "botrunner:opensesame@")
    done = shop.type("store", "copy", "sqlite:botrunner.db", secret)
    assert done.code == 0
    assert "opensesame" not in done.out
    assert "ledger                3" in done.out
    assert f"is copied to {shown_address(postgres_url)}; the two are the same, row by row." in done.out
    assert (
        "money: 0.000000000012 USD settled, 0.000000000009 USD unknown, 0.00 USD held, in 3 calls" in done.out
    )
    again = shop.type("store", "copy", "sqlite:botrunner.db", secret)
    assert again.code == 1
    assert "holds something already" in again.err
    assert "opensesame" not in again.err


def test_a_copy_as_json(shop: Desk, postgres_url: str) -> None:
    said = json.loads(shop.type("store", "copy", "sqlite:botrunner.db", postgres_url, "--json").out)
    assert said["source"] == "sqlite:botrunner.db"
    assert said["rows"]["ledger"] == 3
    assert said["cost_usd_by_state"] == {"settled": "0.000000000012", "unknown": "0.000000000009"}
    assert (said["waiting"], said["nul_replaced"]) == (0, 0)


def test_what_the_next_start_takes_up_is_told() -> None:
    sums = Sums(calls={"held": 2}, holds={"held": 9}, costs={"held": 9}, sends={"sending": 3}, waiting=4)
    [_, replaced, left] = _remarks(Moved({}, sums, 5))
    assert replaced.startswith("5 texts had a NUL")
    assert "4 messages wait and are answered, 2 calls" in left
    assert "3 answers were being sent and go again" in left
    assert _remarks(Moved({}, Sums(), 0)) == []


def test_info(moved: Desk, postgres_url: str) -> None:
    said = json.loads(moved.type("store", "info", "--json").out)
    assert said["path"] == shown_address(postgres_url)
    assert (said["schema"], said["rows"]["ledger"], said["daemons"]) == (said["newest_schema"], 3, 0)
    assert said["table_bytes"]["ledger"] > 0
    shown = moved.type("store", "info").out
    assert "PostgreSQL " in shown
    assert "daemons on it: 0" in shown


def test_check_reckons_the_books_anew(moved: Desk, postgres: PostgresServer, postgres_url: str) -> None:
    good = moved.type("store", "check")
    assert (good.code, good.err) == (0, "")
    assert "its books are right" in good.out
    postgres.run_sql("UPDATE scopes SET settled = settled + 1", urlsplit(postgres_url).path[1:])
    wrong = moved.type("store", "check", "--json")
    assert wrong.code == 1
    said = json.loads(wrong.out)
    assert (said["ok"], len(said["differences"])) == (False, 1)
    assert "bot:hello" in said["differences"][0]
    assert "do not add up: " in moved.type("store", "check").out
    assert "do not add up: " in moved.type("doctor").out


def test_migrate(desk: Desk, postgres: PostgresServer) -> None:
    desk.write(f"store: {{url: '{postgres.url(postgres.fresh())}'}}\n{BOTS}")
    assert "would be brought from schema 0 to" in desk.type("store", "migrate", "--dry-run").out
    assert json.loads(desk.type("store", "migrate", "--dry-run", "--json").out)["due"] is True
    done = json.loads(desk.type("store", "migrate", "--json").out)
    assert (done["due"], done["done"], done["schema_before"]) == (True, True, 0)
    assert desk.type("store", "migrate").out == "The store is up to date.\n"


@pytest.mark.parametrize(
    ("command", "tool"),
    [(("backup", "x.db"), "pg_dump"), (("restore", "x.db"), "pg_restore"), (("vacuum",), "autovacuum")],
)
def test_what_postgresql_does_itself(shop: Desk, command: tuple[str, ...], tool: str) -> None:
    done = shop.type("store", *command)
    assert (done.code, done.out) == (1, "")
    assert tool in done.err


def test_reports_are_read_from_the_database(moved: Desk) -> None:
    usage = json.loads(moved.type("usage", "--by", "user", "--json").out)
    assert {group["user"]: group["calls"] for group in usage["groups"]} == {"ann": 2, "bob": 1}
    assert usage["total"]["cost_usd"] == "0.000000000012"
    verified = json.loads(moved.type("ledger", "verify", "--json").out)
    assert (verified["ok"], verified["calls"]) == (True, 3)
    rows = moved.type("ledger", "export", "--format", "jsonl").out.splitlines()
    assert [json.loads(row)["attempt"] for row in rows] == ["a", "b", "c"]
    assert moved.type("conversations", "list").out == "There is no conversation.\n"
    assert moved.type("analytics", "hello", "--from", "1970-01-01", "--to", "1970-01-02").code == 0
    assert moved.type("advise").code == 0


def test_the_books_are_put_right_in_the_database(moved: Desk) -> None:
    [call] = json.loads(moved.type("ledger", "reconcile", "--json").out)["unknown"]
    assert call["attempt"] == "c"
    done = moved.type("ledger", "reconcile", "c", "--released", "--reason", "not on the bill")
    assert (done.code, done.err) == (0, "")
    assert json.loads(moved.type("ledger", "reconcile", "--json").out)["unknown"] == []
    assert moved.type("ledger", "verify").code == 0


def test_doctor_looks_at_the_database(moved: Desk) -> None:
    found = json.loads(moved.type("doctor", "--json").out)["findings"]
    assert any("1 calls of unknown fate" in one["what"] for one in found)
    assert not [one for one in found if one["area"] == "store"]


def test_a_database_that_is_away(desk: Desk) -> None:
    desk.write(f"store: {{url: 'postgresql://botrunner:opensesame@127.0.0.1:1/none'}}\n{BOTS}")
    for command in (("usage",), ("store", "info"), ("store", "check"), ("ledger", "verify")):
        done = desk.type(*command)
        assert done.code == 75, command
        assert "cannot be reached" in done.err
        assert "opensesame" not in done.err
    said = desk.type("doctor").out
    assert "store: postgresql://127.0.0.1:1/none: cannot be reached" in said
    assert "opensesame" not in said
