"""The tables `batches`, `batch_lines` and `schedules`.

Rules: a batch of ten thousand lines is written in one transaction, in a statement a table, for all of it is held or
nothing; its own row comes first, so that of two batches of one key the second waits for the first before it holds
anything, and the counters last, for all who spend from them wait until it is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from typing import TypeVar

from runner.errors import IllegalStep
from runner.money.budget import Busy, Exhausted
from runner.money.reservation import ReservationState
from runner.ports.batches import (
    Batch,
    BatchFigures,
    BatchLine,
    Kept,
    LineEnd,
    OpenHold,
    check_batch_step,
)
from runner.ports.books import Held, HoldRequest, Settled, Settlement
from runner.ports.mail import StoredStep
from runner.store.postgres.books import (
    add_holds,
    funds,
    lock_counters,
    reservations,
    save_counters,
    settle_all,
)
from runner.store.postgres.changes import changed
from runner.store.postgres.connection import Connection
from runner.store.postgres.desk import Desk
from runner.store.queries import Queries
from runner.store.rows import batch_from, figures_from, line_end_from
from runner.store.rules import check_new_batch, in_force, scope_names, take_all

T = TypeVar("T")

LINES_AT_ONCE = 1000
"""Lines in one statement: turning more of them into columns would hold up the loop."""


class _Refused(Exception):
    """No money for all of it: undoes what was written until then."""

    def __init__(self, refusal: Busy | Exhausted) -> None:
        super().__init__("refused")
        self.refusal = refusal


class PostgresBatches:
    """A `runner.ports.batches.BatchStore`."""

    def __init__(self, desk: Desk, sql: Queries) -> None:
        self._desk = desk
        self._sql = sql

    async def add(
        self, batch: Batch, lines: Sequence[BatchLine], holds: Sequence[HoldRequest]
    ) -> Kept | Busy | Exhausted:
        """As the port says."""
        try:
            return await self._desk.write(lambda c: self._add(c, batch, lines, holds))
        except _Refused as refused:
            return refused.refusal

    async def _add(
        self, connection: Connection, batch: Batch, lines: Sequence[BatchLine], holds: Sequence[HoldRequest]
    ) -> Kept:
        known = await connection.fetchrow(self._sql["batch_of_key"], batch.key)
        if known is not None:
            return Kept(batch_from(known), fresh=False)
        check_new_batch(batch, lines, holds)
        b = batch
        added = await connection.execute(
            self._sql["add_batch"],
            *(b.id, b.bot, b.provider, b.model, b.made_ms, b.lines, b.state, b.key, b.label, b.terms),
            *(b.submitted_ms, b.ended_ms, b.why, int(not lines)),
        )
        if not changed(added):
            known = await connection.fetchrow(self._sql["batch_of_key"], batch.key)
            if known is None:
                raise IllegalStep(f"batch {batch.id} exists already")
            return Kept(batch_from(known), fresh=False)  # of another daemon, a moment ago
        for some in _chunks(lines):
            await connection.execute(
                self._sql["add_batch_lines"],
                b.id,
                [line.number for line in some],
                [line.custom_id for line in some],
                [line.request for line in some],
                [line.max_output_tokens for line in some],
            )
        held = await self._hold_all(connection, holds)
        await connection.execute(self._sql["batch_holds"], b.id, sum(each.amount for each in held))
        return Kept(await self._known(connection, b.id), fresh=True)

    async def _hold_all(self, connection: Connection, requests: Sequence[HoldRequest]) -> list[Held]:
        """Hold all of them. Raises _Refused: all of it has to be undone."""
        paid_in = await funds(connection, self._sql)
        scopes = [in_force(request.scopes, paid_in) for request in requests]
        names = [scope_names(each) for each in scopes]
        counters = await lock_counters(connection, self._sql, (name for each in names for name in each))
        result, after = await asyncio.to_thread(take_all, requests, scopes, counters)
        if not isinstance(result, list):
            raise _Refused(result)
        rows = [
            (request.attempt, each, held) for request, each, held in zip(requests, names, result, strict=True)
        ]
        for some in _chunks(rows):
            added = await add_holds(
                connection, self._sql, some, None
            )  # whoever is there then learns its fate
            if len(added) != len(some):
                raise IllegalStep("an attempt of that name exists already")
        await save_counters(connection, self._sql, after)
        return result

    async def batch(self, batch_id: str) -> Batch | None:
        """As the port says."""
        return await self._desk.read(lambda c: self._find(c, batch_id))

    async def batches(self, bot: str | None, limit: int) -> list[Batch]:
        """As the port says."""
        if bot is None:
            return await self._all("batches", limit)
        return await self._all("batches_of_bot", limit, bot)

    async def open_batches(self) -> list[Batch]:
        """As the port says."""
        return await self._all("open_batches")

    async def save(self, batch: Batch) -> Batch:
        """As the port says."""

        async def unit(connection: Connection) -> Batch:
            known = await self._known(connection, batch.id, "batch_to_change")
            check_batch_step(known.state, batch.state)
            b = batch
            saved = await connection.fetchrow(
                self._sql["save_batch"],
                *(b.id, b.state, b.ending, b.remote, b.reached, b.submitted_ms, b.ended_ms, b.why),
            )
            return known if saved is None else batch_from(saved)

        return await self._desk.write(unit)

    async def ask_cancel(self, batch_id: str) -> Batch | None:
        """As the port says."""

        async def unit(connection: Connection) -> Batch | None:
            await connection.execute(self._sql["ask_cancel"], batch_id)
            return await self._find(connection, batch_id)

        return await self._desk.write(unit)

    async def remotes(self) -> frozenset[str]:
        """As the port says."""
        rows = await self._desk.read(lambda c: c.fetch(self._sql["batch_remotes"]))
        return frozenset(row[0] for row in rows)

    async def lines(self, batch_id: str, after: int, limit: int) -> list[BatchLine]:
        """As the port says."""
        rows = await self._desk.read(lambda c: c.fetch(self._sql["batch_lines"], batch_id, after, limit))
        return [BatchLine(*row) for row in rows]

    async def open_holds(self, batch_id: str) -> list[OpenHold]:
        """As the port says."""
        rows = await self._desk.read(lambda c: c.fetch(self._sql["open_line_holds"], batch_id))
        return [OpenHold(*row) for row in rows]

    async def settle_lines(self, settlements: Sequence[Settlement]) -> list[Settled | None]:
        """As the port says."""
        return await self._desk.write(lambda c: self._settle(c, settlements))

    async def _settle(
        self, connection: Connection, settlements: Sequence[Settlement]
    ) -> list[Settled | None]:
        results = await settle_all(connection, self._sql, settlements)
        rows = await reservations(connection, self._sql, [one.attempt_id for one in settlements])
        ended: list[Settled | None] = []
        steps: list[tuple[str, StoredStep]] = []
        for settlement, result in zip(settlements, results, strict=True):
            row = rows.get(settlement.attempt_id)
            if isinstance(result, Settled):
                ended.append(result)
                if row is not None and settlement.step is not None:
                    steps.append((row.turn, settlement.step))
            elif row is None or row.hold.state is ReservationState.HELD:
                raise result
            else:
                ended.append(None)
        await self._keep_answers(connection, steps)
        return ended

    async def _keep_answers(self, connection: Connection, steps: Sequence[tuple[str, StoredStep]]) -> None:
        added = await connection.execute(
            self._sql["add_line_answers"],
            [turn for turn, _ in steps],
            [step.number for _, step in steps],
            [step.payload for _, step in steps],
        )
        if changed(added) != len(steps):
            raise IllegalStep("a line has an answer already")

    async def line_ends(self, batch_id: str, after: int, limit: int) -> list[LineEnd]:
        """As the port says."""
        rows = await self._desk.read(lambda c: c.fetch(self._sql["line_ends"], batch_id, after, limit))
        return [line_end_from(row) for row in rows]

    async def figures(self, batches: Collection[str]) -> dict[str, BatchFigures]:
        """As the port says."""
        rows = await self._desk.read(lambda c: c.fetch(self._sql["batch_figures"], list(batches)))
        found = {row[0]: figures_from(row) for row in rows}
        return {name: found.get(name, BatchFigures()) for name in batches}

    async def last_run(self, bot: str, schedule: str) -> int | None:
        """As the port says."""
        found = await self._desk.read(lambda c: c.fetchval(self._sql["last_run"], bot, schedule))
        return None if found is None else int(found)

    async def set_last_run(self, bot: str, schedule: str, until_ms: int) -> None:
        """As the port says."""
        await self._desk.write(lambda c: c.execute(self._sql["set_last_run"], bot, schedule, until_ms))

    # ── for the store ────────────────────────────────────────────────────────────────────────────────────
    async def forget_old(self, connection: Connection, before_ms: int) -> int:
        """Remove the lines and answers of one batch that was over before; how many rows."""
        batch = await connection.fetchval(self._sql["forgettable_batch"], before_ms)
        if batch is None:
            return 0
        await connection.execute(self._sql["batch_is_forgotten"], batch)
        removed = changed(await connection.execute(self._sql["forget_batch_answers"], batch))
        return removed + changed(await connection.execute(self._sql["forget_batch_lines"], batch))

    async def _all(self, query: str, *asked: object) -> list[Batch]:
        rows = await self._desk.read(lambda c: c.fetch(self._sql[query], *asked))
        return [batch_from(row) for row in rows]

    async def _find(self, connection: Connection, batch_id: str, query: str = "batch") -> Batch | None:
        row = await connection.fetchrow(self._sql[query], batch_id)
        return None if row is None else batch_from(row)

    async def _known(self, connection: Connection, batch_id: str, query: str = "batch") -> Batch:
        found = await self._find(connection, batch_id, query)
        if found is None:
            raise IllegalStep(f"there is no batch {batch_id}")
        return found


def _chunks(rows: Sequence[T]) -> Iterable[Sequence[T]]:
    return (rows[start : start + LINES_AT_ONCE] for start in range(0, len(rows), LINES_AT_ONCE))
