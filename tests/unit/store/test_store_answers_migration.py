"""A store that comes from version 4: its conversations go on, without a tier, without heads; nothing is kept."""

import sqlite3
from contextlib import closing
from pathlib import Path

from runner.clock import SystemClock
from runner.money.amounts import Money
from runner.ports.answers import KeptAnswer
from runner.ports.mail import ConversationState, PreparedHead
from runner.store.sqlite.migration import load_migrations, migrate
from runner.store.sqlite.queries import load_queries
from runner.store.sqlite.store import SqliteStore
from tests.contract.stores.examples import NOON, inbound, work_on


def of_version_4(path: Path) -> None:
    """A store with one conversation."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection, load_queries(), load_migrations()[:4], 1)
        connection.execute(
            "INSERT INTO conversations (id, lane, bot, channel, started_ms, last_ms, first_seq, next_seq)"
            " VALUES ('c1', 'lane-1', 'bot-1', 'telegram', ?, ?, 0, 2)",
            (NOON, NOON),
        )
        connection.executemany("INSERT INTO messages VALUES ('c1', ?, ?)", [(0, "question"), (1, "answer")])


async def test_a_conversation_goes_on_without_a_head(path: Path) -> None:
    of_version_4(path)
    store = SqliteStore(path, SystemClock())
    await store.open()
    try:
        await store.accept(inbound("e1"))
        work = await work_on(store)
        assert work.conversation == ConversationState("c1", NOON, NOON, first_seq=0, next_seq=2)
        assert work.history == ("question", "answer")
        await store.prepare_head("c1", PreparedHead(1, "a summary"))
        work = await work_on(store)
        assert work.conversation is not None
        assert work.conversation.prepared == PreparedHead(1, "a summary")
        await store.keep_answer(KeptAnswer("k", "bot-1", "text", Money(1), NOON, NOON + 1))
        assert await store.forget_answers("bot-1") == 1
    finally:
        await store.close()
