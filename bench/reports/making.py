"""A year of a busy host, written in bulk: the ledger as version 3 of the schema had it, and the last month's talk.

Rules: rows go in by the hundred thousand, without the store's triggers; the sums by day come from the migration to the
schema of today, whose time is taken. Who talks to whom is drawn by Zipf's law: few bots and few people make most
of it; whoever begins to talk sends one to seven messages in a row.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from runner.store.sqlite.migration import load_migrations, migrate
from runner.store.sqlite.queries import load_queries

BEFORE_SUMS = 3
"""The last version of the schema without sums by day."""
DAYS = 366
FIRST_DAY = 20_454
"""2026-01-01; the year ends with 2027-01-01."""
TALK_DAYS = 30
MS_PER_DAY = 86_400_000
BOTS = 100
PEOPLE = 40_000
AT_ONCE = 100_000

_LEDGER = """
INSERT INTO ledger (
    id, time_ms, bot, platform, channel, conversation, user, turn, provider, model, price_version, feature, task,
    route, route_reason, billing_mode, number, iteration, scopes, state, hold, cost, input_tokens, output_tokens,
    cache_read_tokens, request_id, stop_reason, latency_ms
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'bench', ?, '', ?, '', 'wallet', ?, ?, '[]', ?, ?, ?, ?, ?, ?, '', 'end', 800)
"""
_TALK = (
    """
    INSERT INTO conversations (id, lane, bot, channel, started_ms, last_ms, first_seq, next_seq)
    SELECT conversation, conversation, bot, channel, min(time_ms), max(time_ms), 0, 2 * count(DISTINCT turn)
    FROM ledger WHERE time_ms >= :since GROUP BY conversation
    """,
    """
    INSERT INTO turns (turn, bot, channel, conversation, user, stop_reason, at_ms, report)
    SELECT turn, bot, channel, conversation, user, 'answered', max(time_ms), '{}'
    FROM ledger WHERE time_ms >= :since AND corrects = '' GROUP BY turn
    """,
    """
    INSERT INTO messages
    SELECT conversation, 2 * (row_number() OVER (PARTITION BY conversation ORDER BY turns.rowid) - 1) + half.value,
           iif(half.value, '{"role":"assistant","text":"said"}', '{"role":"user","text":"asked"}')
    FROM turns, json_each('[0, 1]') AS half
    """,
)
_TRAFFIC = (
    "DELETE FROM active_users",
    "DELETE FROM traffic_days",
    """
    INSERT INTO active_users
    SELECT DISTINCT day, bot, platform, usage_users.user
    FROM usage_user_days
    JOIN usage_keys ON usage_keys.id = key
    JOIN usage_users ON usage_users.id = usage_user_days.user
    """,
    """
    INSERT INTO traffic_days
    SELECT bot, day, platform, 2 * count(*), 2 * count(*), count(*), count(*), day * 86400000
    FROM active_users GROUP BY bot, day, platform
    """,
)


@dataclass(frozen=True, slots=True)
class Made:
    """How long it took, in seconds, and how large the file is, in bytes."""

    writing_s: float
    migration_s: float
    size_before: int
    size: int


def make(path: Path, rows: int, progress: Callable[[int], None]) -> Made:
    """A store at `path` with so many rows in its ledger; `progress` is told how many more are written."""
    sql = load_queries()
    steps = load_migrations()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for setting in ("journal_mode = WAL", "synchronous = OFF", "cache_size = -262144"):
            connection.execute(f"PRAGMA {setting}")
        migrate(connection, sql, steps[:BEFORE_SUMS], 0)
        begun = time.perf_counter()
        _write(connection, calls(rows), progress)
        connection.execute("BEGIN")
        for statement in _TALK:
            connection.execute(statement, {"since": (FIRST_DAY + DAYS - TALK_DAYS) * MS_PER_DAY})
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        written, size_before = time.perf_counter(), path.stat().st_size
        # The migration is timed as the daemon runs it.
        connection.execute("PRAGMA cache_size = -2000")
        connection.execute("PRAGMA synchronous = FULL")
        migrate(connection, sql, steps, 0)
        migrated = time.perf_counter()
        connection.execute("BEGIN")
        for statement in _TRAFFIC:
            connection.execute(statement)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return Made(written - begun, migrated - written, size_before, path.stat().st_size)


def _write(
    connection: sqlite3.Connection, rows: Iterator[tuple[object, ...]], progress: Callable[[int], None]
) -> None:
    while some := list(islice(rows, AT_ONCE)):
        connection.execute("BEGIN")
        connection.executemany(_LEDGER, some)
        connection.execute("COMMIT")
        progress(len(some))


def bot_name(rank: int) -> str:
    """The bot of that rank; 0 is the one that is used most."""
    return f"bot-{rank:03}"


def calls(rows: int, seed: int = 7) -> Iterator[tuple[object, ...]]:
    """Ledger rows by time, spread over the year; a turn has one to three calls."""
    dice = random.Random(seed)
    for made, (turn, iteration, person) in enumerate(islice(_talking(dice), rows)):
        moment = FIRST_DAY * MS_PER_DAY + DAYS * MS_PER_DAY * made // rows
        yield _call(dice, turn, iteration, moment, *person)


def _talking(dice: random.Random) -> Iterator[tuple[int, int, tuple[int, str, str]]]:
    """Turn, iteration and person of each call, for ever."""
    people, weights = _people(dice)
    turn = 0
    while True:
        for person in dice.choices(people, cum_weights=weights, k=10_000):
            for _ in range(dice.randint(1, 7)):
                turn += 1
                for iteration in range(1, dice.choice((1, 1, 2, 3)) + 1):
                    yield turn, iteration, person


def _people(dice: random.Random) -> tuple[list[tuple[int, str, str]], list[float]]:
    """Who talks to which bot, and how often, summed up."""
    people = []
    weights: list[float] = []
    total = 0.0
    bots = dice.choices(range(BOTS), weights=[1 / (rank + 1) for rank in range(BOTS)], k=PEOPLE)
    for rank, bot in enumerate(bots):
        platform = ("telegram", "discord", "slack")[bot % 3] if rank % 5 else "custom"
        people.append((bot, platform, str(100_000_000 + rank)))
        total += 1 / (rank + 50) ** 0.6
        weights.append(total)
    return people, weights


def _call(
    dice: random.Random, turn: int, iteration: int, moment: int, bot: int, platform: str, user: str
) -> tuple[object, ...]:
    chance = dice.random()
    again = chance < 0.02
    feature = "chat" if chance < 0.9 else ("summary", "transcribe", "test")[int(chance * 1000) % 3]
    state = "settled" if chance < 0.985 else ("released" if chance < 0.995 else "unknown")
    tokens_in, tokens_out = 200 + int(chance * 9000), 50 + int(chance * 700) % 500
    cost = 0 if state == "released" else tokens_in * 1_000_000 + tokens_out * 5_000_000
    return (
        *(
            f"t{turn}.{iteration}",
            moment,
            bot_name(bot),
            platform,
            platform,
            f"c{user}-{turn // 50_000}",
            user,
        ),
        *(f"t{turn}", ("openai", "anthropic")[bot % 2], f"model-{(bot + again) % 7}", feature),
        *("fallback" if again else ("cheap" if chance > 0.7 else "default"), 1 + again, iteration, state),
        *(cost, cost, tokens_in, tokens_out, tokens_in // 2),
    )
