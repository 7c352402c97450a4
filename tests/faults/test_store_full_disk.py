"""The disk fills up at every possible moment; what fails is told, what was told as done is there."""

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runner.clock import SystemClock
from runner.errors import StoreError
from runner.ports.mail import OutboxState, StoredStep
from runner.store.sqlite.reader import reader_of
from runner.store.sqlite.store import SqliteStore
from tests.contract.stores.examples import NOON, answer, finished, held, inbound, rows, settled, work_on

pytestmark = pytest.mark.faults

LARGE = "x" * 9000


async def walk(store: SqliteStore, done: list[str]) -> None:
    """One message from accepted to sent; `done` tells how far it came."""
    await store.accept(inbound("e1", payload=LARGE))
    done.append("accepted")
    work = await work_on(store)
    await held(store, "t1.1")
    done.append("held")
    await store.settle(settled("t1.1", step=StoredStep(0, LARGE)))
    done.append("settled")
    parts = await store.finish(finished(work, LARGE, LARGE, parts=2))
    done.append("finished")
    for part in parts:
        await store.end_sending(part.id, OutboxState.SENT, LARGE)
    done.append("sent")


async def state(store: SqliteStore) -> list[str]:
    """How far the message of `walk` has come, as the store tells it."""
    seen = await store.seen(inbound("e1"))
    ledger = await rows(store)
    answers = await store.answers(1)
    reached = {
        "accepted": seen is not None,
        "held": bool(ledger),
        "settled": bool(ledger) and ledger[0].cost == 700,
        "finished": seen is not None and seen.finished and len(answers) == 2,
        "sent": bool(answers) and all(part.state is OutboxState.SENT for part in answers),
    }
    return [name for name, so in reached.items() if so]


async def cap(store: SqliteStore, more: int | None) -> None:
    """Let the file grow by so many pages; None: as far as it likes."""

    def unit(connection: sqlite3.Connection) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {2**30 if more is None else pages + more}")

    await store._writer.read(unit)


async def test_the_disk_may_be_full_at_any_page(tmp_path: Path) -> None:
    ends = set()
    for more in range(100):
        path = tmp_path / f"{more}.db"
        store = SqliteStore(path, SystemClock())
        await store.open()
        await cap(store, more)
        done: list[str] = []
        try:
            await walk(store, done)
        except StoreError as error:
            assert "full" in str(error)  # noqa: PT017 - the last round raises nothing
        assert await state(store) == done
        await store.close()
        assert await reader_of(path).verify_books() == []
        ends.add(len(done))
        if "sent" in done:
            break
    assert len(ends) >= 4, f"the walk was only stopped after {ends} steps"
    assert "sent" in done


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """Writes beyond that size fail, for this whole process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _longest_file(folder: Path) -> int:
    return max(file.stat().st_size for file in folder.iterdir())


async def test_work_goes_on_when_there_is_room_again(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = SqliteStore(path, SystemClock())
    await store.open()
    kept, lost = [], []
    with no_file_longer_than(_longest_file(tmp_path) + 250_000):
        for n in range(100):
            event = inbound(f"e{n}", lane=f"lane {n}", payload=LARGE)
            try:
                kept.append((await store.accept(event)).inbox_id)
            except StoreError:
                lost.append(event)
    assert kept
    assert len(lost) > 5
    assert [event for event in lost if await store.seen(event)] == []
    await answer(store, inbound("later", lane="another"), LARGE)
    for event in lost:
        assert (await store.accept(event)).fresh
    await store.close()
    await store.open()  # checks the file
    assert (await store.figures()).waiting == {"bot-1": 100}
    assert len(await store.waiting_lanes(["bot-1"], (), 200, NOON)) == 100
    await store.close()
