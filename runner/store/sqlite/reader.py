"""Long reads, beside the writer and never in its way; also for commands beside a running daemon, or without one.

Rules: each read has a connection of its own that can only read and is gone when it ends (its thread would keep
a process alive that forgot to close it); it needs no lock; between two pages of the ledger nothing is open, so a
slow reader does not stop the database from tidying up. What takes several queries (reports, `verify_books`) sees
all of it at one moment.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from runner.errors import StoreError
from runner.money.budget import Counter
from runner.money.ledger import Difference, LedgerEntry
from runner.money.reservation import ReservationState
from runner.ports.books import LedgerFilter, Quarantine, UsageSum
from runner.ports.mail import OutboxState, Outgoing
from runner.ports.reports import MOST_TURNS, BotFacts, ConversationLine, DayTraffic, Transcript
from runner.ports.stores import StoreFigures
from runner.store.rows import counters_from, entry_from
from runner.store.rules import figures_of
from runner.store.sqlite.connection import LOCK_WAIT_S, check_readable, check_there, read_only_uri
from runner.store.sqlite.conversations import ConversationReads
from runner.store.sqlite.deposits import QuarantineRows
from runner.store.sqlite.examining import differences
from runner.store.sqlite.faults import store_error
from runner.store.sqlite.migration import load_migrations
from runner.store.sqlite.money import (
    filter_arguments,
)
from runner.store.sqlite.outbox import outgoing_from
from runner.store.sqlite.queries import Queries, load_queries
from runner.store.sqlite.traffic import TrafficRows
from runner.store.sqlite.usage import UsageReads

T = TypeVar("T")

PAGE = 500
"""Ledger rows read at once."""
MOST_LOOKED_AT = 10_000
"""Messages of a channel among which its latest lanes are looked for."""


def reader_of(path: Path) -> SqliteReader:
    """A reader of that file by itself, without a store; not yet opened."""
    return SqliteReader(path, load_queries(), load_migrations()[-1].version)


class SqliteReader:
    """Reads a store's file. `open` it before use, `close` it after.

    `newest` is the schema version that this code knows.
    """

    def __init__(self, path: Path, sql: Queries, newest: int) -> None:
        self._path = path
        self._newest = newest
        self._sql = sql
        self._usage = UsageReads(sql)
        self._traffic = TrafficRows(sql)
        self._talks = ConversationReads(sql)
        self._aside = QuarantineRows(sql)
        self._is_open = False

    async def open(self) -> None:
        """Check what is to be read.

        Raises:
            StoreRefused: there is no store, or its schema is not ours.
        """
        check_there(self._path)
        [(version,)] = await self._ask(self._sql["schema_version"], ())
        check_readable(self._path, version, self._newest)
        self._is_open = True

    async def close(self) -> None:
        """Refuse from now on; again: does nothing."""
        self._is_open = False

    async def counters(self) -> dict[str, Counter]:
        """All scopes."""
        return counters_from(await self._rows(self._sql["counters"], ()))

    async def ledger(self, which: LedgerFilter) -> AsyncIterator[LedgerEntry]:
        """As `Store.ledger`."""
        arguments = filter_arguments(which)
        if which.turn is not None:
            for row in await self._rows(self._sql["ledger_of_turn"], arguments):
                yield entry_from(row)
            return
        # (from, -1) comes before the first row of that moment.
        after: dict[str, object] = {"after_ms": arguments["from_ms"], "after_seq": -1, "limit": PAGE}
        query = "unknown_page" if which.state is ReservationState.UNKNOWN else "ledger_page"
        while page := await self._rows(self._sql[query], {**arguments, **after}):
            for row in page:
                yield entry_from(row)
            after = {**after, "after_ms": page[-1][2], "after_seq": page[-1][0]}

    async def usage(self, which: LedgerFilter, by: Sequence[str], limit: int | None = None) -> list[UsageSum]:
        """As `Store.usage`."""
        return await self.look(lambda c: self._usage.usage(c, which, by, limit))

    async def top_users(self, which: LedgerFilter, limit: int) -> list[UsageSum]:
        """As `Store.top_users`."""
        return await self.usage(which, ("bot", "user"), limit)

    async def bot_facts(self, bots: Collection[str]) -> dict[str, BotFacts]:
        """As `Store.bot_facts`."""
        return await self.look(lambda c: self._traffic.facts(c, bots))

    async def traffic(self, bot: str | None, first_day: str, last_day: str) -> list[DayTraffic]:
        """As `Store.traffic`."""
        return await self.look(lambda c: self._traffic.by_day(c, bot, first_day, last_day))

    async def unique_users(self, bot: str | None, first_day: str, last_day: str) -> int:
        """As `Store.unique_users`."""
        return await self.look(lambda c: self._traffic.users(c, bot, first_day, last_day))

    async def conversations(
        self, bot: str | None, limit: int, before: tuple[int, str] | None = None, user: str | None = None
    ) -> list[ConversationLine]:
        """As `Store.conversations`."""
        return await self.look(lambda c: self._talks.page(c, bot, user, limit, before))

    async def transcript(self, conversation: str, latest: int = MOST_TURNS) -> Transcript | None:
        """As `Store.transcript`."""
        return await self.look(lambda c: self._talks.transcript(c, conversation, latest))

    async def outgoing(self, state: OutboxState, limit: int, after_id: int = 0) -> list[Outgoing]:
        """As `Store.outgoing`."""
        if state is OutboxState.SENT:
            return outgoing_from(await self._rows(self._sql["sent"], (after_id, limit)))
        return outgoing_from(await self._rows(self._sql["unsent"], (state, after_id, limit)))

    async def recent(self, bot: str, channel: str, limit: int) -> list[str]:
        """As `Store.recent`, among the latest `MOST_LOOKED_AT` messages."""
        asked = {"bot": bot, "channel": channel, "looked_at": MOST_LOOKED_AT, "limit": limit}
        return [payload for (payload,) in await self._rows(self._sql["recent"], asked)]

    async def figures(self) -> StoreFigures:
        """As `Store.figures`."""
        waiting = await self._rows(self._sql["waiting_by_bot"], ())
        outbox = await self._rows(self._sql["unsent_by_state"], ())
        [(doubled,)] = await self._rows(self._sql["possibly_doubled"], ())
        return figures_of(waiting, dict(outbox), doubled)

    async def verify_books(self) -> list[Difference]:
        """Each scope whose counter is not the sum of its rows."""
        return await self._in_thread(lambda c: differences(c, self._sql))

    async def quarantined(self) -> list[Quarantine]:
        """As `BookStore.quarantined`."""
        return await self.look(self._aside.all)

    async def latest_ms(self) -> int | None:
        """When the latest message was accepted, Unix ms; None: none is kept."""
        rows = await self._rows(self._sql["latest_message"], ())
        return int(rows[0][0]) if rows else None

    async def look(self, unit: Callable[[sqlite3.Connection], T]) -> T:
        """Run reads at one moment of the store."""
        if not self._is_open:
            raise StoreError("the store is not open for reading")
        return await self._in_thread(unit)

    async def _in_thread(self, unit: Callable[[sqlite3.Connection], T]) -> T:
        reading: list[sqlite3.Connection] = []
        try:
            return await asyncio.to_thread(self._at_once, unit, reading)
        finally:
            # Where nobody waits any more, the thread must not go on for a minute: it would hold up a stop.
            for connection in reading:
                connection.interrupt()

    def _at_once(self, unit: Callable[[sqlite3.Connection], T], reading: list[sqlite3.Connection]) -> T:
        """Run reads on a connection of their own, which is in `reading` while it is open."""
        try:
            with closing(
                sqlite3.connect(
                    read_only_uri(self._path), uri=True, timeout=LOCK_WAIT_S, isolation_level=None
                )
            ) as connection:
                reading.append(connection)
                try:
                    connection.execute(self._sql["cache_much"])
                    connection.execute(self._sql["begin_read"])
                    return unit(connection)
                finally:
                    reading.remove(connection)
        except sqlite3.Error as error:
            raise store_error(error) from error

    async def _rows(
        self, query: str, arguments: Sequence[object] | Mapping[str, object]
    ) -> list[tuple[Any, ...]]:
        if not self._is_open:
            raise StoreError("the store is not open for reading")
        return await self._ask(query, arguments)

    async def _ask(
        self, query: str, arguments: Sequence[object] | Mapping[str, object]
    ) -> list[tuple[Any, ...]]:
        try:
            async with aiosqlite.connect(
                read_only_uri(self._path), uri=True, timeout=LOCK_WAIT_S, isolation_level=None
            ) as connection:
                return [tuple(row) for row in await connection.execute_fetchall(query, arguments)]
        except sqlite3.Error as error:
            raise store_error(error) from error
