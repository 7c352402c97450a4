"""A whole store into PostgreSQL and back: every row, every number, all or nothing."""

import asyncio
import sqlite3
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import asyncpg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.clock import SystemClock
from runner.errors import OperatorError, StoreRefused
from runner.store.moving.moving import Moved
from runner.store.moving.postgres_side import PostgresSide
from runner.store.moving.tables import OWN, TABLES, Look, Row, Seen, Sums, cleaned, differences
from runner.store.moving.ways import copy_store
from runner.store.postgres.outside import values_at
from runner.store.sqlite.examining import examine
from runner.store.sqlite.migration import load_migrations, migrate
from runner.store.sqlite.queries import load_queries
from runner.store.sqlite.store import SqliteStore
from runner.testing.postgres_server import PostgresServer
from tests.contract.stores.examples import inbound
from tests.unit.store.moving_rows import add_rows, all_rows, forgotten, worked_on

NEWEST = load_migrations()[-1].version


async def copied(source: str, target: str, folder: Path) -> Moved:
    told: list[tuple[int, int]] = []
    moved = await copy_store(source, target, folder, SystemClock(), lambda *step: told.append(step))
    assert told[-1] == (3 * sum(moved.rows.values()),) * 2
    return moved


async def same(path: Path, url: str) -> None:
    """Each row of each table of the file is in the database, and no other is."""
    connection = await asyncpg.connect(url)
    try:
        with closing(sqlite3.connect(path)) as file:
            for table in TABLES:
                found = await connection.fetch(f"SELECT * FROM {table.name}")
                columns = [
                    name
                    for (name,) in await connection.fetch(
                        "SELECT column_name::text FROM information_schema.columns"
                        " WHERE table_name = $1 AND is_generated = 'NEVER'",
                        table.name,
                    )
                    if name not in OWN
                ]
                theirs = sorted((tuple(row[name] for name in columns) for row in found), key=repr)
                assert theirs == all_rows(file, table.name, columns), table.name
    finally:
        await connection.close()


async def test_what_work_leaves_goes_over(tmp_path: Path, postgres: PostgresServer) -> None:
    path, url = tmp_path / "store.db", postgres.url(postgres.fresh())  # without tables
    await worked_on(path)
    moved = await copied(f"sqlite://{path}", url, tmp_path)
    await same(path, url)
    assert moved.replaced == 3
    assert moved.sums.calls == {"held": 1, "settled": 6, "unknown": 1}
    assert moved.sums.costs["settled"] == 700 + sum(range(300, 305))
    assert moved.sums.waiting == 1
    assert moved.sums.sends == {"sending": 3, "sent": 3}


