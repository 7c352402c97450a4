"""Made-up ledger rows: a cent a token would be too dear, so one input token is a pico-dollar, an output token four."""

from dataclasses import replace
from typing import Any

from runner.money.amounts import Money
from runner.money.ledger import Attempt, LedgerEntry
from runner.money.reservation import ReservationState
from runner.money.usage import Usage
from runner.testing.scenes import CHOICE, a_price

START = 1_794_000_000_000
MINUTE = 60_000


USUAL = Usage(100, 10)


def row(at: int, usage: Usage = USUAL, cost: int | None = None, **others: Any) -> LedgerEntry:
    """One row, so many minutes after `START`; what is given may be the attempt's or the row's."""
    attempt = Attempt(
        id=f"a{at}",
        time_ms=START + at * MINUTE,
        bot="support",
        platform="custom",
        channel="custom",
        conversation="c1",
        user="ann",
        turn=f"t{at}",
        provider=CHOICE.provider,
        model=CHOICE.model,
        price_version="test",
    )
    names = Attempt.__dataclass_fields__
    attempt = replace(attempt, **{name: value for name, value in others.items() if name in names})
    paid = Money(a_price().cost(usage) if cost is None else cost)
    plain = LedgerEntry(attempt, (), ReservationState.SETTLED, paid, paid, usage, stop_reason="end")
    return replace(plain, **{name: value for name, value in others.items() if name not in names})
