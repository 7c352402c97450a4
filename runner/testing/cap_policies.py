"""Ways to keep a cap, as plug-ins for the simulation: ours, and those that others use.

Each is asked by the same code, at the same moments, about the same calls (`runner.testing.cap_simulation`).
Only the first is for use; the others are there so that the simulation can be seen to fail, and to measure by
how much.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from runner.money.amounts import ZERO, Money, ceil_div
from runner.money.budget import Counter, Decision, Exhausted, Granted, ScopeLimit, decide
from runner.money.estimate import Estimate
from runner.money.prices import TOKENS_PER_RATE
from runner.money.reservation import ReservationState, resolve

CHARS_PER_TOKEN = 4
SCOPE = "bot"


@dataclass(frozen=True, slots=True)
class Request:
    """What is known of a call before it is made.

    Attributes:
        chars: how many characters it has: all that the guessing policies look at.
        bound: what the meter knows of it.
        input_rate: pico-dollars per million input tokens.
    """

    chars: int
    bound: Estimate
    input_rate: int

    @property
    def guessed_input(self) -> Money:
        """What the input costs if four characters are a token."""
        return Money(ceil_div(self.chars // CHARS_PER_TOKEN * self.input_rate, TOKENS_PER_RATE))

    @property
    def guess(self) -> Money:
        """What the call costs at most, if four characters are a token."""
        return Money(self.guessed_input + self.bound.amount(self.bound.output_tokens) - self.bound.input_cost)


class CapPolicy(Protocol):
    """Keeps a cap, or tries to. Neither method may remember anything."""

    @property
    def name(self) -> str:
        """How a table calls it."""

    def admit(self, request: Request, limit: Money, counter: Counter) -> Decision:
        """Say whether the call may be made; `Granted.amount` is what is held for it."""

    def end(
        self, request: Request, counter: Counter, held: Money, then: ReservationState, cost: Money
    ) -> Counter:
        """Book the end of a call. `cost` is what the provider reported; 0 where it reported nothing."""


@dataclass(frozen=True, slots=True)
class BoundFitWait:
    """Ours: hold the bound, shrink the output to fit, wait where others hold; what is unknown stays taken."""

    name: str = "bound + fit + wait"

    def admit(self, request: Request, limit: Money, counter: Counter) -> Decision:
        """Ask the same rule as the store does."""
        return decide(request.bound, [(ScopeLimit(SCOPE, limit), counter)])

    def end(
        self, request: Request, counter: Counter, held: Money, then: ReservationState, cost: Money
    ) -> Counter:
        """Book by the same table as the store does."""
        return resolve(counter, then, held, cost if then is ReservationState.SETTLED else None)


@dataclass(frozen=True, slots=True)
class CheckThenAct:
    """Look at what was spent so far, call, and count afterwards. What failed is not counted."""

    name: str = "check, then act"

    def admit(self, request: Request, limit: Money, counter: Counter) -> Decision:
        """Let it pass until the cap has been reached."""
        if counter.settled >= limit:
            return Exhausted(SCOPE)
        return Granted(request.bound.output_tokens, ZERO)

    def end(
        self, request: Request, counter: Counter, held: Money, then: ReservationState, cost: Money
    ) -> Counter:
        """Count what was reported."""
        return Counter(settled=Money(counter.settled + cost))


@dataclass(frozen=True, slots=True)
class GuessedHold:
    """Hold what four characters a token would cost; refuse where that does not fit. Failures are free."""

    name: str = "chars/4 hold"

    def admit(self, request: Request, limit: Money, counter: Counter) -> Decision:
        """Hold the guess, whole or not at all."""
        if counter.taken + request.guess > limit:
            return Exhausted(SCOPE)
        return Granted(request.bound.output_tokens, request.guess)

    def end(
        self, request: Request, counter: Counter, held: Money, then: ReservationState, cost: Money
    ) -> Counter:
        """Count what was reported."""
        return Counter(Money(counter.settled + cost), held=Money(counter.held - held))


@dataclass(frozen=True, slots=True)
class ShrunkenHold:
    """LiteLLM's way: on a short budget the hold shrinks, the call keeps its limit; an abort charges the input."""

    name: str = "LiteLLM's way"

    def admit(self, request: Request, limit: Money, counter: Counter) -> Decision:
        """Hold the guess, or what is left."""
        left = limit - counter.taken
        if left <= 0:
            return Exhausted(SCOPE)
        return Granted(request.bound.output_tokens, min(request.guess, Money(left)))

    def end(
        self, request: Request, counter: Counter, held: Money, then: ReservationState, cost: Money
    ) -> Counter:
        """Count what was reported, or the guessed input where nobody knows."""
        charged = request.guessed_input if then is ReservationState.UNKNOWN else cost
        return Counter(Money(counter.settled + charged), held=Money(counter.held - held))


OURS = BoundFitWait()
OTHERS: tuple[CapPolicy, ...] = (CheckThenAct(), GuessedHold(), ShrunkenHold())
