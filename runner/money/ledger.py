"""The append-only record: one row an attempt, whole enough to answer any question about money later.

Rules: a row is written when money is held, ends once, and is never touched again; a correction is a row of
its own with the difference. The sum of a scope's rows equals the scope's counter, to the pico-dollar.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from runner.money.amounts import Money, to_usd
from runner.money.budget import Counter, Measure
from runner.money.reservation import ReservationState
from runner.money.scopes import measure_of
from runner.money.usage import NO_USAGE, Usage


@dataclass(frozen=True, slots=True)
class Attempt:
    """Who calls what for whom: the part of a ledger row that is known before the call.

    Attributes:
        id: unique over all time; made from the turn's id, so a turn run again after a crash goes on counting.
        time_ms: Unix milliseconds of the hold.
        feature: `chat`, `test`, `transcribe`, `summary`, `classify`, `batch`, `workflow:<node>` …
        task: the declared task type, for routing; empty where none was.
        route: how the model was chosen (`default`, `fallback`, a tier's name …); `route_reason` says why.
        number: 1 for the first attempt of a step, 2 for its first retry …
        iteration: which step of the agent loop, from 1.
    """

    id: str
    time_ms: int
    bot: str
    platform: str
    channel: str
    conversation: str
    user: str
    turn: str
    provider: str
    model: str
    price_version: str
    feature: str = "chat"
    task: str = ""
    route: str = "default"
    route_reason: str = ""
    billing_mode: str = "wallet"
    number: int = 1
    iteration: int = 1


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A whole row.

    `cost` is what stands against the scopes: the real cost when settled, the full hold when unknown, 0 when
    released, the hold while held; a correction's may be negative. `hold_tokens` and `tokens` are the same for scopes
    that count tokens. A correction names the row that it puts right in `corrects`.
    """

    attempt: Attempt
    scopes: tuple[str, ...]
    state: ReservationState
    hold: Money
    cost: Money
    usage: Usage = NO_USAGE
    request_id: str = ""
    stop_reason: str = ""
    latency_ms: int = 0
    why: str = ""
    corrects: str = ""
    hold_tokens: int = 0
    tokens: int = 0

    def stands(self, scope: str) -> int:
        """What of this row stands against a scope, in the scope's measure."""
        return self.cost if measure_of(scope) is Measure.MONEY else self.tokens


@dataclass(frozen=True, slots=True)
class Difference:
    """A scope whose counter is not the sum of its rows."""

    scope: str
    counter: Counter
    rows: Counter

    def __str__(self) -> str:
        """For the person who runs `ledger verify`."""
        shown = _usd if measure_of(self.scope) is Measure.MONEY else str
        parts = [
            f"{name} {shown(mine)} (rows: {shown(theirs)})"
            for name, mine, theirs in (
                ("settled", self.counter.settled, self.rows.settled),
                ("unknown", self.counter.unknown, self.rows.unknown),
                ("held", self.counter.held, self.rows.held),
            )
            if mine != theirs
        ]
        return f"{self.scope}: {', '.join(parts)}"


def sum_rows(entries: Iterable[LedgerEntry]) -> dict[str, Counter]:
    """Add the rows up, scope by scope."""
    totals: dict[str, Counter] = {}
    for entry in entries:
        for scope in entry.scopes:
            totals[scope] = _add(totals.get(scope, Counter()), entry.state, entry.stands(scope))
    return totals


def _add(total: Counter, state: ReservationState, amount: int) -> Counter:
    if state is ReservationState.SETTLED:
        return Counter(total.settled + amount, total.unknown, total.held)
    if state is ReservationState.UNKNOWN:
        return Counter(total.settled, total.unknown + amount, total.held)
    if state is ReservationState.HELD:
        return Counter(total.settled, total.unknown, total.held + amount)
    return total


def _usd(amount: int) -> str:
    return to_usd(Money(amount))


def verify(counters: Mapping[str, Counter], entries: Iterable[LedgerEntry]) -> list[Difference]:
    """Every scope whose counter differs from the sum of its rows; empty when the books are right."""
    rows = sum_rows(entries)
    nothing = Counter()
    return [
        Difference(scope, counters.get(scope, nothing), rows.get(scope, nothing))
        for scope in sorted({*counters, *rows})
        if counters.get(scope, nothing) != rows.get(scope, nothing)
    ]
