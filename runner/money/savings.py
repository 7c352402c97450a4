"""What was not paid: because of a provider's cache, a batch, an answer that was given again. Pure.

    without any of them    all input at the plain input rate, all output at its rate
  - caching                reads are cheaper than plain input, writes dearer
  - batches                the usual price less the batch's
  = what was paid

Rules: what caching saved may be NEGATIVE: writes that nobody read cost more than they brought. The parts add up: a
batch saves on what its caching has left. Rounded towards less saved, so no figure claims what was paid. Figures are
for the rates that are given: for a sum of calls these are a row's base rates, so calls above a tier's
threshold count as if they were below it. What a kept answer saved is an ESTIMATE: the mean cost of calls like it.
"""

from __future__ import annotations

from dataclasses import dataclass

from runner.money.amounts import ZERO, Money
from runner.money.prices import TOKENS_PER_RATE, Rates
from runner.money.usage import Usage

_WHOLE = 100


@dataclass(frozen=True, slots=True)
class Savings:
    """What some calls would have cost more.

    Attributes:
        caching: by the provider's cache; negative where it cost more than it brought.
        batches: by being asked for in a batch.
        kept: by kept answers, an estimate; `hits`: how many of those were given.
    """

    caching: Money = ZERO
    batches: Money = ZERO
    kept: Money = ZERO
    hits: int = 0

    @property
    def total(self) -> Money:
        """All of it."""
        return Money(self.caching + self.batches + self.kept)

    def __add__(self, other: Savings) -> Savings:
        """Of more calls."""
        return Savings(
            Money(self.caching + other.caching),
            Money(self.batches + other.batches),
            Money(self.kept + other.kept),
            self.hits + other.hits,
        )


NOTHING_SAVED = Savings()


def by_caching(usage: Usage, rates: Rates) -> Money:
    """What reading from the cache saved, less what writing it cost more."""
    return Money(_cached_less(usage, rates) // TOKENS_PER_RATE)


def by_batches(usage: Usage, rates: Rates, percent: int) -> Money:
    """What calls in a batch cost less than the same calls by themselves; `percent`: the batch's price of theirs."""
    usual = usage.input_tokens * rates.input + usage.output_tokens * rates.output - _cached_less(usage, rates)
    return Money(usual * (_WHOLE - percent) // (TOKENS_PER_RATE * _WHOLE))


def by_kept(hits: int, cost: Money, calls: int) -> Money:
    """An estimate: what so many kept answers saved, where `calls` like theirs cost `cost`; 0 where there were none."""
    return Money(hits * cost // calls) if calls else ZERO


def _cached_less(usage: Usage, rates: Rates) -> int:
    """Plain input less what its cached parts cost, times `TOKENS_PER_RATE`. A kind without a rate is plain input."""
    kinds = (
        (usage.cache_read_tokens, rates.cache_read),
        (usage.cache_write_5m_tokens, rates.cache_write_5m),
        (usage.cache_write_1h_tokens, rates.cache_write_1h),
    )
    return sum(tokens * (rates.input - rate) for tokens, rate in kinds if rate is not None)
