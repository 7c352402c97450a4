"""Reading a PostgreSQL store beside its daemons, and without one."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from runner.clock import SystemClock
from runner.errors import StoreError, StoreRefused
from runner.money.budget import Counter
from runner.money.ledger import Difference
from runner.money.reservation import ReservationState
from runner.ports.books import LedgerFilter, Settlement
from runner.ports.mail import OutboxState
from runner.store.catalogue import open_reader
from runner.store.postgres.address import address_of
from runner.store.postgres.reader import PostgresReader, info_at, reader_at
from runner.store.postgres.store import PostgresStore
from runner.testing.postgres_server import PostgresServer
from tests.contract.stores.examples import NOON, UNKNOWN, answer, held, inbound, scope, settled, spent

ALL = LedgerFilter()
CLOCK = SystemClock()


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(address_of(postgres_url), CLOCK, writers=1)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def reader(postgres_url: str) -> AsyncIterator[PostgresReader]:
    reader = reader_at(postgres_url, CLOCK)
    await reader.open()
    yield reader
    await reader.close()


async def names(reader: PostgresReader, **which: object) -> list[str]:
    return [row.attempt.id async for row in reader.ledger(LedgerFilter(**which))]  # type: ignore[arg-type]


async def run(url: str, *statements: str) -> None:
    """As the database's owner, past all daemons."""
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_what_its_daemons_wrote_is_there(store: PostgresStore, reader: PostgresReader) -> None:
    await held(store, "a1")
    await store.settle(settled("a1"))
    await held(store, "a2", time_ms=NOON + 1)
    lost, sent = await answer(store, inbound("e1"), "q", parts=2)
    await store.end_sending(lost, OutboxState.UNKNOWN, "no answer")
    await store.end_sending(sent, OutboxState.SENT)
    await store.accept(inbound("e2", at_ms=NOON + 5))

    assert await reader.counters() == {"bot:bot-1": Counter(settled=700, held=1100)}
    assert await names(reader) == ["a1", "a2"]
    assert [(group.key, group.cost) for group in await reader.usage(ALL, ["bot"])] == [(("bot-1",), 700)]
    assert [top.key for top in await reader.top_users(ALL, 9)] == [("bot-1", "anna")]
    assert [part.id for part in await reader.outgoing(OutboxState.UNKNOWN, 9)] == [lost]
    assert [part.id for part in await reader.outgoing(OutboxState.SENT, 9)] == [sent]
    figures = await reader.figures()
    assert (figures.waiting, figures.outbox, figures.oldest_ms) == (
        {"bot-1": 1},
        {"unknown": 1},
        {"bot-1": NOON + 5},
    )
    assert [line.id for line in await reader.conversations("bot-1", 9)] == ["c1"]
    assert [day.received for day in await reader.traffic("bot-1", "2026-01-01", "2026-01-01")] == [1]
    assert await reader.unique_users(None, "2026-01-01", "2026-01-01") == 1
    assert (await reader.bot_facts(["bot-1"]))["bot-1"].messages == 3
    found = await reader.transcript("c1")
    assert found is not None
    assert [(turn.turn, turn.calls) for turn in found.turns] == [("t1", 1)]
    assert await reader.recent("bot-1", "telegram", 9) == ['{"event":"e2"}']
    assert await reader.latest_ms() == NOON + 5
    assert await reader.quarantined() == []
    assert await reader.verify_books() == []
    [unsent] = await reader.unsent(9)
    assert (unsent.outbox, unsent.state, unsent.why, unsent.since_ms) == (lost, "unknown", "no answer", NOON)


