"""The batches of the memory store. Plain Python; no call waits, so each is one transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from copy import copy
from dataclasses import replace

from runner.errors import IllegalStep
from runner.money.amounts import Money
from runner.money.budget import Busy, Exhausted
from runner.money.ledger import LedgerEntry
from runner.money.reservation import ReservationState
from runner.ports.batches import (
    Batch,
    BatchFigures,
    BatchLine,
    Kept,
    LineEnd,
    OpenHold,
    attempt_id,
    check_batch_step,
)
from runner.ports.books import HoldRequest, LedgerFilter, Settled, Settlement
from runner.store.memory.books import Books
from runner.store.memory.talk import Conversations
from runner.store.rules import add_row, check_new_batch


class MemoryBatches:
    """A `runner.ports.batches.BatchStore`. `begin`: called with each method's name first, may raise."""

    def __init__(
        self, books: Books, talks: Conversations, begin: Callable[[str], None] = lambda _: None
    ) -> None:
        self._books = books
        self._talks = talks
        self._begin = begin
        self._batches: dict[str, Batch] = {}
        self._lines: dict[str, list[BatchLine]] = {}
        self._runs: dict[tuple[str, str], int] = {}

    def entered_by(self, begin: Callable[[str], None]) -> MemoryBatches:
        """The same batches, with another `begin`."""
        entered = copy(self)
        entered._begin = begin  # noqa: SLF001 - a copy of ourselves
        return entered

    async def add(
        self, batch: Batch, lines: Sequence[BatchLine], holds: Sequence[HoldRequest]
    ) -> Kept | Busy | Exhausted:
        """As the port says."""
        self._begin("batches.add")
        earlier = next((b for b in self._batches.values() if batch.key and b.key == batch.key), None)
        if earlier is not None:
            return Kept(earlier, fresh=False)
        check_new_batch(batch, lines, holds)
        if batch.id in self._batches:
            raise IllegalStep(f"batch {batch.id} exists already")
        held = self._books.hold_all(holds)
        if not isinstance(held, list):
            return held
        made = replace(batch, held=Money(sum(each.amount for each in held)))
        self._batches[made.id] = made
        self._lines[made.id] = list(lines)
        return Kept(made, fresh=True)

    async def batch(self, batch_id: str) -> Batch | None:
        """As the port says."""
        self._begin("batches.batch")
        return self._batches.get(batch_id)

    async def batches(self, bot: str | None, limit: int) -> list[Batch]:
        """As the port says."""
        self._begin("batches.batches")
        return [batch for batch in reversed(self._batches.values()) if bot in (None, batch.bot)][:limit]

    async def open_batches(self) -> list[Batch]:
        """As the port says."""
        self._begin("batches.open_batches")
        return [batch for batch in self._batches.values() if batch.is_open]

    async def save(self, batch: Batch) -> Batch:
        """As the port says."""
        self._begin("batches.save")
        now = self._batches.get(batch.id)
        if now is None:
            raise IllegalStep(f"there is no batch {batch.id}")
        check_batch_step(now.state, batch.state)
        saved = replace(
            now,
            state=batch.state,
            ending=batch.ending,
            remote=batch.remote,
            reached=batch.reached,
            submitted_ms=batch.submitted_ms,
            ended_ms=batch.ended_ms,
            why=batch.why,
        )
        self._batches[batch.id] = saved
        return saved

    async def ask_cancel(self, batch_id: str) -> Batch | None:
        """As the port says."""
        self._begin("batches.ask_cancel")
        batch = self._batches.get(batch_id)
        if batch is not None and batch.is_open:
            batch = self._batches[batch_id] = replace(batch, cancel=True)
        return batch

    async def remotes(self) -> frozenset[str]:
        """As the port says."""
        self._begin("batches.remotes")
        return frozenset(batch.remote for batch in self._batches.values() if batch.remote)

    async def lines(self, batch_id: str, after: int, limit: int) -> list[BatchLine]:
        """As the port says."""
        self._begin("batches.lines")
        return self._page(batch_id, after, limit)

    def _page(self, batch_id: str, after: int, limit: int) -> list[BatchLine]:
        return [line for line in self._lines.get(batch_id, ()) if line.number > after][:limit]

    async def open_holds(self, batch_id: str) -> list[OpenHold]:
        """As the port says."""
        self._begin("batches.open_holds")
        found = []
        for line in self._lines.get(batch_id, ()):
            row = self._books.row(attempt_id(batch_id, line.number))
            if row is not None and row.state is ReservationState.HELD:
                found.append(OpenHold(line.number, row.hold, row.hold_tokens, line.max_output_tokens))
        return found

    async def settle_lines(self, settlements: Sequence[Settlement]) -> list[Settled | None]:
        """As the port says."""
        self._begin("batches.settle_lines")
        if lost := [each.attempt_id for each in settlements if self._books.row(each.attempt_id) is None]:
            raise IllegalStep(f"there is no attempt {lost[0]}")
        return [self._settle(settlement) for settlement in settlements]

    def _settle(self, settlement: Settlement) -> Settled | None:
        now = self._books.row(settlement.attempt_id)
        if now is not None and now.state is not ReservationState.HELD:
            return None
        row, counters = self._books.ended(settlement)
        if settlement.step is not None:
            self._talks.save_step(row.attempt.turn, settlement.step)
        return self._books.write(row, counters)

    async def line_ends(self, batch_id: str, after: int, limit: int) -> list[LineEnd]:
        """As the port says."""
        self._begin("batches.line_ends")
        lines = self._page(batch_id, after, limit)
        replies = {step.number: step.payload for step in self._talks.steps(batch_id)}
        rows = {line.number: self._books.row(attempt_id(batch_id, line.number)) for line in lines}
        return [
            _end(line, row, replies.get(line.number, ""))
            for line in lines
            if (row := rows[line.number]) is not None
        ]

    async def figures(self, batches: Collection[str]) -> dict[str, BatchFigures]:
        """As the port says."""
        self._begin("batches.figures")
        found: dict[str, BatchFigures] = {}
        for name in batches:
            found[name] = BatchFigures()
            for row in self._books.rows(LedgerFilter(turn=name)):
                found[name] = add_row(found[name], row)
        return found

    async def last_run(self, bot: str, schedule: str) -> int | None:
        """As the port says."""
        self._begin("batches.last_run")
        return self._runs.get((bot, schedule))

    async def set_last_run(self, bot: str, schedule: str, until_ms: int) -> None:
        """As the port says."""
        self._begin("batches.set_last_run")
        self._runs[bot, schedule] = until_ms

    # ── for the store ────────────────────────────────────────────────────────────────────────────────────
    def open_ids(self) -> set[str]:
        """The batches whose holds a start leaves."""
        return {batch.id for batch in self._batches.values() if batch.is_open}

    def forget_old(self, before_ms: int) -> int:
        """Remove lines and answers of batches that were over before; how many rows."""
        removed = 0
        for batch in self._batches.values():
            if not batch.is_open and batch.ended_ms < before_ms:
                removed += len(self._lines.pop(batch.id, ())) + self._talks.forget_steps(batch.id)
        return removed


def _end(line: BatchLine, row: LedgerEntry, reply: str) -> LineEnd:
    return LineEnd(
        number=line.number,
        custom_id=line.custom_id,
        state=row.state,
        cost=row.cost,
        usage=row.usage,
        stop_reason=row.stop_reason,
        why=row.why,
        reply=reply,
    )
