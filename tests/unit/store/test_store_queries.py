"""SQL lives in .sql files: every block is used, every name exists, no hot query reads a whole table."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import runner.store.sqlite
from runner.store.sqlite.migration import load_migrations, migrate
from runner.store.sqlite.queries import load_queries

ROOM = Path(runner.store.sqlite.__file__).parent
SQL = load_queries()
CODE = "".join(path.read_text(encoding="utf-8") for path in sorted(ROOM.glob("*.py")))

NOT_STATEMENTS = ("PRAGMA", "BEGIN", "SAVEPOINT", "RELEASE", "ROLLBACK", "COMMIT", "VACUUM")
READS_ALL = {
    "counters": "they are few, and asked for by people",
    "ledger_page": "by its index, but the planner calls a page from the start a scan",
    "unknown_page": "an index of calls of unknown fate only",
    "usage": "for people, where the sums by day cannot answer",
    "usage_keys": "what sums are kept for: a few hundred rows",
    "usage_by_user": "what it has added up, to be named",
    "usage_by_dearest_users": "the same of a handful of users",
    "usage_by_key": "the same few, and the days asked for of each",
    "traffic": "for people: a row for each bot and day",
    "unique_users_of_bot": "a list of days, of each the bot's users only",
    "unique_users": "the days asked for only",
    "transcript": "the turns of one conversation, each with its rows of the ledger",
    "funds": "a row for each payment into the wallet",
    "deposits": "a row for each payment into the wallet",
    "quarantined": "models set aside: a handful",
    "alerts": "backwards along its key, the latest only",
    "waiting_alerts": "an index of alerts that wait only",
    "tables": "the schema",
    "sent": "for people",
    "recent": "an index of one channel's messages, the latest only; then what it found",
    "waiting_by_bot": "an index of open messages only",
    "waiting_lanes": "an index of open messages only",
    "unsent_by_state": "an index of unsent parts only",
    "possibly_doubled": "an index of such parts only",
    "held": "an index of holds only",
    "left_open": "indexes of what is open only",
    "row_counts": "for people: all of it is counted",
    "oldest_message": "for people, once",
    "old_sends": "an index of unsent parts only",
    "latest_message": "backwards along its key, one row",
    "batches": "backwards along its key, the latest only",
    "handoffs": "backwards along its key, the latest only",
    "open_batches": "an index of open batches only",
    "batch_remotes": "an index of names only; asked where a submission was cut off",
}


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as connection:
        migrate(connection, SQL, load_migrations(), 1)
        yield connection


def plan(connection: sqlite3.Connection, query: str) -> list[str]:
    """How SQLite would run it."""
    marks = re.findall(r":(\w+)", query)
    values: object = dict.fromkeys(marks, 1) if marks else [1] * query.count("?")
    return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}", values)]  # type: ignore[arg-type]


def statements() -> list[str]:
    return [name for name, text in SQL.items() if not text.split("\n")[-1].startswith(NOT_STATEMENTS)]


def test_each_query_is_used() -> None:
    assert [name for name in SQL if f'"{name}"' not in CODE] == []


def test_each_name_that_is_used_exists() -> None:
    assert set(re.findall(r'sql\["(\w+)"\]', CODE)) <= set(SQL)


def test_python_holds_no_sql() -> None:
    assert re.findall(r'"\s*(?:SELECT|INSERT|UPDATE|DELETE|PRAGMA|BEGIN|CREATE)\b', CODE) == []


@pytest.mark.parametrize("name", statements())
def test_no_hot_query_reads_a_whole_table(connection: sqlite3.Connection, name: str) -> None:
    scans = [
        step
        for step in plan(connection, SQL[name])
        if step.startswith("SCAN") and "VIRTUAL TABLE" not in step and step != "SCAN CONSTANT ROW"
    ]
    assert not scans or name in READS_ALL


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("head", "inbox_open"),
        ("waiting_lanes", "inbox_open_of_bot"),
        ("waiting_by_bot", "inbox_open"),
        ("recent", "inbox_by_channel"),
        ("unsent", "outbox_unsent"),
        ("unsent_by_state", "outbox_unsent"),
        ("possibly_doubled", "outbox_doubled"),
        ("held", "ledger_held"),
        ("waiting_alerts", "alerts_waiting"),
        ("ledger_page", "ledger_by_time"),
        ("unknown_page", "ledger_unknown"),
        ("ledger_of_turn", "ledger_by_turn"),
        ("forgettable_messages", "inbox_finished"),
        ("forgettable_conversations", "conversations_by_age"),
        ("forgettable_turns", "turns_by_user"),
        ("forgettable_turns_of_conversation", "turns_by_conversation"),
        ("conversations", "conversations_by_age"),
        ("conversations_of_bot", "conversations_by_bot"),
        ("conversations_of_user", "turns_by_user"),
        ("transcript", "ledger_by_turn"),
    ],
)
def test_a_query_has_its_index(connection: sqlite3.Connection, name: str, index: str) -> None:
    assert any(f"INDEX {index} " in f"{step} " for step in plan(connection, SQL[name]))


def test_a_name_is_given_once(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("-- name: x\nSELECT 1;\n")
    (tmp_path / "b.sql").write_text("-- about x\n\n-- name: x\nSELECT 2;\n")
    with pytest.raises(ValueError, match="x"):
        load_queries(tmp_path)


def test_a_block_is_what_follows_its_name(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("-- about\n\n-- name: x\n-- why\nSELECT 1;\n\n-- name: y\nSELECT 2;\n")
    assert dict(load_queries(tmp_path)) == {"x": "-- why\nSELECT 1;", "y": "SELECT 2;"}
