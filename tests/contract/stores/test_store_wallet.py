"""The wallet and quotas: what was paid in is a limit, once for each key; tokens are counted beside money."""

from dataclasses import replace

import pytest

from runner.errors import IllegalStep, StoreError
from runner.money.amounts import MAX_AMOUNT, Money
from runner.money.budget import Busy, Counter, Exhausted, Measure, ScopeLimit
from runner.money.ledger import verify
from runner.money.usage import Usage
from runner.ports.books import Deposit, Deposited, Settled, Settlement
from runner.ports.stores import Store
from tests.contract.stores.conftest import Again
from tests.contract.stores.examples import (
    NOON,
    RELEASED,
    SETTLED,
    UNKNOWN,
    held,
    quota,
    rows,
    scope,
    settled,
    wish,
)

BOT, WALLET, TOKENS = "bot:bot-1", "wallet", quota(1).name
PAID = Deposit("receipt 1", Money(1300), NOON, "in cash")


async def counter(store: Store, name: str) -> Counter:
    return (await store.counters([name])).get(name, Counter())


# ── deposits ─────────────────────────────────────────────────────────────────────────────────────────────
async def test_a_deposit_is_in_once(store: Store) -> None:
    assert await store.deposits() == []
    assert await store.deposit(PAID) == Deposited(PAID, fresh=True)
    assert await store.deposit(PAID) == Deposited(PAID, fresh=False)
    assert await store.deposits() == [PAID]


async def test_a_key_pays_in_what_it_paid_in_first(store: Store) -> None:
    await store.deposit(PAID)
    for other in (
        replace(PAID, amount=Money(9), at_ms=NOON + 1, note="other"),
        replace(PAID, amount=MAX_AMOUNT),
        replace(PAID, amount=Money(0)),
    ):
        assert await store.deposit(other) == Deposited(PAID, fresh=False)
    assert await store.deposits() == [PAID]


async def test_deposits_are_told_the_latest_first(store: Store, again: Again) -> None:
    paid = [
        Deposit(key, Money(n), NOON + at) for n, (key, at) in enumerate([("b", 1), ("a", 5), ("c", 1)], 1)
    ]
    for one in paid:
        await store.deposit(one)
    assert [one.key for one in await store.deposits()] == ["a", "c", "b"]
    await store.close()
    later = again()
    await later.open()
    assert [one.key for one in await later.deposits()] == ["a", "c", "b"]
    assert await later.deposit(paid[0]) == Deposited(paid[0], fresh=False)
    await later.close()


@pytest.mark.parametrize("amount", [0, -1])
async def test_nothing_is_paid_out_by_paying_in(store: Store, amount: int) -> None:
    with pytest.raises(IllegalStep):
        await store.deposit(replace(PAID, amount=Money(amount)))
    assert await store.deposits() == []


async def test_deposits_together_can_be_kept(store: Store) -> None:
    await store.deposit(PAID)
    with pytest.raises(StoreError):
        await store.deposit(Deposit("too much", Money(MAX_AMOUNT - 1299), NOON))
    assert (await store.deposit(Deposit("the most", Money(MAX_AMOUNT - 1300), NOON))).fresh
    assert len(await store.deposits()) == 2


# ── the wallet ───────────────────────────────────────────────────────────────────────────────────────────
async def test_without_a_wallet_nothing_is_held_in_it(store: Store) -> None:
    result = await held(store, "a1", scope(), scope(WALLET, None, funded=True))
    assert result.scopes == (scope(),)
    assert [row.scopes for row in await rows(store)] == [(BOT,)]
    assert set(await store.counters()) == {BOT}


async def test_the_wallet_limits_by_what_was_paid_in(store: Store) -> None:
    await store.deposit(PAID)
    purse = scope(WALLET, None, funded=True)
    first = await held(store, "a1", scope(), purse)
    assert first.scopes == (scope(), scope(WALLET, 1300, funded=True))
    assert await store.hold(wish("a2", [scope(), purse])) == Busy(WALLET)
    await store.settle(settled("a1", 1100))
    refused = await store.hold(wish("a2", [scope(), purse]))
    assert isinstance(refused, Exhausted)
    assert (refused.scope, refused.limit, refused.gone) == (WALLET, 1300, 1100)
    await store.deposit(Deposit("receipt 2", Money(1100), NOON))
    second = await held(store, "a2", scope(), purse)
    assert (second.amount, second.scopes[1].limit) == (1100, 2400)
    assert await counter(store, WALLET) == Counter(settled=1100, held=1100)


