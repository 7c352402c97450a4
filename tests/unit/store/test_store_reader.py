"""Reading beside a daemon, and without one."""

import asyncio
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from runner.errors import StoreError, StoreRefused
from runner.money.amounts import Money
from runner.money.budget import Counter
from runner.ports.books import LedgerFilter
from runner.ports.mail import OutboxState
from runner.ports.reading import StoreReader
from runner.store.catalogue import open_reader
from runner.store.sqlite.reader import PAGE, reader_of
from runner.store.sqlite.store import SqliteStore
from tests.contract.stores.examples import NOON, answer, held, inbound, scope, settled, spent

ALL = LedgerFilter()


async def names(reader: StoreReader) -> list[str]:
    return [row.attempt.id async for row in reader.ledger(ALL)]


async def check_all(reader: StoreReader) -> None:
    """What the store of `fill` must show."""
    assert await reader.counters() == {"bot:bot-1": Counter(settled=Money(700), held=Money(1100))}
    assert await names(reader) == ["a1", "a2"]
    assert [(group.key, group.cost) for group in await reader.usage(ALL, ["bot"])] == [(("bot-1",), 700)]
    assert [part.id for part in await reader.outgoing(OutboxState.UNKNOWN, 9)] == [1]
    assert [part.id for part in await reader.outgoing(OutboxState.SENT, 9)] == [2]
    figures = await reader.figures()
    assert (figures.waiting, figures.outbox) == ({"bot-1": 1}, {"unknown": 1})
    assert [line.id for line in await reader.conversations("bot-1", 9)] == ["c1"]
    assert [day.received for day in await reader.traffic("bot-1", "2026-01-01", "2026-01-01")] == [1]
    assert await reader.unique_users(None, "2026-01-01", "2026-01-01") == 1
    assert [top.key for top in await reader.top_users(ALL, 9)] == [("bot-1", "anna")]
    assert (await reader.bot_facts(["bot-1"]))["bot-1"].messages == 3
    found = await reader.transcript("c1")
    assert found is not None
    assert [(turn.turn, turn.calls) for turn in found.turns] == [("t1", 1)]
    assert await reader.verify_books() == []


async def fill(store: SqliteStore) -> None:
    await held(store, "a1")
    await store.settle(settled("a1"))
    await held(store, "a2", time_ms=NOON + 1)
    lost, sent = await answer(store, inbound("e1"), parts=2)
    await store.end_sending(lost, OutboxState.UNKNOWN)
    await store.end_sending(sent, OutboxState.SENT)
    await store.accept(inbound("e2"))


async def test_a_command_reads_beside_the_daemon(store: SqliteStore, path: Path) -> None:
    await fill(store)
    reader = open_reader(f"sqlite://{path}", path.parent)
    await reader.open()
    try:
        await check_all(reader)
        await spent(store, "a3", time_ms=NOON + 2)
        assert await names(reader) == ["a1", "a2", "a3"]
    finally:
        await reader.close()


