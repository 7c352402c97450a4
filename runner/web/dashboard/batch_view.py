"""What a bot's page shows of its batches. Amounts are pico-dollars, times Unix ms."""

from __future__ import annotations

from dataclasses import dataclass

from runner.money.amounts import Money
from runner.money.prices import PriceBook
from runner.money.savings import by_batches
from runner.ports.batches import Batch, BatchFigures, BatchState

_PILLS = {
    BatchState.HELD: ("busy", "waiting"),
    BatchState.SUBMITTING: ("busy", "being handed in"),
    BatchState.RUNNING: ("busy", "running"),
    BatchState.ENDED: ("busy", "being settled"),
    BatchState.DONE: ("good", "done"),
    BatchState.FAILED: ("bad", "failed"),
    BatchState.CANCELED: ("off", "canceled"),
    BatchState.REFUSED: ("bad", "refused"),
}


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A batch in a list.

    Attributes:
        label: which schedule made it; empty: a person did.
        known: how many lines the provider has got to, of `lines`.
        saved: against the same calls by themselves, at the prices of now; None: not known.
    """

    id: str
    state: BatchState
    label: str
    made_ms: int
    lines: int
    known: int
    cost: Money
    held: Money
    saved: Money | None
    why: str = ""

    def pill(self) -> tuple[str, str]:
        """A kind (its colour and its sign) and a word."""
        return _PILLS[self.state]


def batch_row(batch: Batch, figures: BatchFigures, prices: PriceBook) -> BatchRow:
    """A batch as it is shown."""
    price = prices.find(batch.provider, batch.model)
    saved = None
    if price is not None and price.batch_percent is not None:
        saved = by_batches(figures.usage, price.rates, price.batch_percent)
    ended = batch.lines - figures.open
    return BatchRow(
        id=batch.id,
        state=batch.state,
        label=batch.label,
        made_ms=batch.made_ms,
        lines=batch.lines,
        known=max(batch.reached, ended),
        cost=figures.cost,
        held=figures.held,
        saved=saved,
        why=batch.why,
    )
