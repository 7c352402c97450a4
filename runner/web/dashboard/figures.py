"""The figures that pages show: of days, of stretches of time, against limits, of one answer.

Rules: money is pico-dollars; days are UTC days (`2026-11-22`), the oldest first; where a figure has a name, the
name may come from a stranger.
"""

from __future__ import annotations

from dataclasses import dataclass

from runner.money.amounts import ZERO, Money

OTHER = "other"
"""The name of the series that the smallest are folded into."""


@dataclass(frozen=True, slots=True)
class Series:
    """One figure a day: as many values as there are days."""

    name: str
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Days:
    """Figures by day, in series that are stacked: pico-dollars. `weeks`: each is of the week from that day on."""

    days: tuple[str, ...]
    series: tuple[Series, ...]
    weeks: bool = False

    def total(self) -> Money:
        """All of it."""
        return Money(sum(sum(one.values) for one in self.series))


@dataclass(frozen=True, slots=True)
class Spend:
    """What a stretch of time cost.

    Attributes:
        before: what to compare it with; None: nothing. `against`: what that is, as `the 7 days before`.
    """

    label: str
    cost: Money
    calls: int = 0
    before: Money | None = None
    against: str = "the time before"


@dataclass(frozen=True, slots=True)
class Cap:
    """A limit and what stands against it. `limit` None: no cap. `unknown`: calls whose fate is unknown."""

    spent: Money = ZERO
    held: Money = ZERO
    unknown: Money = ZERO
    limit: Money | None = None

    @property
    def taken(self) -> Money:
        """Spent and unknown: what nobody gets back by waiting."""
        return Money(self.spent + self.unknown)

    @property
    def left(self) -> Money | None:
        """What may still be spent, holds counted as spent; None: no cap."""
        if self.limit is None:
            return None
        return Money(max(0, self.limit - self.taken - self.held))


NO_CAP = Cap()


@dataclass(frozen=True, slots=True)
class Share:
    """A part of the spend: of a model, a user, a route. `note` says more about it in a few words."""

    name: str
    cost: Money
    calls: int
    tokens: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class CacheFigures:
    """How much of the prompts was read from the provider's cache. `daily`: percent a day, None: no call."""

    read_tokens: int = 0
    input_tokens: int = 0
    days: tuple[str, ...] = ()
    daily: tuple[int | None, ...] = ()


NO_CACHE = CacheFigures()


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Where an answer's tokens went. The parts of the input are our measure of it, scaled to the real sum."""

    system_prompt: int = 0
    tool_definitions: int = 0
    history: int = 0
    message: int = 0
    tool_results: int = 0
    output: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """What an answer took."""

    tokens_input: int
    tokens_output: int
    cost: Money
    cache_read: int = 0
    latency_ms: int = 0
    iterations: int = 1
    provider: str = ""
    model: str = ""
    route: str = ""
    route_reason: str = ""
    breakdown: Breakdown | None = None
