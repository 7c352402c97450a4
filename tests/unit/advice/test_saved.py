"""Usage with what was saved: figures that can be reckoned by hand."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from runner.advice.saved import HANGS_ON, SavedSum, all_of, folded, usage_with_savings
from runner.money.amounts import Money
from runner.money.prices import Price, PriceBook, Rates
from runner.money.savings import NOTHING_SAVED, Savings
from runner.money.usage import NO_USAGE, Usage
from runner.ports.books import GROUPINGS, LedgerFilter, Settlement, UsageSum
from runner.store.memory import MemoryStore
from tests.contract.stores.examples import DAY, NOON, SETTLED, scope, wish

PICO = 10**6
"""A rate of one pico-dollar a token."""
BOOK = PriceBook(
    "test",
    {
        ("openai", "small"): Price(
            "small", "openai", Rates(100 * PICO, 400 * PICO, cache_read=10 * PICO, cache_write_5m=125 * PICO)
        ),
        ("openai", "large"): Price("large", "openai", Rates(1000 * PICO, 4000 * PICO), batch_percent=50),
    },
)
ALL = LedgerFilter()


@pytest.fixture
async def store() -> AsyncIterator[MemoryStore]:
    store = MemoryStore()
    await store.open()
    yield store
    await store.close()


async def call(store: MemoryStore, name: str, cost: int, usage: Usage = NO_USAGE, **others: Any) -> None:
    await store.hold(wish(name, (scope(limit=None),), **others))
    await store.settle(Settlement(name, SETTLED, Money(cost), usage))


async def fill(store: MemoryStore) -> None:
    await call(store, "wrote", 200_000, Usage(1000, 100, cache_write_5m_tokens=1000))
    await call(store, "read", 60_000, Usage(1000, 100, cache_read_tokens=900), time_ms=NOON + DAY)
    await call(store, "batch", 700_000, Usage(1000, 100), model="large", feature="batch")
    await call(store, "again", 0, route="cache", user="ben")
    await call(store, "yet again", 0, route="cache", model="gone", user="ben")
    await call(store, "unpriced", 40_000, Usage(10, 5, cache_read_tokens=5), model="odd", bot="other")


async def test_each_kind_of_saving(store: MemoryStore) -> None:
    await fill(store)
    found = {
        group.sum.key: group
        for group in await usage_with_savings(store, ALL, ("bot", "model", "route"), BOOK)
    }
    assert found[("bot-1", "small", "default")].saved == Savings(caching=Money(900 * 90 - 1000 * 25))
    assert found[("bot-1", "large", "default")].saved == Savings(batches=Money(700_000))
    # Two calls of the small model were 260,000; of the bot's chat as a whole it is the same.
    assert found[("bot-1", "small", "cache")].saved == Savings(kept=Money(130_000), hits=1)
    assert found[("bot-1", "gone", "cache")].saved == Savings(kept=Money(130_000), hits=1)
    assert found[("other", "odd", "default")].saved == NOTHING_SAVED


async def test_groups_add_up_whatever_they_are(store: MemoryStore) -> None:
    await fill(store)
    whole = all_of(await usage_with_savings(store, ALL, (), BOOK))
    assert whole.saved == Savings(Money(56_000), Money(700_000), Money(260_000), 2)
    assert (whole.sum.cost, whole.sum.calls) == (1_000_000, 6)
    for name in GROUPINGS:
        groups = await usage_with_savings(store, ALL, (name,), BOOK)
        assert all_of(groups) == whole, name
        assert [group.sum for group in groups] == await store.usage(ALL, (name,)), name


async def test_a_cache_that_nobody_read_cost_money(store: MemoryStore) -> None:
    await call(store, "wrote", 200_000, Usage(1000, 100, cache_write_5m_tokens=1000))
    [group] = await usage_with_savings(store, ALL, ("bot",), BOOK)
    assert group.saved.total == -25_000


async def test_of_nothing_nothing(store: MemoryStore) -> None:
    assert await usage_with_savings(store, ALL, ("bot",), BOOK) == []
    assert all_of([]) == SavedSum(UsageSum(()))


def test_kept_answers_alone_have_nothing_to_be_compared_with() -> None:
    group = UsageSum(("bot-1", "openai", "small", "chat", "cache"), calls=4)
    assert folded([group], HANGS_ON, 1, BOOK) == [
        SavedSum(UsageSum(("bot-1",), calls=4), Savings(kept=Money(0), hits=4))
    ]
