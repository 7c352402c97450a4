"""Usage with what was saved beside it, for any grouping.

    store.usage(by + what prices and savings hang on) ─▶ fold ─▶ groups of `by`, each with its `Savings`

Rules: prices are those in force now, at their base rates; calls of a model without a price save nothing here. An
answer that was given again (route `cache`) saved what such a call of its bot and model cost on average in the same
days, whatever the grouping: so groups add up to the total, but for what is rounded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from runner.agent.kept import CACHE_ROUTE
from runner.money.amounts import Money
from runner.money.prices import PriceBook
from runner.money.savings import NOTHING_SAVED, Savings, by_batches, by_caching, by_kept
from runner.ports.batches import FEATURE
from runner.ports.books import LedgerFilter, UsageSum, add_up

HANGS_ON = ("bot", "provider", "model", "feature", "route")
"""What must be known of calls to say what they saved."""
KEPT_ROUTE = CACHE_ROUTE
BATCH_FEATURE = FEATURE


class UsageReads(Protocol):
    """A part of the store, or of its reader."""

    async def usage(self, which: LedgerFilter, by: Sequence[str], limit: int | None = None) -> list[UsageSum]:
        """As `BookStore.usage`."""


@dataclass(frozen=True, slots=True)
class SavedSum:
    """A group of calls and what was saved with them."""

    sum: UsageSum
    saved: Savings = NOTHING_SAVED


async def usage_with_savings(
    reads: UsageReads, which: LedgerFilter, by: Sequence[str], book: PriceBook
) -> list[SavedSum]:
    """As `BookStore.usage`, dearest first, with what was saved."""
    fine = (*by, *(name for name in HANGS_ON if name not in by))
    return folded(await reads.usage(which, fine), fine, len(by), book)


def folded(groups: Sequence[UsageSum], fine: Sequence[str], kept: int, book: PriceBook) -> list[SavedSum]:
    """Sums by `fine` names as sums by the first `kept` of them, dearest first.

    `fine` holds all of `HANGS_ON`.
    """
    sums: dict[tuple[str, ...], list[UsageSum]] = {}
    saved: dict[tuple[str, ...], Savings] = {}
    means = _means(groups, fine)
    for group in groups:
        key = group.key[:kept]
        sums.setdefault(key, []).append(group)
        more = _saved(group, _Named.of(group, fine), means, book)
        saved[key] = saved.get(key, NOTHING_SAVED) + more
    folds = [SavedSum(replace(add_up(those), key=key), saved[key]) for key, those in sums.items()]
    return sorted(folds, key=lambda fold: (-fold.sum.cost, -fold.sum.unknown, fold.sum.key))


def all_of(groups: Sequence[SavedSum]) -> SavedSum:
    """All groups together, without a key."""
    return SavedSum(
        add_up([group.sum for group in groups]), sum((group.saved for group in groups), NOTHING_SAVED)
    )


@dataclass(frozen=True, slots=True)
class _Named:
    """What a sum's savings hang on, by name."""

    bot: str
    provider: str
    model: str
    feature: str
    route: str

    @classmethod
    def of(cls, group: UsageSum, fine: Sequence[str]) -> _Named:
        """Out of the group's key."""
        return cls(*(group.key[fine.index(name)] for name in HANGS_ON))

    @property
    def was_kept(self) -> bool:
        """Whether the answer was one given again."""
        return self.route == KEPT_ROUTE

    def likes(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Which calls are like these, the nearest first: of the bot's model; of the bot, whichever model."""
        return (self.bot, self.feature, self.provider, self.model), (self.bot, self.feature)


def _means(groups: Sequence[UsageSum], fine: Sequence[str]) -> Mapping[tuple[str, ...], tuple[Money, int]]:
    """What calls of models cost and how many they were, for each kind of `_Named.likes`."""
    found: dict[tuple[str, ...], tuple[Money, int]] = {}
    for group in groups:
        named = _Named.of(group, fine)
        for like in () if named.was_kept else named.likes():
            cost, calls = found.get(like, (0, 0))
            found[like] = (Money(cost + group.cost), calls + group.calls)
    return found


def _saved(
    group: UsageSum, named: _Named, means: Mapping[tuple[str, ...], tuple[Money, int]], book: PriceBook
) -> Savings:
    if named.was_kept:
        cost, calls = next((means[like] for like in named.likes() if like in means), (Money(0), 0))
        return Savings(kept=by_kept(group.calls, cost, calls), hits=group.calls)
    price = book.find(named.provider, named.model)
    if price is None:
        return NOTHING_SAVED
    percent = price.batch_percent if named.feature == BATCH_FEATURE else None
    return Savings(
        by_caching(group.usage, price.rates),
        Money(0) if percent is None else by_batches(group.usage, price.rates, percent),
    )
