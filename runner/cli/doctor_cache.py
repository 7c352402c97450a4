"""What the bots' calls of the last days took from their providers' caches, and what could keep them from more.

Rules: the latest `MOST_ROWS` rows at most are looked at, one after another; a call comes after a pause where the call
before it in its conversation is longer ago than the cache lasts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runner.agent.caching import CHARS_PER_TOKEN, DEFAULT_MIN_CACHEABLE
from runner.cli.doctor_facts import CacheFacts
from runner.clock import MS_PER_DAY, UnixMs

if TYPE_CHECKING:
    from runner.bots import Bot
    from runner.config.settings import Settings
    from runner.money.ledger import LedgerEntry
    from runner.money.prices import Price

DAYS = 7
MOST_ROWS = 50_000
_LASTS_MS = {"1h": 3_600_000}
_USUALLY_MS = 300_000


@dataclass(slots=True)
class _Sum:
    """Of one bot and model."""

    calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    after_pause: int = 0
    latest: dict[str, int] = field(default_factory=dict)

    def add(self, row: LedgerEntry, lasts_ms: int) -> None:
        """One call more."""
        self.calls += 1
        self.input_tokens += row.usage.input_tokens
        self.cached_tokens += row.usage.cache_read_tokens
        before = self.latest.get(row.attempt.conversation)
        self.after_pause += before is not None and row.attempt.time_ms - before > lasts_ms
        self.latest[row.attempt.conversation] = row.attempt.time_ms


async def cache_facts(settings: Settings, now: UnixMs) -> tuple[CacheFacts, ...]:
    """Of each enabled bot whose model has a price for what comes from the cache."""
    from runner.cli.books import open_books
    from runner.ports.books import LedgerFilter

    bots = {bot.id: (bot, price) for bot in settings.bots if (price := _cached_price(settings, bot))}
    sums: dict[str, _Sum] = {name: _Sum() for name in bots}
    seen = 0
    async with open_books(settings) as books:
        async for row in books.ledger(LedgerFilter(from_ms=now - DAYS * MS_PER_DAY)):
            seen += 1
            if seen > MOST_ROWS:
                break
            _count(row, bots, sums)
    return tuple(_facts(*bots[name], found) for name, found in sums.items())


def _cached_price(settings: Settings, bot: Bot) -> Price | None:
    price = settings.prices.find(bot.choice.provider, bot.choice.model)
    return price if bot.enabled and price is not None and price.rates.cache_read is not None else None


def _count(row: LedgerEntry, bots: Mapping[str, tuple[Bot, Price]], sums: Mapping[str, _Sum]) -> None:
    known = bots.get(row.attempt.bot)
    if known is not None and row.usage.input_tokens and row.attempt.model == known[0].choice.model:
        sums[row.attempt.bot].add(row, _LASTS_MS.get(known[0].prompt_cache, _USUALLY_MS))


def _facts(bot: Bot, price: Price, found: _Sum) -> CacheFacts:
    shared = len(bot.system_prompt) + sum(
        len(str(tool.parameters)) + len(tool.description) for tool in bot.tools
    )
    return CacheFacts(
        bot=bot.id,
        model=bot.choice.model,
        calls=found.calls,
        input_tokens=found.input_tokens,
        cached_tokens=found.cached_tokens,
        after_pause=found.after_pause,
        prefix_tokens=shared // CHARS_PER_TOKEN,
        least_tokens=price.limits.min_cacheable_tokens or DEFAULT_MIN_CACHEABLE,
        mode=bot.prompt_cache,
        sliding=bot.conversations.context == "sliding",
        hour=price.rates.cache_write_1h is not None and bot.prompt_cache != "1h",
    )
