"""Schemas go forward, one transaction a step."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from runner.errors import StoreRefused
from runner.store.sqlite.migration import Migration, load_migrations, migrate, schema_version, statements
from runner.store.sqlite.queries import load_queries

SQL = load_queries()
SHIPPED = load_migrations()
NEXT = len(SHIPPED) + 1


def made_up(version: int, script: str, *, says: int | None = None) -> Migration:
    return Migration(version, "made up", f"{script}\nPRAGMA user_version = {says or version};\n")


SECOND = made_up(NEXT, "ALTER TABLE turns ADD COLUMN mood TEXT NOT NULL DEFAULT 'calm';")


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as connection:
        yield connection


def columns(connection: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}


@pytest.mark.parametrize("start", range(NEXT))
def test_every_earlier_version_arrives(connection: sqlite3.Connection, start: int) -> None:
    if start:
        migrate(connection, SQL, SHIPPED[:start], 1)
    assert migrate(connection, SQL, (*SHIPPED, SECOND), 2) == (start, NEXT)
    assert "mood" in columns(connection, "turns")
    found = connection.execute("SELECT version, applied_ms FROM migrations ORDER BY version").fetchall()
    assert found == [(n, 1 if n <= start else 2) for n in range(1, NEXT + 1)]


def test_rows_are_carried_over(connection: sqlite3.Connection) -> None:
    migrate(connection, SQL, SHIPPED, 1)
    connection.execute("INSERT INTO scopes VALUES ('bot:b', 1, 2, 3)")
    migrate(connection, SQL, (*SHIPPED, SECOND), 2)
    assert connection.execute("SELECT * FROM scopes").fetchall() == [("bot:b", 1, 2, 3)]


def test_nothing_is_done_twice(connection: sqlite3.Connection) -> None:
    migrate(connection, SQL, SHIPPED, 1)
    assert migrate(connection, SQL, SHIPPED, 2) == (NEXT - 1, NEXT - 1)


def test_a_newer_schema_is_left_alone(connection: sqlite3.Connection) -> None:
    migrate(connection, SQL, (*SHIPPED, SECOND), 1)
    with pytest.raises(StoreRefused, match=f"schema {NEXT}"):
        migrate(connection, SQL, SHIPPED, 2)
    assert schema_version(connection, SQL) == NEXT


@pytest.mark.parametrize(
    ("step", "error"),
    [
        (made_up(NEXT, "CREATE TABLE half (x);\nSELECT * FROM nowhere;"), sqlite3.OperationalError),
        (made_up(NEXT, "CREATE TABLE half (x);", says=NEXT + 1), ValueError),
        (
            made_up(NEXT, "CREATE TABLE half (x REFERENCES turns (turn));\nINSERT INTO half VALUES ('t9');"),
            StoreRefused,
        ),
    ],
    ids=["broken", "wrong version", "broken reference"],
)
def test_a_step_that_fails_leaves_nothing(
    connection: sqlite3.Connection, step: Migration, error: type[Exception]
) -> None:
    with pytest.raises(error):
        migrate(connection, SQL, (*SHIPPED, step), 1)
    assert not connection.in_transaction
    assert schema_version(connection, SQL) == NEXT - 1
    assert columns(connection, "half") == set()
    assert migrate(connection, SQL, (*SHIPPED, SECOND), 2) == (NEXT - 1, NEXT)


def test_a_script_is_cut_into_statements() -> None:
    script = """-- first; with a semicolon in the comment
    CREATE TABLE t (x TEXT DEFAULT ';');
    CREATE TRIGGER g BEFORE DELETE ON t
    BEGIN
        SELECT RAISE(ABORT, 'no; never');
    END;
    PRAGMA user_version = 1;
    """
    found = [statement.strip().splitlines()[-1].strip() for statement in statements(script)]
    assert found == ["CREATE TABLE t (x TEXT DEFAULT ';');", "END;", "PRAGMA user_version = 1;"]


@pytest.mark.parametrize(
    "names", [["0002_x.sql"], ["0001_x.sql", "0003_y.sql"], ["0001_x.sql", "0001_y.sql"]]
)
def test_numbers_have_no_gaps(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_text("")
    with pytest.raises(ValueError, match="numbered"):
        load_migrations(tmp_path)
