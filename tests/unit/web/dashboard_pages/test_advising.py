"""What pages advise is looked up now and then, not at each look."""

from collections.abc import Sequence
from dataclasses import replace

from runner.money.amounts import from_cents
from runner.money.prices import Rates
from runner.ports.books import LedgerFilter, UsageSum
from runner.store.memory import MemoryStore
from runner.testing.clock import ManualClock
from runner.testing.scenes import a_book, a_bot, a_price
from runner.web.dashboard_pages.advising import KEPT_S, Advising

SHOP, DESK = a_bot("shop"), a_bot("desk")


class CountingStore(MemoryStore):
    """Counts how often usage is asked for."""

    looks = 0

    async def usage(self, which: LedgerFilter, by: Sequence[str], limit: int | None = None) -> list[UsageSum]:
        self.looks += 1
        return await super().usage(which, by, limit)


async def test_it_is_kept_for_a_while() -> None:
    store, clock = CountingStore(), ManualClock()
    book, bots = a_book(), [SHOP, DESK]
    await store.open()
    advising = Advising(store, clock, lambda: book, lambda: bots)
    assert await advising.of([]) == ()
    assert store.looks == 0

    async def looked(*names: str) -> bool:
        before = store.looks
        await advising.of([bot for bot in bots if bot.id in names])
        return store.looks > before

    assert await looked("shop")
    assert not await looked("shop")
    assert await looked("shop", "desk")
    assert await looked("desk")
    assert not await looked("shop")
    clock.advance(KEPT_S)
    assert await looked("shop")
    bots[0] = replace(SHOP, cap=from_cents(5))
    assert await looked("shop")
    book = a_book(a_price(Rates(1, 1)))
    assert await looked("shop")
    bots = [DESK]
    assert await looked("desk")
    assert set(advising._kept) == {"", "desk"}
    await store.close()