async def test_the_ledger_comes_in_pages_and_none_of_it_twice(
    store: PostgresStore, reader: PostgresReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.store.postgres.ledger.PAGE", 3)
    wanted = []
    for number in range(8):
        await spent(store, f"a{number}", time_ms=NOON + number // 4, bot="bot-2" if number == 5 else "bot-1")
        wanted.append(f"a{number}")
    assert await names(reader) == wanted
    assert await names(reader, bot="bot-1") == [name for name in wanted if name != "a5"]
    assert await names(reader, from_ms=NOON + 1) == wanted[4:]
    assert await names(reader, to_ms=NOON + 1) == wanted[:4]
    for number in range(4):
        await held(store, f"lost {number}", scope())
        await store.settle(Settlement(f"lost {number}", UNKNOWN))
    assert await names(reader, state=UNKNOWN) == [f"lost {number}" for number in range(4)]
    assert await names(reader, state=ReservationState.HELD) == []


async def test_what_comes_while_it_is_read_is_read_too(
    store: PostgresStore, reader: PostgresReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.store.postgres.ledger.PAGE", 2)
    for number in range(2):
        await spent(store, f"a{number}", time_ms=NOON + number)
    found = []
    async for row in reader.ledger(ALL):
        found.append(row.attempt.id)
        if row.attempt.id == "a1":
            await spent(store, "late", time_ms=NOON + 9)
    assert found == ["a0", "a1", "late"]


async def test_only_the_latest_messages_are_looked_at(
    store: PostgresStore, reader: PostgresReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.store.postgres.mail_reads.MOST_LOOKED_AT", 3)
    for event, lane in (("e1", "old"), ("e2", "a"), ("e3", "b"), ("e4", "a")):
        await store.accept(inbound(event, lane=lane))
    await store.accept(inbound("e5", lane="other", bot="bot-2"))
    assert await reader.recent("bot-1", "telegram", 9) == ['{"event":"e3"}', '{"event":"e4"}']


async def test_a_counter_that_is_not_the_sum_of_its_rows_is_found(
    store: PostgresStore, reader: PostgresReader, postgres_url: str
) -> None:
    for number in range(3):
        await held(store, f"a{number}", scope(), scope("wide", None))
    await store.settle(settled("a0", 700))
    await store.settle(Settlement("a1", UNKNOWN))
    assert await reader.verify_books() == []
    await run(
        postgres_url,
        "UPDATE scopes SET unknown = 7 WHERE name = 'wide'",
        "INSERT INTO scopes (name, settled) VALUES ('nobody', 5)",
    )
    assert await reader.verify_books() == [
        Difference("nobody", Counter(settled=5), Counter()),
        Difference("wide", Counter(700, 7, 1100), Counter(700, 1100, 1100)),
    ]


async def test_a_reader_cannot_write(reader: PostgresReader) -> None:
    with pytest.raises(StoreError):
        await reader._desk.read(lambda connection: connection.execute("DELETE FROM scopes"))


async def test_it_reads_nothing_once_it_is_closed(reader: PostgresReader) -> None:
    await reader.close()
    with pytest.raises(StoreError, match="not open"):
        await reader.counters()


async def test_what_a_database_is_like(store: PostgresStore, postgres_url: str) -> None:
    await answer(store, inbound("e1"), "q", "a", parts=1)
    found = await info_at(postgres_url, CLOCK)
    assert found.schema >= found.newest
    assert (found.rows["inbox"], found.rows["messages"], found.rows["ledger"]) == (1, 2, 0)
    assert found.oldest_message_ms == NOON
    assert set(found.rows) <= set(found.sizes)
    assert found.size > sum(found.sizes.values()) > 0


async def refusal(url: str) -> str:
    with pytest.raises(StoreRefused) as refused:
        await reader_at(url, CLOCK).open()
    return str(refused.value)


async def test_what_is_no_store_of_ours_is_refused(postgres: PostgresServer) -> None:
    url = postgres.url(postgres.fresh())
    assert "there is no store in it" in await refusal(url)
    assert (await info_at(url, CLOCK)).rows == {}
    await run(url, "CREATE TABLE others (id integer)")
    assert "another program" in await refusal(url)
    assert "no database of that name" in await refusal(postgres.url("nowhere"))


@pytest.mark.parametrize("oldest", [1, 10_000])
async def test_a_newer_schema_is_read_where_it_says_so(
    postgres: PostgresServer, postgres_url: str, oldest: int
) -> None:
    database = postgres.fresh(postgres_url.rpartition("/")[2])
    url = postgres.url(database)
    await run(
        url,
        f"INSERT INTO schema_steps (version, name, oldest, applied_ms) VALUES (10000, 'later', {oldest}, 0)",
    )
    if oldest > 1:
        assert "install the newer one" in await refusal(url)
        return
    reader = reader_at(url, CLOCK)
    await reader.open()
    try:
        assert await reader.counters() == {}
    finally:
        await reader.close()


async def test_where_nobody_listens_is_an_error_without_a_password(tmp_path: Path) -> None:
    reader = open_reader("postgresql://me:hush@127.0.0.1:1/db", tmp_path)
    with pytest.raises(StoreError) as error:
        await reader.open()
    assert "hush" not in f"{error.value}{error.value!r}"
    assert "127.0.0.1:1" in str(error.value)
