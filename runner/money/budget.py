"""Whether a call may be made: the decision that stands in front of every spent cent.

Invariant of each scope, always:  settled + unknown + held <= limit.

The order where a call does not fit: shrink its output limit down to the floor; else wait for other holds
to settle, if that could make room; else refuse. The store asks this inside the transaction that takes the
hold, so that nothing can come between the decision and the deed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from runner.money.amounts import Money
from runner.money.estimate import Estimate


class Measure(StrEnum):
    """What a scope counts: pico-dollars, or tokens (input and output together)."""

    MONEY = "money"
    TOKENS = "tokens"


@dataclass(frozen=True, slots=True)
class ScopeLimit:
    """What a call is held against.

    Attributes:
        limit: in the scope's measure; None: counted, never refused.
        funded: the limit is what was paid in, plus `limit`; while nothing ever was and `limit` is None, the
            scope is left out of the hold.
    """

    name: str
    limit: int | None
    measure: Measure = Measure.MONEY
    funded: bool = False


@dataclass(frozen=True, slots=True)
class Counter:
    """What a scope has spent (`settled`), may have spent (`unknown`) and has set aside (`held`), in its measure."""

    settled: int = 0
    unknown: int = 0
    held: int = 0

    @property
    def taken(self) -> int:
        """All that stands against the limit."""
        return self.settled + self.unknown + self.held

    @property
    def gone(self) -> int:
        """What will not come back when the holds of others settle."""
        return self.settled + self.unknown


@dataclass(frozen=True, slots=True)
class Granted:
    """It fits with this output limit: hold `amount`, and `tokens` where tokens are counted."""

    output_tokens: int
    amount: Money
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Busy:
    """It does not fit now, but would if others' holds settled low: wait."""

    scope: str


@dataclass(frozen=True, slots=True)
class Exhausted:
    """It cannot fit whatever the held calls turn out to cost: the limit is reached.

    `limit` and `gone` say how it stood, in the scope's measure.
    """

    scope: str
    limit: int = field(default=0, compare=False)
    gone: int = field(default=0, compare=False)


Decision = Granted | Busy | Exhausted


def decide(wanted: Estimate, scopes: Sequence[tuple[ScopeLimit, Counter]]) -> Decision:
    """Decide one call against all its scopes. Exhausted in one scope outweighs busy in another."""
    output = wanted.output_tokens
    busy: str | None = None
    for scope, counter in scopes:
        if scope.limit is None:
            continue
        if scope.limit - counter.gone < _need(wanted, scope.measure):
            return Exhausted(scope.name, scope.limit, counter.gone)
        affordable = _affordable(wanted, scope.measure, scope.limit - counter.taken)
        if affordable < wanted.floor_tokens:
            busy = busy or scope.name
        output = min(output, affordable)
    if busy is not None:
        return Busy(busy)
    return Granted(output, wanted.amount(output), wanted.tokens(output))


def _need(wanted: Estimate, measure: Measure) -> int:
    """The least that the call takes of a scope."""
    least = wanted.floor_tokens
    return wanted.amount(least) if measure is Measure.MONEY else wanted.tokens(least)


def _affordable(wanted: Estimate, measure: Measure, available: int) -> int:
    """The largest output limit that the scope has room for."""
    if measure is Measure.MONEY:
        return wanted.affordable_output(Money(available))
    return min(wanted.output_tokens, available - wanted.input_tokens)