async def test_only_the_latest_messages_are_looked_at(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.store.sqlite.reader.MOST_LOOKED_AT", 3)
    for event, lane in (("e1", "old"), ("e2", "a"), ("e3", "b"), ("e4", "a")):
        await store.accept(inbound(event, lane=lane))
    await store.accept(inbound("e5", lane="other", bot="bot-2"))
    assert await store.recent("bot-1", "telegram", 9) == ['{"event":"e3"}', '{"event":"e4"}']


async def test_a_command_reads_without_a_daemon(store: SqliteStore, path: Path) -> None:
    await fill(store)
    await store.close()
    reader = open_reader(path.name, path.parent)
    await reader.open()
    try:
        await check_all(reader)
    finally:
        await reader.close()
    await store.open()  # reading took no lock


@pytest.mark.usefixtures("store")
async def test_a_reader_cannot_write(path: Path) -> None:
    reader = reader_of(path)
    await reader.open()
    try:
        with pytest.raises(StoreError, match="readonly"):
            await reader._rows("DELETE FROM scopes", ())
    finally:
        await reader.close()


async def test_where_nothing_is_nothing_is_made(path: Path) -> None:
    with pytest.raises(StoreRefused, match="no store at"):
        await reader_of(path).open()
    with pytest.raises(StoreRefused, match="no store at"):
        await reader_of(path.parent).open()
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize(("version", "why"), [(0, "older"), (99, "newer")])
async def test_a_reader_understands_its_own_schema_only(
    store: SqliteStore, path: Path, version: int, why: str
) -> None:
    await store.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    with pytest.raises(StoreRefused, match=why):
        await reader_of(path).open()


@pytest.mark.usefixtures("store")
async def test_a_closed_reader_refuses(path: Path) -> None:
    reader = reader_of(path)
    with pytest.raises(StoreError, match="not open"):
        await reader.counters()
    with pytest.raises(StoreError, match="not open"):
        await reader.usage(ALL, ["bot"])
    await reader.open()
    await reader.close()
    await reader.close()
    with pytest.raises(StoreError, match="not open"):
        await reader.counters()


async def test_pages_join_without_a_seam(store: SqliteStore) -> None:
    many = 2 * PAGE + 1
    await asyncio.gather(*(spent(store, f"a{n}", time_ms=NOON + n // 7) for n in range(many)))
    found = [(row.attempt.time_ms, row.attempt.id) async for row in store.ledger(ALL)]
    assert len({name for _, name in found}) == len(found) == many
    assert [moment for moment, _ in found] == sorted(moment for moment, _ in found)


async def test_a_slow_reader_holds_up_nobody(store: SqliteStore) -> None:
    await asyncio.gather(*(spent(store, f"a{n}") for n in range(PAGE + 1)))
    reading = store.ledger(ALL)
    await anext(reading)
    await spent(store, "later", time_ms=NOON + 1)

    def checkpoint(connection: sqlite3.Connection) -> tuple[int, int, int]:
        found: tuple[int, int, int] = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return found

    def outside(connection: sqlite3.Connection) -> tuple[int, int, int]:
        connection.execute("COMMIT")  # a checkpoint must not be inside the batch's transaction
        try:
            return checkpoint(connection)
        finally:
            connection.execute("BEGIN")

    assert (await store._writer.read(outside))[0] == 0  # 0: no reader was in its way
    assert [row.attempt.id async for row in reading][-1] == "later"


async def test_books_that_do_not_agree_are_told(store: SqliteStore, path: Path) -> None:
    await held(store, "a1", scope(), scope("wallet", None))
    await store.settle(settled("a1"))

    def cheat(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE scopes SET settled = settled - 1 WHERE name = 'wallet'")
        connection.execute("INSERT INTO scopes (name, held) VALUES ('ghost', 5)")

    await store._writer.write(cheat)
    found = await reader_of(path).verify_books()
    assert {difference.scope: (difference.counter, difference.rows) for difference in found} == {
        "ghost": (Counter(held=Money(5)), Counter()),
        "wallet": (Counter(settled=Money(699)), Counter(settled=Money(700))),
    }


async def test_books_are_read_at_one_moment(store: SqliteStore, path: Path) -> None:
    """Counters and rows agree although money moves all the while."""
    reader = reader_of(path)
    async with asyncio.TaskGroup() as group:
        spending = group.create_task(_spend(store))
        while not spending.done():
            assert await reader.verify_books() == []


async def _spend(store: SqliteStore) -> None:
    for n in range(150):
        await held(store, f"a{n}", scope("s", None), scope("t", None))
        await store.settle(settled(f"a{n}", n))


@pytest.mark.usefixtures("store")
async def test_what_nobody_waits_for_is_not_read_on(path: Path) -> None:
    reader = reader_of(path)
    await reader.open()
    begun, ended = threading.Event(), threading.Event()

    def one() -> int:
        begun.set()
        return 1

    def endless(connection: sqlite3.Connection) -> None:
        connection.create_function("one", 0, one)
        try:
            connection.execute(
                "WITH RECURSIVE n (x) AS (SELECT one() UNION ALL SELECT one() FROM n) SELECT count(*) FROM n"
            ).fetchone()
        finally:
            ended.set()

    reading = asyncio.gather(reader.look(endless))
    assert await asyncio.to_thread(begun.wait, 60)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert await asyncio.to_thread(ended.wait, 60)
    await reader.close()
