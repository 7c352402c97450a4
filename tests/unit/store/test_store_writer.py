"""Group commit: many units, one transaction, and each for itself all the same."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import pytest

from runner.errors import IllegalStep, StoreError
from runner.store.sqlite.queries import load_queries
from runner.store.sqlite.writer import Writer

Trace = list[str]


def connect(path: Path, trace: Trace) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("CREATE TABLE IF NOT EXISTS t (x INTEGER PRIMARY KEY, parent REFERENCES t (x))")
    connection.set_trace_callback(trace.append)
    return connection


@pytest.fixture
def trace() -> Trace:
    return []


@pytest.fixture
async def writer(tmp_path: Path, trace: Trace) -> AsyncIterator[Writer]:
    writer = Writer(partial(connect, tmp_path / "t.db", trace), load_queries())
    await writer.open()
    yield writer
    await writer.close()


def add(x: int) -> Callable[[sqlite3.Connection], int]:
    def unit(connection: sqlite3.Connection) -> int:
        connection.execute("INSERT INTO t (x) VALUES (?)", (x,))
        return x

    return unit


def all_rows(connection: sqlite3.Connection) -> list[int]:
    return [row[0] for row in connection.execute("SELECT x FROM t ORDER BY x")]


def fail_after_writing(x: int) -> Callable[[sqlite3.Connection], int]:
    def unit(connection: sqlite3.Connection) -> int:
        add(x)(connection)
        raise IllegalStep(f"no {x}")

    return unit


async def together(writer: Writer, *units: Callable[[sqlite3.Connection], int]) -> list[int | BaseException]:
    """Run units in one batch: they wait while the thread is kept busy."""
    busy, go = threading.Event(), threading.Event()

    def wait(_: sqlite3.Connection) -> None:
        busy.set()
        go.wait(5)

    first = asyncio.gather(writer.read(wait))
    await asyncio.to_thread(busy.wait, 5)
    asked = asyncio.gather(*(writer.write(unit) for unit in units), return_exceptions=True)
    asyncio.get_running_loop().call_soon(go.set)  # after each unit was put into the queue
    await first
    return await asked


async def test_all_that_waits_is_one_transaction(writer: Writer, trace: Trace) -> None:
    assert await together(writer, *(add(n) for n in range(50))) == list(range(50))
    assert [line for line in trace if line.startswith("BEGIN IMMEDIATE")] == ["BEGIN IMMEDIATE;"]
    assert "SAVEPOINT unit;" not in trace
    assert await writer.read(all_rows) == list(range(50))


async def test_a_unit_that_fails_does_not_undo_its_neighbours(writer: Writer, trace: Trace) -> None:
    before, failed, twice, after = await together(writer, add(1), fail_after_writing(2), add(1), add(3))
    assert (before, after) == (1, 3)
    assert isinstance(failed, IllegalStep)
    assert isinstance(twice, StoreError)
    assert await writer.read(all_rows) == [1, 3]
    assert trace.count("BEGIN IMMEDIATE;") == 2  # tried plainly, rolled back, run again with savepoints
    assert trace.count("SAVEPOINT unit;") == 4


async def test_a_unit_that_fails_before_it_writes_costs_nothing(writer: Writer, trace: Trace) -> None:
    def refuse(_: sqlite3.Connection) -> int:
        raise IllegalStep("no")

    first, refused, last = await together(writer, add(1), refuse, add(2))
    assert (first, last) == (1, 2)
    assert isinstance(refused, IllegalStep)
    assert trace.count("BEGIN IMMEDIATE;") == 1


async def test_a_failed_commit_fails_the_whole_batch(writer: Writer) -> None:
    def orphan(connection: sqlite3.Connection) -> int:
        connection.execute("PRAGMA defer_foreign_keys = ON")  # the missing parent is noticed by COMMIT
        connection.execute("INSERT INTO t (x, parent) VALUES (7, 77)")
        return 7

    results = await together(writer, add(1), orphan, add(2))
    assert [type(result) for result in results] == [StoreError] * 3
    assert len(set(map(id, results))) == 3  # each waiter has an exception of its own
    assert await writer.read(all_rows) == []
    assert await writer.write(add(1)) == 1  # and the next batch goes on


async def test_a_lost_transaction_fails_the_whole_batch(writer: Writer) -> None:
    def full(connection: sqlite3.Connection) -> int:
        connection.execute("ROLLBACK")  # as SQLite itself does where the disk is full
        raise sqlite3.OperationalError("database or disk is full")

    results = await together(writer, add(1), full, add(2))
    assert [str(result) for result in results] == ["the store could not do it: database or disk is full"] * 3
    assert await writer.read(all_rows) == []


async def test_a_bug_is_told_as_it_is(writer: Writer) -> None:
    def wrong(_: sqlite3.Connection) -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await writer.write(wrong)
    with pytest.raises(ZeroDivisionError):
        await writer.read(wrong)


async def test_a_number_that_fits_no_column_is_refused(writer: Writer) -> None:
    with pytest.raises(StoreError):
        await writer.write(add(2**63))


async def test_units_run_in_the_order_of_asking(writer: Writer) -> None:
    seen: list[int] = []

    def note(n: int, _: sqlite3.Connection) -> None:
        seen.append(n)

    await asyncio.gather(*(writer.read(partial(note, n)) for n in range(600)))
    assert seen == list(range(600))


async def test_a_unit_outlives_whoever_waited_for_it(writer: Writer) -> None:
    busy, go = threading.Event(), threading.Event()

    def slow(connection: sqlite3.Connection) -> int:
        busy.set()
        go.wait(5)
        return add(1)(connection)

    async with asyncio.TaskGroup() as group:
        waiter = group.create_task(writer.write(slow))
        await asyncio.to_thread(busy.wait, 5)
        waiter.cancel()
        go.set()
    assert waiter.cancelled()
    assert await writer.read(all_rows) == [1]


async def test_closing_finishes_what_was_asked_for(tmp_path: Path, trace: Trace) -> None:
    writer = Writer(partial(connect, tmp_path / "t.db", trace), load_queries())
    await writer.open()
    asked = asyncio.gather(*(writer.write(add(n)) for n in range(700)))
    await asyncio.gather(asked, writer.close(), writer.close())
    assert asked.result() == list(range(700))
    with pytest.raises(StoreError, match="not open"):
        await writer.write(add(1000))
    await writer.open()
    assert len(await writer.read(all_rows)) == 700
    await writer.close()


async def test_a_full_queue_makes_askers_wait(tmp_path: Path, trace: Trace) -> None:
    writer = Writer(partial(connect, tmp_path / "t.db", trace), load_queries(), waiting=2)
    await writer.open()
    go = threading.Event()

    def hold_up(_: sqlite3.Connection) -> bool:
        return go.wait(5)

    async with asyncio.TaskGroup() as group:
        group.create_task(writer.read(hold_up))
        asked = [group.create_task(writer.write(add(n))) for n in range(10)]
        for _ in range(5):
            await asyncio.wait(asked, timeout=0)
        assert writer._jobs.qsize() <= 2
        go.set()
    assert [task.result() for task in asked] == list(range(10))
    await writer.close()


async def test_what_cannot_connect_says_so_each_time() -> None:
    def refuse() -> sqlite3.Connection:
        raise StoreError("not today")

    writer = Writer(refuse, load_queries())
    for _ in range(2):
        with pytest.raises(StoreError, match="not today"):
            await writer.open()
        with pytest.raises(StoreError, match="not open"):
            await writer.read(all_rows)
