"""Prices of models, and what a usage costs.

Rules: a rate is an int of pico-dollars per MILLION tokens, exact for every published price of up to twelve
decimals; a cost is the sum of tokens x rate, rounded up once. A tier is a cliff: above its threshold of
input tokens ALL tokens of the call cost the tier's rates. A model id is matched exactly. A row with
`min_audio_seconds` is by the second of audio: seconds stand where tokens stand elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from runner.money.amounts import Money, ceil_div
from runner.money.usage import Usage

TOKENS_PER_RATE = 1_000_000
ANY_PROVIDER = "*"


class CacheWrites(StrEnum):
    """What a call may write to the provider's cache: what its input can cost depends on it."""

    NONE = "none"
    MINUTES = "5m"
    HOUR = "1h"


@dataclass(frozen=True, slots=True)
class Rates:
    """Pico-dollars per million tokens, by kind.

    `cache_read` etc. are None where the provider has no such price: those tokens cost as plain input.
    """

    input: int
    output: int
    cache_read: int | None = None
    cache_write_5m: int | None = None
    cache_write_1h: int | None = None

    def dearest_input(self, writes: CacheWrites) -> int:
        """The most that an input token can cost at these rates, where the call may write `writes`."""
        could = [self.input, self.cache_read or 0]
        if writes is not CacheWrites.NONE:
            could.append(self.cache_write_5m or 0)
        if writes is CacheWrites.HOUR:
            could.append(self.cache_write_1h or 0)
        return max(could)

    def at(self, percent: int) -> Rates:
        """These rates at so many percent, each rounded up; a kind without a price stays without one."""
        return Rates(
            input=_part(self.input, percent),
            output=_part(self.output, percent),
            cache_read=None if self.cache_read is None else _part(self.cache_read, percent),
            cache_write_5m=None if self.cache_write_5m is None else _part(self.cache_write_5m, percent),
            cache_write_1h=None if self.cache_write_1h is None else _part(self.cache_write_1h, percent),
        )


@dataclass(frozen=True, slots=True)
class Tier:
    """Other rates for calls with more than `above_input_tokens` of input."""

    above_input_tokens: int
    rates: Rates


@dataclass(frozen=True, slots=True)
class ModelLimits:
    """What the model takes. None where nobody published it.

    Attributes:
        context_tokens: input and output together.
        max_output_tokens: the largest output limit that may be asked for.
        min_cacheable_tokens: the smallest prefix that the provider caches.
        image_tokens: the most that one image costs as input; None: images are refused.
        thinks: whether it spends output tokens on thinking (its floor for a shrunken output is higher).
        temperature: whether it takes a temperature.
        min_audio_seconds: what the shortest recording is billed as, in whole seconds. Set on the rows of models
            that write speech down: their rates are per million SECONDS of audio, and their usage is in seconds.
    """

    context_tokens: int | None = None
    max_output_tokens: int | None = None
    min_cacheable_tokens: int | None = None
    image_tokens: int | None = None
    thinks: bool = False
    temperature: bool = True
    min_audio_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """One row of the book.

    Attributes:
        model: the exact model id.
        provider: who serves it at this price; `ANY_PROVIDER` for rows that an operator adds for all of them.
        version: which book and date the row is of; written on each ledger row.
        source: where the figures come from, for a person to check.
        batch_percent: what a batch call costs, in percent of the rates; None: no batches.
        writes_unasked: the provider writes its cache, and bills it, whether or not the request asks for it.
    """

    model: str
    provider: str
    rates: Rates
    tiers: tuple[Tier, ...] = ()
    limits: ModelLimits = ModelLimits()
    batch_percent: int | None = None
    version: str = ""
    source: str = ""
    note: str = ""
    writes_unasked: bool = False

    def rates_for(self, input_tokens: int) -> Rates:
        """The rates of a call with that much input."""
        chosen = self.rates
        for tier in sorted(self.tiers, key=lambda t: t.above_input_tokens):
            if input_tokens > tier.above_input_tokens:
                chosen = tier.rates
        return chosen

    def dearest_for(self, input_tokens: int, writes: CacheWrites) -> Rates:
        """Rates that no call with AT MOST that much input can pass, kind by kind."""
        if self.writes_unasked and writes is CacheWrites.NONE:
            writes = CacheWrites.MINUTES
        reachable = [self.rates] + [t.rates for t in self.tiers if input_tokens > t.above_input_tokens]
        return Rates(
            input=max(r.dearest_input(writes) for r in reachable),
            output=max(r.output for r in reachable),
        )

    def cost(self, usage: Usage) -> Money:
        """What this usage costs, rounded up to the pico-dollar once."""
        rates = self.rates_for(usage.input_tokens)
        missing = max(0, (self.limits.min_audio_seconds or 0) - usage.input_tokens)
        total = (
            (usage.plain_input_tokens + missing) * rates.input
            + usage.cache_read_tokens * _or(rates.cache_read, rates.input)
            + usage.cache_write_5m_tokens * _or(rates.cache_write_5m, rates.input)
            + usage.cache_write_1h_tokens * _or(rates.cache_write_1h, rates.input)
            + usage.output_tokens * rates.output
        )
        return Money(ceil_div(total, TOKENS_PER_RATE))

    def for_batch(self) -> Price | None:
        """The row that calls in a batch go by; None: the model is not served in batches."""
        percent = self.batch_percent
        if percent is None:
            return None
        tiers = tuple(replace(tier, rates=tier.rates.at(percent)) for tier in self.tiers)
        return replace(self, rates=self.rates.at(percent), tiers=tiers, batch_percent=None)

    @property
    def is_free(self) -> bool:
        """Whether every rate is zero, on purpose."""
        every = [self.rates, *(t.rates for t in self.tiers)]
        return all(r.dearest_input(CacheWrites.HOUR) == 0 and r.output == 0 for r in every)


def _or(rate: int | None, otherwise: int) -> int:
    return otherwise if rate is None else rate


def _part(rate: int, percent: int) -> int:
    return ceil_div(rate * percent, 100)


@dataclass(frozen=True, slots=True)
class PriceBook:
    """All rows that are in force. Built once, from the shipped book and the operator's own rows."""

    name: str
    rows: Mapping[tuple[str, str], Price] = field(default_factory=dict)
    aliases: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def find(self, provider: str, model: str) -> Price | None:
        """The row for exactly this provider and model (or its alias), an operator's row for any provider, or None."""
        exact = self.aliases.get((provider, model), model)
        return self.rows.get((provider, exact)) or self.rows.get((ANY_PROVIDER, exact))

    def with_rows(self, extra: Iterable[Price]) -> PriceBook:
        """A book in which these rows replace or join the others.

        A row for any provider replaces the rows of that model at every provider that has none in `extra`; a row
        for what was an alias makes it a model of its own.
        """
        added = {(price.provider, price.model): price for price in extra}
        anywhere = {model for provider, model in added if provider == ANY_PROVIDER}
        kept = {key: price for key, price in self.rows.items() if key[1] not in anywhere}
        aliases = {
            key: exact for key, exact in self.aliases.items() if key not in added and key[1] not in anywhere
        }
        return replace(self, rows={**kept, **added}, aliases=aliases)

    def models(self) -> list[Price]:
        """All rows, by provider and model."""
        return [self.rows[key] for key in sorted(self.rows)]
