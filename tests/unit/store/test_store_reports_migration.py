"""A store that comes from version 3 is as one that was always here: what version 4 counts is counted from its rows."""

import sqlite3
from contextlib import closing
from pathlib import Path

from runner.conversations.models import AssistantMessage, UserMessage, message_to_json
from runner.money.amounts import Money
from runner.ports.books import Correction, Settlement
from runner.ports.mail import OutboxState
from runner.store.sqlite.migration import load_migrations, migrate
from runner.store.sqlite.queries import load_queries
from runner.store.sqlite.store import SqliteStore
from tests.contract.stores.examples import DAY, NOON, UNKNOWN, answer, held, inbound, scope, spent

SQL = load_queries()
SHIPPED = load_migrations()
SENT = OutboxState.SENT

COUNTED = {
    "usage_days": """
        SELECT bot, platform, feature, task, provider, model, route, day, cost, unknown, calls, retries,
               input_tokens, output_tokens, cache_read_tokens, reasoning_tokens
        FROM usage_days JOIN usage_keys ON id = key ORDER BY bot, model, route, day
    """,
    "usage_user_days": """
        SELECT bot, platform, model, route, day, usage_users.user, cost, unknown, calls, retries, input_tokens
        FROM usage_user_days
        JOIN usage_keys ON usage_keys.id = key JOIN usage_users ON usage_users.id = usage_user_days.user
        ORDER BY bot, model, route, day, usage_users.user
    """,
    "conversation_sums": "SELECT * FROM conversation_sums ORDER BY 1",
    "traffic_days": "SELECT * FROM traffic_days ORDER BY bot, day, platform",
    "active_users": "SELECT * FROM active_users ORDER BY day, bot, platform, user",
    "conversations": "SELECT id, user, turns, messages FROM conversations ORDER BY id",
    "turns": "SELECT turn, iif(messages, first_seq, 0), messages FROM turns ORDER BY turn",
}


def asked(text: str) -> str:
    return message_to_json(UserMessage(text))


def said(text: str) -> str:
    return message_to_json(AssistantMessage(text))


async def live(store: SqliteStore) -> None:
    """Some of everything that is counted."""
    await answer(store, inbound("e1"), asked("1"), said("1"), parts=2, first_state=SENT)
    await answer(store, inbound("e2"), user="ben", stop_reason="budget", parts=1, platform="slack")
    await answer(store, inbound("e3"), asked("3"), said("3"), said("3"), user="ben")
    await answer(store, inbound("e4", lane="b", bot="bot-2", at_ms=NOON + DAY), asked("4"), said("4"))
    await spent(store, "t1.1", 5, turn="t1", model="m")
    await spent(store, "t1.2", 6, turn="t1", model="m", number=2, route="fallback")
    await spent(store, "t2.1", 7, turn="t2", user="ben", platform="slack")
    await spent(store, "t4.1", 8, turn="t4", bot="bot-2", conversation="c4", time_ms=NOON + DAY)
    await held(store, "t3.1", scope(), turn="t3", user="ben")
    await store.settle(Settlement("t3.1", UNKNOWN))
    await store.correct(Correction("t3.1", Money(3), "invoice", NOON + 2 * DAY))
    await held(store, "t3.2", scope(), turn="t3", user="ben")


def columns(connection: sqlite3.Connection, table: str) -> str:
    return ", ".join(f'"{row[1]}"' for row in connection.execute(f"PRAGMA table_info({table})"))


def as_version_3(path: Path, older: Path) -> sqlite3.Connection:
    """The same rows in a store of version 3."""
    connection = sqlite3.connect(older, isolation_level=None)
    migrate(connection, SQL, SHIPPED[:3], 1)
    connection.execute(f"ATTACH '{path}' AS now")
    tables = connection.execute(
        "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    for (table,) in tables:
        if table != "migrations":
            names = columns(connection, table)
            connection.execute(f"INSERT INTO main.{table} ({names}) SELECT {names} FROM now.{table}")
    connection.execute("DETACH now")
    return connection


async def test_what_was_not_counted_is_counted_afterwards(store: SqliteStore, path: Path) -> None:
    await live(store)
    await store.close()
    with closing(sqlite3.connect(path)) as now, closing(as_version_3(path, path.with_name("old.db"))) as old:
        migrate(old, SQL, SHIPPED, 2)
        for table, query in COUNTED.items():
            found = old.execute(query).fetchall()
            assert found == now.execute(query).fetchall(), table
            assert found, table


async def test_what_follows_is_counted_on(store: SqliteStore, path: Path) -> None:
    await live(store)
    await store.close()
    older = path.with_name("old.db")
    as_version_3(path, older).close()
    from_before = SqliteStore(older, store._clock)
    for one in (store, from_before):
        await one.open()
        await one.recover()
        await spent(one, "t5.1", 9, turn="t1", model="m")
        await answer(one, inbound("e5"), asked("5"), said("5"), user="carl")
        await one.close()
    with closing(sqlite3.connect(path)) as now, closing(sqlite3.connect(older)) as old:
        for table, query in COUNTED.items():
            assert old.execute(query).fetchall() == now.execute(query).fetchall(), table


async def test_messages_of_nobody_stay_without_a_turn(store: SqliteStore, path: Path) -> None:
    """Texts that are no message of ours, or more of them than turns: nothing is guessed."""
    await answer(store, inbound("e1"), "no json", said("1"))
    await answer(store, inbound("e2", lane="b"), asked("2"), asked("twice"), said("2"))
    await store.close()
    with closing(as_version_3(path, path.with_name("old.db"))) as old:
        migrate(old, SQL, SHIPPED, 2)
        assert old.execute("SELECT turn, messages FROM turns").fetchall() == [("t1", 0), ("t2", 0)]
        assert old.execute("SELECT id, messages FROM conversations").fetchall() == [("c1", 2), ("c2", 3)]


async def test_of_what_was_pruned_the_turns_are_counted(store: SqliteStore, path: Path) -> None:
    """Of a message that is gone the day is that of its turn's end, and it had one reply at the least."""
    await answer(store, inbound("e1"), asked("1"), said("1"), parts=3, first_state=SENT, at_ms=NOON + DAY)
    await store.prune(NOON + 2 * DAY, 0)
    await store.close()
    with closing(as_version_3(path, path.with_name("old.db"))) as old:
        migrate(old, SQL, SHIPPED, 2)
        found = old.execute("SELECT day, received, sent, conversations, users, last_ms FROM traffic_days")
        assert found.fetchall() == [((NOON + DAY) // DAY, 1, 1, 1, 1, NOON + DAY)]