@pytest.mark.parametrize(
    ("terms", "limit", "granted"), [(-500, 800, 800), (400, 1700, 1100), (0, 1300, 1100)]
)
async def test_the_wallets_terms_move_its_limit(store: Store, terms: int, limit: int, granted: int) -> None:
    await store.deposit(PAID)
    result = await held(store, "a1", scope(WALLET, terms, funded=True))
    assert (result.scopes[0].limit, result.amount) == (limit, granted)


async def test_a_wallet_with_terms_is_one_that_nothing_was_paid_into(store: Store) -> None:
    refused = await store.hold(wish("a1", [scope(WALLET, 0, funded=True)]))
    assert refused == Exhausted(WALLET)
    credit = await held(store, "a1", scope(WALLET, 400, funded=True))
    assert credit.amount == 400


async def test_what_is_held_in_no_wallet_is_settled_in_none(store: Store) -> None:
    await held(store, "a1", scope(WALLET, None, funded=True))
    await store.deposit(PAID)
    assert await store.settle(settled("a1")) == Settled(Money(700), {})
    assert await counter(store, WALLET) == Counter()


# ── tokens ───────────────────────────────────────────────────────────────────────────────────────────────
async def test_tokens_are_held_beside_money(store: Store) -> None:
    result = await held(store, "a1", scope(), quota(5000))
    assert (result.amount, result.tokens) == (1100, 1100)
    assert await store.counters() == {BOT: Counter(held=1100), TOKENS: Counter(held=1100)}
    end = await store.settle(settled("a1", 7, usage=Usage(90, 40)))
    assert end == Settled(Money(7), {BOT: Counter(settled=7), TOKENS: Counter(settled=130)})
    [row] = await rows(store)
    assert (row.hold, row.hold_tokens, row.cost, row.tokens) == (1100, 1100, 7, 130)
    assert verify(await store.counters(), [row]) == []


async def test_tokens_shrink_a_call(store: Store) -> None:
    result = await held(store, "a1", scope(), quota(850))
    assert (result.output_tokens, result.amount, result.tokens) == (750, 850, 850)


async def test_tokens_are_busy_and_exhausted(store: Store) -> None:
    await held(store, "a1", quota(1300))
    assert await store.hold(wish("a2", [scope(), quota(1300)])) == Busy(TOKENS)
    await store.settle(settled("a1", 0, usage=Usage(100, 901)))
    refused = await store.hold(wish("a2", [scope(), quota(1300)]))
    assert isinstance(refused, Exhausted)
    assert (refused.scope, refused.limit, refused.gone) == (TOKENS, 1300, 1001)
    assert await counter(store, BOT) == Counter()


@pytest.mark.parametrize(
    ("end", "then"),
    [
        (Settlement("a1", RELEASED), Counter()),
        (Settlement("a1", UNKNOWN), Counter(unknown=1100)),
        (Settlement("a1", UNKNOWN, Money(300), Usage(80, 150)), Counter(unknown=230)),
        (Settlement("a1", SETTLED, Money(0)), Counter()),
    ],
)
async def test_how_tokens_end(store: Store, end: Settlement, then: Counter) -> None:
    await held(store, "a1", quota(None))
    await store.settle(end)
    assert await counter(store, TOKENS) == then
    assert verify(await store.counters(), await rows(store)) == []


async def test_a_restart_keeps_tokens_that_nobody_knows(store: Store, again: Again) -> None:
    await held(store, "a1", scope(), quota(5000))
    await store.close()
    later = again()
    await later.open()
    await later.recover()
    assert await counter(later, TOKENS) == Counter(unknown=1100)
    assert verify(await later.counters(), await rows(later)) == []
    await later.close()


@pytest.mark.parametrize("wrong", [scope(TOKENS), replace(scope(), measure=Measure.TOKENS)])
async def test_a_scope_counts_what_its_name_says(store: Store, wrong: ScopeLimit) -> None:
    with pytest.raises(ValueError, match="does not count"):
        await store.hold(wish("a1", [wrong]))
    assert await rows(store) == []
