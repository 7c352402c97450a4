"""What the doctor finds in the store: a file, or a database that daemons share.

Rules: it is only read, beside running daemons; one that cannot be read is a fact, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from runner.cli.doctor_facts import StoreFacts, StuckSend
from runner.clock import Clock, UnixMs
from runner.errors import StoreError

if TYPE_CHECKING:
    from runner.ports.reading import StoreReader, Unsent

STUCK_MS = 15 * 60_000
MOST_SENDS = 50


async def store_facts(path: Path, now: UnixMs) -> StoreFacts | None:
    """The store, looked through; None: there is none yet."""
    from runner.store.sqlite.examining import examine
    from runner.store.sqlite.migration import load_migrations
    from runner.store.sqlite.queries import load_queries
    from runner.store.sqlite.reader import reader_of
    from runner.store.sqlite.tending import unsent

    if not _holds_something(path):
        return None
    newest = load_migrations()[-1].version
    try:
        found = await asyncio.to_thread(examine, path, load_queries(), newest)
        if not found.is_good or found.schema < newest:
            return StoreFacts(str(path), found.size, found.fault, newest - found.schema)
        books = reader_of(path)
        await books.open()
        stuck = await asyncio.to_thread(unsent, path, MOST_SENDS)
        return await _what_is_open(str(path), found.size, now, books, stuck)
    except StoreError as error:
        return StoreFacts(str(path), fault=str(error))


def _holds_something(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


async def database_facts(url: str, now: UnixMs, clock: Clock) -> StoreFacts | None:
    """The same of a PostgreSQL database; None: there are no tables of ours in it yet."""
    from runner.cli.store_database import shown_address
    from runner.store.postgres.reader import info_at, reader_at

    name = shown_address(url)
    try:
        info = await info_at(url, clock)
        if info.schema < info.newest:
            behind = info.newest - info.schema
            return StoreFacts(name, info.size, behind=behind, is_database=True) if info.schema else None
        books = reader_at(url, clock)
        await books.open()
        try:
            wrong = "; ".join(map(str, await books.verify_books()))
            if wrong:
                return StoreFacts(name, info.size, f"its books do not add up: {wrong}", is_database=True)
            found = await _what_is_open(name, info.size, now, books, await books.unsent(MOST_SENDS))
            return replace(found, is_database=True)
        finally:
            await books.close()
    except StoreError as error:
        why = str(error).removeprefix(name.partition("//")[2]).strip(" :")
        return StoreFacts(name, fault=why, is_database=True)


async def _what_is_open(
    name: str, size: int, now: UnixMs, books: StoreReader, unsent: Sequence[Unsent]
) -> StoreFacts:
    from runner.money.amounts import Money, to_usd
    from runner.money.reservation import ReservationState
    from runner.ports.books import LedgerFilter

    sends = [
        StuckSend(one.outbox, one.bot, one.channel, one.state, one.why, now - one.since_ms) for one in unsent
    ]
    rows = [row async for row in books.ledger(LedgerFilter(state=ReservationState.UNKNOWN))]
    righted = {row.corrects for row in rows}
    unknown = [row for row in rows if not row.corrects and row.attempt.id not in righted]
    return StoreFacts(
        path=name,
        size=size,
        sends=tuple(one for one in sends if one.state == "unknown" or one.late_ms > STUCK_MS),
        unknown_calls=len(unknown),
        unknown_usd=to_usd(Money(sum(row.cost for row in unknown))),
        aside=tuple(f"{one.provider}/{one.model}" for one in await books.quarantined()),
        latest_ms=await books.latest_ms(),
    )
