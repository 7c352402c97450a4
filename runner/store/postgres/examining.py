"""A database looked through, and brought up to date by hand.

Rules: it is read at one moment, beside running daemons; the server looks after its pages, so that only the books are
reckoned anew. A migration goes on beside daemons, too: `runner.store.postgres.migration`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from runner.clock import Clock
from runner.money.ledger import Difference
from runner.store.postgres.address import address_of
from runner.store.postgres.connection import QUIET, connect, hang_up
from runner.store.postgres.migration import load_migrations, migrate, schema_of
from runner.store.postgres.reader import reader_at
from runner.store.queries import load_queries

NAME = "botrunner/migration"
"""What the server's lists show."""
_SQL = Path(__file__).parent / "sql"


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found; `differences`: scopes whose counter is not the sum of their ledger rows. `size`: bytes."""

    schema: int
    size: int
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Steps:
    """What a database's schema is, and what brings it to ours: versions with their names."""

    schema: int
    newest: int
    steps: tuple[tuple[int, str], ...]


async def examine(url: str, clock: Clock) -> Examined:
    """Reckon the books anew. Raises StoreRefused and StoreError."""
    reader = reader_at(url, clock)
    await reader.open()
    try:
        found = await reader.info()
        return Examined(found.schema, found.size, tuple(await reader.verify_books()))
    finally:
        await reader.close()


async def bring_up_to_date(url: str, clock: Clock, *, dry_run: bool = False) -> Steps:
    """Make the tables, or bring them up to date; what was to be done. `dry_run`: only look.

    Raises:
        StoreRefused: the schema is not ours or too new, or daemons run that could not work with the newer one.
        StoreError: it could not be done this time; the steps before stay.
    """
    sql, steps = load_queries(_SQL), load_migrations()
    connection = await connect(address_of(url), NAME, sql, QUIET)
    try:
        version = (await schema_of(connection, sql)).version
        missing = tuple((step.version, step.name.replace("_", " ")) for step in steps[version:])
        if missing and not dry_run:
            await migrate(connection, sql, steps, clock)
        return Steps(version, steps[-1].version, missing)
    finally:
        await hang_up(connection)
