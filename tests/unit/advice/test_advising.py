"""From a store to advice: which days, which bots, which users."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from runner.advice.counsel import Kind
from runner.advice.gathering import Asked, Spent, advice_from_rows, advice_from_sums
from runner.clock import MS_PER_DAY, UnixMs
from runner.money.amounts import from_usd
from runner.money.prices import Price, PriceBook, Rates
from runner.money.reservation import ReservationState
from runner.money.usage import NO_USAGE, Usage
from runner.ports.books import HoldRequest, Settlement
from runner.store.memory import MemoryStore
from runner.testing.scenes import CHOICE, a_bot
from tests.contract.stores.examples import WANTED, answer, attempt, inbound, scope

NOW = UnixMs(1_795_341_600_000)
"""22 November 2026, 10:00 UTC."""
PER_TOKEN = 10**12
BOOK = PriceBook(
    "test",
    {
        (CHOICE.provider, name): Price(name, CHOICE.provider, Rates(dollars * PER_TOKEN, dollars * PER_TOKEN))
        for name, dollars in ((CHOICE.model, 4), ("cheap", 1))
    },
)
SHOP, DESK = a_bot("shop"), a_bot("desk")


@pytest.fixture
async def store() -> AsyncIterator[MemoryStore]:
    store = MemoryStore()
    await store.open()
    yield store
    await store.close()


async def call(
    store: MemoryStore, name: str, days_ago: int = 0, tokens: int = 250_000, **others: Any
) -> None:
    """A call of a dollar, so many days ago."""
    about = {"bot": "shop", "provider": CHOICE.provider, "model": CHOICE.model, **others}
    made = attempt(name, turn=name, time_ms=NOW - days_ago * MS_PER_DAY, **about)
    await store.hold(HoldRequest(made, (scope("bot:shop", None),), WANTED))
    usage = Usage(tokens, 0)
    await store.settle(
        Settlement(
            name, ReservationState.SETTLED, BOOK.rows[CHOICE.provider, CHOICE.model].cost(usage), usage
        )
    )


async def test_each_kind_that_sums_tell(store: MemoryStore) -> None:
    for day in range(5):
        await call(store, f"ann{day}", day, user="ann")
        await call(store, f"ben{day}", day, user="ben", tokens=25_000)
    asked = Asked.until(NOW, 30, (SHOP, DESK), BOOK)
    assert (asked.days[0], asked.days[-1], len(asked.days)) == ("2026-10-24", "2026-11-22", 30)
    found = await advice_from_sums(store, asked)
    assert found.spent == {"shop": Spent(from_usd("5.5"), from_usd("5.5"), 10), "desk": Spent()}
    assert {(one.kind, one.bot, one.saved) for one in found.advice} == {
        (Kind.MODEL, "shop", from_usd("4.125")),
        (Kind.CAP, "shop", None),
        (Kind.USER_CAP, "shop", from_usd("4.5")),
    }
    assert {one.write for one in found.advice} == {
        "llm_model: cheap",
        "caps: {bot: {day_cents: 220}}",
        "caps: {user: {day_cents: 10}}",
    }
    few = await advice_from_sums(store, asked, users=False)
    assert Kind.USER_CAP not in {one.kind for one in few.advice}


async def test_only_these_days_and_these_bots(store: MemoryStore) -> None:
    await call(store, "old", 7)
    await call(store, "new", 6)
    await call(store, "gone", 1, bot="gone")
    week = Asked.until(NOW, 7, (SHOP, DESK), BOOK)
    assert (await advice_from_sums(store, week)).spent["shop"].cost == from_usd("1")
    assert (await advice_from_sums(store, Asked.until(NOW, 8, (SHOP,), BOOK))).spent == {
        "shop": Spent(from_usd("2"), from_usd("2"), 2)
    }
    alone = await advice_from_sums(store, Asked.until(NOW, 7, (DESK,), BOOK))
    assert (alone.advice, alone.spent) == ((), {"desk": Spent()})


async def test_a_jump_of_what_messages_cost(store: MemoryStore) -> None:
    for day in range(35):
        for number in range(6):
            name = f"{day}-{number}"
            await call(store, name, day, tokens=50_000 if day < 3 else 10_000)
            message = inbound(bot="shop", event=name, lane=name, at_ms=NOW - day * MS_PER_DAY)
            await answer(store, message, at_ms=NOW - day * MS_PER_DAY)
    found = await advice_from_sums(store, Asked.until(NOW, 7, (SHOP,), BOOK))
    assert [one.what for one in found.warnings] == [
        "cost a message: 0.1085 USD, usually 0.04 USD (+171 %), since 2026-11-20",
        "input tokens a call: 27,142, usually 10,000 (+171 %), since 2026-11-20",
    ]


async def test_rows_are_read_once_and_told_of(store: MemoryStore) -> None:
    for number in range(3):
        await call(store, f"n{number}")
    lost = attempt("lost", turn="lost", time_ms=NOW, bot="shop")
    await store.hold(HoldRequest(lost, (scope("bot:shop", None),), WANTED))
    await store.settle(Settlement("lost", ReservationState.UNKNOWN, from_usd("0.5"), NO_USAGE))
    told: list[int] = []
    asked = Asked.until(NOW, 7, (SHOP,), BOOK)
    spent = (await advice_from_sums(store, asked)).spent
    assert spent["shop"] == Spent(from_usd("3"), from_usd("3.5"), 4)
    [one] = await advice_from_rows(store, asked, spent, told.append)
    assert (one.kind, one.bot) == (Kind.UNKNOWN, "shop")
    assert told == [4]
