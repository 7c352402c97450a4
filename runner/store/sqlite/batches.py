"""The tables `batches`, `batch_lines` and `schedules`.

    what decides or changes, and small reads ──▶ Writer        pages of lines, lists, sums ──▶ SqliteReader

Rule: a batch of ten thousand lines is written in one transaction, for all of it is held or nothing.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from runner.errors import IllegalStep
from runner.money.budget import Busy, Exhausted
from runner.ports.batches import (
    Batch,
    BatchFigures,
    BatchLine,
    Kept,
    LineEnd,
    OpenHold,
    check_batch_step,
)
from runner.ports.books import HoldRequest, Settled, Settlement
from runner.store.rows import batch_from, figures_from, line_end_from
from runner.store.rules import check_new_batch
from runner.store.sqlite.money import MoneyRows
from runner.store.sqlite.queries import Queries
from runner.store.sqlite.reader import SqliteReader
from runner.store.sqlite.writer import Writer


class SqliteBatches:
    """A `runner.ports.batches.BatchStore`."""

    def __init__(self, writer: Writer, reader: SqliteReader, sql: Queries, money: MoneyRows) -> None:
        self._writer = writer
        self._reader = reader
        self._sql = sql
        self._money = money

    async def add(
        self, batch: Batch, lines: Sequence[BatchLine], holds: Sequence[HoldRequest]
    ) -> Kept | Busy | Exhausted:
        """As the port says."""
        return await self._writer.write(lambda c: self._add(c, batch, lines, holds))

    def _add(
        self,
        connection: sqlite3.Connection,
        batch: Batch,
        lines: Sequence[BatchLine],
        holds: Sequence[HoldRequest],
    ) -> Kept | Busy | Exhausted:
        for row in connection.execute(self._sql["batch_of_key"], (batch.key,)):
            return Kept(batch_from(row), fresh=False)
        check_new_batch(batch, lines, holds)
        held = self._money.hold_all(connection, holds)
        if not isinstance(held, list):
            return held
        b, amount = batch, sum(each.amount for each in held)
        added = connection.execute(
            self._sql["add_batch"],
            (
                *(b.id, b.bot, b.provider, b.model, b.made_ms, b.lines, b.state, b.key, b.label, b.terms),
                *(amount, b.submitted_ms, b.ended_ms, b.why, int(not lines)),
            ),
        )
        if added.rowcount != 1:
            raise IllegalStep(f"batch {batch.id} exists already")
        connection.executemany(
            self._sql["add_batch_line"],
            ((b.id, line.number, line.custom_id, line.request, line.max_output_tokens) for line in lines),
        )
        return Kept(self._known(connection, b.id), fresh=True)

    async def batch(self, batch_id: str) -> Batch | None:
        """As the port says."""
        return await self._writer.read(lambda c: self._find(c, batch_id))

    async def batches(self, bot: str | None, limit: int) -> list[Batch]:
        """As the port says."""
        query = self._sql["batches" if bot is None else "batches_of_bot"]
        asked = {"bot": bot, "limit": limit}
        return await self._reader.look(lambda c: [batch_from(row) for row in c.execute(query, asked)])

    async def open_batches(self) -> list[Batch]:
        """As the port says."""
        return await self._writer.read(
            lambda c: [batch_from(row) for row in c.execute(self._sql["open_batches"])]
        )

    async def save(self, batch: Batch) -> Batch:
        """As the port says."""

        def unit(connection: sqlite3.Connection) -> Batch:
            check_batch_step(self._known(connection, batch.id).state, batch.state)
            connection.execute(
                self._sql["save_batch"],
                (
                    *(batch.state, batch.ending, batch.remote, batch.reached, batch.submitted_ms),
                    *(batch.ended_ms, batch.why, batch.id),
                ),
            )
            return self._known(connection, batch.id)

        return await self._writer.write(unit)

    async def ask_cancel(self, batch_id: str) -> Batch | None:
        """As the port says."""

        def unit(connection: sqlite3.Connection) -> Batch | None:
            connection.execute(self._sql["ask_cancel"], (batch_id,))
            return self._find(connection, batch_id)

        return await self._writer.write(unit)

    async def remotes(self) -> frozenset[str]:
        """As the port says."""
        return await self._reader.look(
            lambda c: frozenset(remote for (remote,) in c.execute(self._sql["batch_remotes"]))
        )

    async def lines(self, batch_id: str, after: int, limit: int) -> list[BatchLine]:
        """As the port says."""
        asked = (batch_id, after, limit)
        return await self._reader.look(
            lambda c: [BatchLine(*row) for row in c.execute(self._sql["batch_lines"], asked)]
        )

    async def open_holds(self, batch_id: str) -> list[OpenHold]:
        """As the port says."""
        return await self._reader.look(
            lambda c: [OpenHold(*row) for row in c.execute(self._sql["open_line_holds"], (batch_id,))]
        )

    async def settle_lines(self, settlements: Sequence[Settlement]) -> list[Settled | None]:
        """As the port says."""
        return await self._writer.write(lambda c: self._money.settle_all(c, settlements))

    async def line_ends(self, batch_id: str, after: int, limit: int) -> list[LineEnd]:
        """As the port says."""
        asked = (batch_id, after, limit)
        return await self._reader.look(
            lambda c: [line_end_from(row) for row in c.execute(self._sql["line_ends"], asked)]
        )

    async def figures(self, batches: Collection[str]) -> dict[str, BatchFigures]:
        """As the port says."""
        asked = (json.dumps(list(batches)),)
        rows: Iterable[Any] = await self._reader.look(
            lambda c: c.execute(self._sql["batch_figures"], asked).fetchall()
        )
        found = {row[0]: figures_from(row) for row in rows}
        return {name: found.get(name, BatchFigures()) for name in batches}

    async def last_run(self, bot: str, schedule: str) -> int | None:
        """As the port says."""
        row = await self._writer.read(
            lambda c: c.execute(self._sql["last_run"], (bot, schedule)).fetchone(),
        )
        return None if row is None else int(row[0])

    async def set_last_run(self, bot: str, schedule: str, until_ms: int) -> None:
        """As the port says."""
        await self._writer.write(lambda c: c.execute(self._sql["set_last_run"], (bot, schedule, until_ms)))

    # ── for the store ────────────────────────────────────────────────────────────────────────────────────
    def forget_old(self, connection: sqlite3.Connection, before_ms: int) -> int:
        """Remove the lines and answers of one batch that was over before; how many rows."""
        for (batch,) in connection.execute(self._sql["forgettable_batches"], (before_ms,)).fetchall():
            connection.execute(self._sql["batch_is_forgotten"], (batch,))
            removed = connection.execute(self._sql["forget_batch_answers"], (batch,)).rowcount
            return removed + connection.execute(self._sql["forget_batch_lines"], (batch,)).rowcount
        return 0

    def _find(self, connection: sqlite3.Connection, batch_id: str) -> Batch | None:
        row = connection.execute(self._sql["batch"], (batch_id,)).fetchone()
        return None if row is None else batch_from(row)

    def _known(self, connection: sqlite3.Connection, batch_id: str) -> Batch:
        found = self._find(connection, batch_id)
        if found is None:
            raise IllegalStep(f"there is no batch {batch_id}")
        return found
