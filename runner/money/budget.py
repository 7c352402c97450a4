"""Whether a call may be made: the decision that stands in front of every spent cent.

Invariant of each scope, always:  settled + unknown + held <= limit.

The order where a call does not fit: shrink its output limit down to the floor; else wait for other holds
to settle, if that could make room; else refuse. The store asks this inside the transaction that takes the
hold, so that nothing can come between the decision and the deed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runner.money.amounts import ZERO, Money
from runner.money.estimate import Estimate


@dataclass(frozen=True, slots=True)
class ScopeLimit:
    """What money is held against. `limit` None: counted, never refused."""

    name: str
    limit: Money | None


@dataclass(frozen=True, slots=True)
class Counter:
    """What a scope has spent (`settled`), may have spent (`unknown`) and has set aside (`held`)."""

    settled: Money = ZERO
    unknown: Money = ZERO
    held: Money = ZERO

    @property
    def taken(self) -> Money:
        """All that stands against the limit."""
        return Money(self.settled + self.unknown + self.held)

    @property
    def gone(self) -> Money:
        """What will not come back when the holds of others settle."""
        return Money(self.settled + self.unknown)


@dataclass(frozen=True, slots=True)
class Granted:
    """It fits with this output limit: hold `amount`."""

    output_tokens: int
    amount: Money


@dataclass(frozen=True, slots=True)
class Busy:
    """It does not fit now, but would if others' holds settled low: wait."""

    scope: str


@dataclass(frozen=True, slots=True)
class Exhausted:
    """It cannot fit whatever the held calls turn out to cost: the limit is reached."""

    scope: str


Decision = Granted | Busy | Exhausted


def decide(wanted: Estimate, scopes: Sequence[tuple[ScopeLimit, Counter]]) -> Decision:
    """Decide one call against all its scopes. Exhausted in one scope outweighs busy in another."""
    output = wanted.output_tokens
    busy: str | None = None
    least = wanted.amount(wanted.floor_tokens)
    for scope, counter in scopes:
        if scope.limit is None:
            continue
        if scope.limit - counter.gone < least:
            return Exhausted(scope.name)
        affordable = wanted.affordable_output(Money(scope.limit - counter.taken))
        if affordable < wanted.floor_tokens:
            busy = busy or scope.name
        output = min(output, affordable)
    if busy is not None:
        return Busy(busy)
    return Granted(output, wanted.amount(output))
