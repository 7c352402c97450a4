"""store: backed up, put back, brought up to date, checked, as an operator types it."""

import json
import sqlite3
from contextlib import closing

import pytest

from runner.store.sqlite.migration import load_migrations, migrate
from runner.store.sqlite.queries import load_queries
from tests.unit.cli.desk import BOTS, Call, Desk

STEPS = load_migrations()


@pytest.fixture(autouse=True)
def shop(desk: Desk) -> None:
    desk.write()


def old_store(desk: Desk, version: int) -> None:
    desk.state.mkdir()
    with closing(sqlite3.connect(desk.state / "botrunner.db", isolation_level=None)) as connection:
        migrate(connection, load_queries(), STEPS[:version], 1)


def calls_in_the_ledger(desk: Desk) -> int:
    calls: int = json.loads(desk.type("ledger", "verify", "--json").out)["calls"]
    return calls


def test_there_and_back(desk: Desk) -> None:
    desk.keep([Call("a", 1, 5)])
    target = desk.folder / "backup.db"
    done = desk.type("store", "backup", str(target))
    assert (done.code, done.err) == (0, "")
    assert "whole, and its books are right" in done.out
    desk.keep([Call("b", 2, 5)])
    again = desk.type("store", "backup", str(target))
    assert again.code == 1
    assert "is there already" in again.err
    assert "--force" in again.err
    back = desk.type("store", "restore", str(target))
    assert back.code == 0
    assert "is the store now" in back.out
    assert calls_in_the_ledger(desk) == 1
    [kept] = desk.state.glob("botrunner.db.replaced-*")
    assert str(kept) in back.out
    assert desk.type("store", "restore", str(kept)).code == 0
    assert calls_in_the_ledger(desk) == 2


def test_as_json(desk: Desk) -> None:
    desk.keep([Call("a", 1, 5)])
    target = desk.folder / "backup.db"
    said = json.loads(desk.type("store", "backup", str(target), "--json").out)
    assert (said["path"], said["ok"], said["schema"]) == (str(target), True, len(STEPS))
    back = json.loads(desk.type("store", "restore", str(target), "--json").out)
    assert back["left_open"] == {"holds": 0, "sends": 0, "messages": 0}
    info = json.loads(desk.type("store", "info", "--json").out)
    assert (info["rows"]["ledger"], info["retention_days"]) == (1, 90)
    assert json.loads(desk.type("store", "vacuum", "--json").out)["bytes"] > 0


def test_an_older_store(desk: Desk) -> None:
    old_store(desk, 2)
    dry = desk.type("store", "migrate", "--dry-run")
    assert dry.code == 0
    assert "would be brought from schema 2 to" in dry.out
    info = json.loads(desk.type("store", "info", "--json").out)
    assert (info["schema"], info["rows"], info["copies"]) == (2, {}, [])
    done = json.loads(desk.type("store", "migrate", "--json").out)
    assert (done["done"], done["schema_before"], done["schema"]) == (True, 2, len(STEPS))
    assert [step["schema"] for step in done["steps"]] == list(range(3, len(STEPS) + 1))
    assert desk.type("store", "migrate").out == "The store is up to date.\n"
    assert "botrunner.db.before-v3" in desk.type("store", "info").out


def test_a_newer_store(desk: Desk) -> None:
    desk.keep([])
    with closing(sqlite3.connect(desk.state / "botrunner.db")) as connection:
        connection.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
    for command in (["migrate"], ["vacuum"], ["backup", "x.db"], ["check"]):
        done = desk.type("store", *command)
        assert done.code == 1
        assert "install the newer one" in done.err


def test_damage_is_found_and_told(desk: Desk) -> None:
    desk.keep([Call("a", 1, 5, user="x" * 900)])
    assert desk.type("store", "check").code == 0
    path = desk.state / "botrunner.db"
    raw = bytearray(path.read_bytes())
    page = raw.rindex(b"x" * 900) // 4096 * 4096
    raw[page : page + 16] = b"\xee" * 16
    path.write_bytes(raw)
    found = desk.type("store", "check")
    assert found.code == 1
    assert "damaged" in found.out
    assert "store restore" in found.out
    said = json.loads(desk.type("store", "check", "--json").out)
    assert (said["ok"], said["books_read"]) == (False, False)
    refused = desk.type("store", "backup", "backup.db")
    assert (refused.code, (desk.folder / "backup.db").exists()) == (1, False)


def test_nothing_to_keep(desk: Desk) -> None:
    for command in (["backup", "x.db"], ["migrate"], ["vacuum"], ["check"], ["info"]):
        done = desk.type("store", *command)
        assert done.code == 1
        assert "there is no store" in done.err
    assert desk.type("store", "restore", "no.db").code == 1
    desk.write(f"store: {{url: 'memory:'}}\n{BOTS}")
    assert "keeps nothing" in desk.type("store", "backup", "x.db").err