@settings(max_examples=3)
@given(
    texts=st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=4),
    numbers=st.lists(st.integers(1, 2**62), min_size=1, max_size=4),
)
async def test_whatever_is_in_it_goes_over_and_back(
    postgres: PostgresServer, postgres_database: str, texts: Sequence[str], numbers: Sequence[int]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, url = Path(name), postgres.url(postgres_database)
        path, back = folder / "store.db", folder / "back.db"
        await asyncio.to_thread(postgres.run_sql, "SELECT cleaned()", postgres_database)
        await worked_on(path)
        add_rows(path, texts, numbers)
        await copied(str(path), url, folder)
        await same(path, url)
        await copied(url, str(back), folder)
        await same(back, url)
        assert examine(back, load_queries(), NEWEST).is_good


async def test_the_triggers_are_there_again(tmp_path: Path, postgres_url: str) -> None:
    path, url, back = tmp_path / "store.db", postgres_url, tmp_path / "back.db"
    await worked_on(path)
    await copied(str(path), url, tmp_path)
    connection = await asyncpg.connect(url)
    modes = await connection.fetch("SELECT tgenabled::text FROM pg_trigger WHERE NOT tgisinternal")
    await connection.close()
    assert {mode for (mode,) in modes} == {"O"}
    await copied(url, str(back), tmp_path)

    def triggers(file: Path) -> list[tuple[str, str]]:
        with closing(sqlite3.connect(file)) as opened:
            return sorted(opened.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"))

    assert triggers(back) == triggers(path)


async def test_a_number_that_was_given_never_comes_again(tmp_path: Path, postgres_url: str) -> None:
    path, url, back = tmp_path / "store.db", postgres_url, tmp_path / "back.db"
    await forgotten(path)
    await copied(str(path), url, tmp_path)
    connection = await asyncpg.connect(url)
    assert await connection.fetchval("SELECT count(*) FROM inbox") == 0
    assert await connection.fetchval("SELECT nextval(pg_get_serial_sequence('inbox', 'id'))") == 4
    assert await connection.fetchval("SELECT nextval(pg_get_serial_sequence('outbox', 'id'))") == 4
    await connection.close()
    await copied(url, str(back), tmp_path)
    store = SqliteStore(back, SystemClock())
    await store.open()
    assert (await store.accept(inbound("next"))).inbox_id == 5  # 4 was given above
    await store.close()


async def empty(url: str) -> bool:
    connection = await asyncpg.connect(url)
    try:
        return not [
            table.name
            for table in TABLES
            if await connection.fetchval(f"SELECT EXISTS (SELECT FROM {table.name})")
        ]
    finally:
        await connection.close()


async def test_a_target_with_something_in_it_is_refused(tmp_path: Path, postgres_url: str) -> None:
    path, url = tmp_path / "store.db", postgres_url
    await worked_on(path)
    await copied(str(path), url, tmp_path)
    with pytest.raises(OperatorError, match=r"holds something already \(scopes, ledger, usage_keys, .*, …\)"):
        await copied(str(path), url, tmp_path)
    await copied(url, "there.db", tmp_path)
    with pytest.raises(OperatorError, match="is there already"):
        await copied(url, "there.db", tmp_path)


async def test_secrets_that_wait_in_the_database_stay(tmp_path: Path, postgres_url: str) -> None:
    path, clock = tmp_path / "store.db", SystemClock()
    async with values_at(postgres_url, clock) as shared:
        await shared.values.put("secret/openai", "theirs", 1)
    store = SqliteStore(path, clock)
    await store.open()
    await store.values.put("secret/openai", "mine", 1)
    await store.values.put("link/used", "mine", 1)
    await store.close()
    await copied(str(path), postgres_url, tmp_path)
    async with values_at(postgres_url, clock) as shared:
        assert await shared.values.values("", 1) == {"secret/openai": "theirs", "link/used": "mine"}


async def test_a_running_daemon_is_not_copied(tmp_path: Path, postgres_url: str) -> None:
    path, url = tmp_path / "store.db", postgres_url
    store = SqliteStore(path, SystemClock())
    await store.open()
    with pytest.raises(StoreRefused, match=r"in use by another daemon .*: stop it"):
        await copied(str(path), url, tmp_path)
    await store.close()
    assert sum((await copied(str(path), url, tmp_path)).rows.values()) == 0


@pytest.mark.parametrize("way", ["from", "to"])
async def test_a_database_with_a_daemon_is_left_alone(tmp_path: Path, postgres_url: str, way: str) -> None:
    path, url = tmp_path / "store.db", postgres_url
    await forgotten(path)
    await copied(str(path), url, tmp_path)
    daemon = await asyncpg.connect(url)
    await daemon.execute("SELECT pg_advisory_lock(1651471474, 7)")
    ways = {"from": (url, str(tmp_path / "back.db")), "to": (str(path), url)}
    with pytest.raises(StoreRefused, match="1 daemon has the PostgreSQL database: stop it first"):
        await copied(*ways[way], tmp_path)
    await daemon.close()


async def test_an_older_schema_is_migrated_first(tmp_path: Path, postgres_url: str) -> None:
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection, load_queries(), load_migrations()[:5], 1)
    with pytest.raises(StoreRefused, match=r"older schema 5: .*`botrunner store migrate`"):
        await copied(str(path), postgres_url, tmp_path)


async def test_wrong_books_stay_where_they_are(tmp_path: Path, postgres_url: str) -> None:
    path, url = tmp_path / "store.db", postgres_url
    await worked_on(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE scopes SET settled = settled + 1 WHERE name = 'team:a'")
        connection.commit()
    with pytest.raises(StoreRefused, match=r"books do not add up: .*team:a"):
        await copied(str(path), url, tmp_path)
    assert await empty(url)


async def test_what_is_written_wrong_is_found_and_not_kept(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, url = tmp_path / "store.db", postgres_url
    await worked_on(path)
    put = PostgresSide.put

    async def careless(side: PostgresSide, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        if table == "ledger":
            at = columns.index("cost")
            rows = [(*row[:at], int(row[at] or 0) + 1, *row[at + 1 :]) for row in rows]
        await put(side, table, columns, rows[:-1] if table == "messages" else rows)

    monkeypatch.setattr(PostgresSide, "put", careless)
    with pytest.raises(StoreRefused, match="nothing was copied") as refused:
        await copied(str(path), url, tmp_path)
    assert "messages: 6 rows there, 5 copied" in str(refused.value)
    assert "ledger: its rows are not the same" in str(refused.value)
    assert "costs by state" in str(refused.value)
    assert await empty(url)


@pytest.mark.parametrize("addresses", [("memory:", "x.db"), ("a.db", "memory:"), ("a.db", "b.db")])
async def test_ways_that_there_are_not(tmp_path: Path, addresses: tuple[str, str]) -> None:
    with pytest.raises(OperatorError):
        await copied(*addresses, tmp_path)


def look(rows: Sequence[Row], sums: Sums | None = None) -> Look:
    seen = Seen()
    seen.add(rows)
    return Look({"bots": seen}, sums or Sums(), 0)


@pytest.mark.parametrize(
    ("one", "other", "same_rows"),
    [
        ([(1, "a"), (2, "b")], [(2, "b"), (1, "a")], True),
        ([(1, "a")], [(1, "b")], False),
        ([(1, "a")], [("1", "a")], False),
        ([(1, None)], [(1, "None")], False),
        ([(1, "a"), (1, "a")], [(1, "a")], False),
        ([], [], True),
    ],
)
def test_a_digest_heeds_rows_and_not_their_order(
    one: Sequence[Row], other: Sequence[Row], *, same_rows: bool
) -> None:
    assert (not differences(look(one), look(other))) is same_rows


def test_only_nul_is_replaced() -> None:
    rows: list[Row] = [("a\0b", 1, None), ("\ufffd", 0, "\0\0")]
    assert cleaned(rows) == ([("a\ufffdb", 1, None), ("\ufffd", 0, "\ufffd\ufffd")], 2)


async def test_every_table_of_the_database_is_moved(postgres_url: str) -> None:
    connection = await asyncpg.connect(postgres_url)
    tables = await connection.fetch(
        "SELECT relname::text FROM pg_class JOIN pg_namespace AS n ON n.oid ="
        " relnamespace WHERE nspname = 'public' AND relkind = 'r'"
    )
    numbered = await connection.fetch(
        "SELECT table_name::text, column_name::text FROM information_schema.columns WHERE is_identity = 'YES'"
    )
    await connection.close()
    assert {name for (name,) in tables} - {"schema_steps", "daemons", "rates"} == {one.name for one in TABLES}
    assert {tuple(row) for row in numbered} - {("daemons", "id")} == {
        (one.name, one.number) for one in TABLES if one.number
    }


def test_every_table_of_the_file_is_moved() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection, load_queries(), load_migrations(), 1)
        tables: Mapping[str, str] = dict(
            connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table'")
        )
    assert set(tables) - {"migrations", "sqlite_sequence"} == {table.name for table in TABLES}
