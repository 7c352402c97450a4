"""Money: no hold passes a limit, each hold ends once, counters are the sum of the rows."""

import asyncio
from dataclasses import replace

import pytest

from runner.errors import IllegalStep, StoreError
from runner.money.amounts import MAX_AMOUNT, Money
from runner.money.budget import Busy, Counter, Exhausted
from runner.money.ledger import verify
from runner.money.reservation import ReservationState
from runner.money.usage import NO_USAGE, Usage
from runner.ports.books import Held, LedgerFilter, Settled, Settlement
from runner.ports.mail import StoredStep
from runner.ports.stores import Recovery, Store
from tests.contract.stores.conftest import Again
from tests.contract.stores.examples import (
    NOON,
    RELEASED,
    SETTLED,
    UNKNOWN,
    WANTED,
    attempt,
    held,
    inbound,
    rows,
    scope,
    settled,
    wish,
    work_on,
)

BOT = "bot:bot-1"


async def counter(store: Store, name: str = BOT) -> Counter:
    return (await store.counters([name])).get(name, Counter())


async def books_are_right(store: Store) -> bool:
    return verify(await store.counters(), await rows(store)) == []


async def test_a_hold_counts_in_each_scope(store: Store) -> None:
    result = await store.hold(wish("a1", [scope(), scope("wallet", None)]))
    assert result == Held("a1", 1000, Money(1100), 1100, (scope(), scope("wallet", None)))
    assert await store.counters() == {BOT: Counter(held=1100), "wallet": Counter(held=1100)}
    [row] = await rows(store)
    assert (row.attempt, row.scopes) == (attempt("a1"), (BOT, "wallet"))
    assert (row.state, row.hold, row.cost) == (ReservationState.HELD, 1100, 1100)


async def test_a_hold_shrinks_to_what_is_left(store: Store) -> None:
    result = await held(store, "a1", scope(limit=900), scope("team", 800))
    assert (result.output_tokens, result.amount, result.tokens) == (700, 800, 800)
    assert await counter(store) == Counter(held=800)


async def test_a_full_scope_is_busy_while_others_may_settle_low(store: Store) -> None:
    await held(store, "a1", scope(limit=1200))
    assert await store.hold(wish("a2", [scope("wide"), scope(limit=1200)])) == Busy(BOT)
    assert (await counter(store, "wide"), await counter(store)) == (Counter(), Counter(held=1100))
    assert [row.attempt.id for row in await rows(store)] == ["a1"]
    await store.settle(settled("a1", 100))
    assert (await held(store, "a2", scope("wide"), scope(limit=1200))).amount == 1100


async def test_a_spent_scope_is_exhausted(store: Store) -> None:
    await held(store, "a1", scope(limit=1100))
    await store.settle(settled("a1", 900))
    assert await store.hold(wish("a2", [scope("wide"), scope(limit=1100)])) == Exhausted(BOT)
    assert await counter(store, "wide") == Counter()
    assert len(await rows(store)) == 1


async def test_unknown_money_is_gone_for_good(store: Store) -> None:
    await held(store, "a1", scope(limit=1200))
    await store.settle(Settlement("a1", UNKNOWN))
    assert await store.hold(wish("a2", [scope(limit=1200)])) == Exhausted(BOT)


async def test_many_at_once_never_pass_the_limit(store: Store) -> None:
    results = await asyncio.gather(
        *(store.hold(wish(f"a{n}", [scope(limit=11_950), scope("wallet", None)])) for n in range(200)),
    )
    granted = [result for result in results if isinstance(result, Held)]
    assert [result.amount for result in granted] == [1100] * 10 + [950]
    assert {type(result) for result in results[11:]} == {Busy}
    assert await counter(store) == Counter(held=11_950)

    outcomes = [RELEASED, UNKNOWN, SETTLED]
    await asyncio.gather(
        *(
            store.settle(Settlement(one.attempt_id, outcomes[n % 3], Money(10)))
            for n, one in enumerate(granted)
        ),
    )
    assert (await counter(store)).held == 0
    assert await books_are_right(store)


async def test_an_attempt_exists_once(store: Store) -> None:
    await held(store, "a1")
    for again in (wish("a1"), wish("a1", [scope(limit=0)]), wish("a1", turn="another")):
        with pytest.raises(IllegalStep):
            await store.hold(again)
    await store.settle(settled("a1"))
    with pytest.raises(IllegalStep):
        await store.hold(wish("a1"))
    assert await counter(store) == Counter(settled=700)


async def test_a_scope_is_named_once(store: Store) -> None:
    with pytest.raises(ValueError, match="twice"):
        await store.hold(wish("a1", [scope(), scope()]))
    assert await rows(store) == []


@pytest.mark.parametrize(
    ("state", "cost", "stands", "then"),
    [
        (SETTLED, Money(700), 700, Counter(settled=700)),
        (SETTLED, Money(0), 0, Counter()),
        (RELEASED, None, 0, Counter()),
        (UNKNOWN, None, 1100, Counter(unknown=1100)),
        (UNKNOWN, Money(400), 400, Counter(unknown=400)),
    ],
)
async def test_a_hold_ends(
    store: Store, state: ReservationState, cost: Money | None, stands: int, then: Counter
) -> None:
    await held(store, "a1", scope(), scope("wallet", None))
    usage = Usage(100, 600, 40, 30, 20, 10)
    end = Settlement("a1", state, cost, usage, "req-9", "length", 321, "because")
    assert await store.settle(end) == Settled(Money(stands), {BOT: then, "wallet": then})
    assert await store.counters([BOT, "wallet"]) == {BOT: then, "wallet": then}
    [row] = await rows(store)
    assert (row.state, row.hold, row.cost, row.usage) == (state, 1100, stands, usage)
    assert (row.request_id, row.stop_reason, row.latency_ms, row.why) == ("req-9", "length", 321, "because")


async def test_more_than_was_held_is_the_truth_all_the_same(store: Store) -> None:
    await held(store, "a1", scope(limit=1100))
    assert (await store.settle(settled("a1", 5000))).amount == 5000
    assert await counter(store) == Counter(settled=5000)


@pytest.mark.parametrize("first", [SETTLED, RELEASED, UNKNOWN])
@pytest.mark.parametrize("second", [SETTLED, RELEASED, UNKNOWN])
async def test_a_hold_ends_once(store: Store, first: ReservationState, second: ReservationState) -> None:
    await store.accept(inbound())
    await held(store, "a1")
    await store.settle(Settlement("a1", first, Money(700)))
    before = (await counter(store), await rows(store))
    with pytest.raises(IllegalStep):
        await store.settle(Settlement("a1", second, Money(9), Usage(1, 1), step=StoredStep(0, "no")))
    assert (await counter(store), await rows(store)) == before
    assert (await work_on(store)).steps == ()


@pytest.mark.parametrize(
    "end",
    [Settlement("a1", ReservationState.HELD), Settlement("a1", SETTLED), Settlement("a9", SETTLED, Money(1))],
)
async def test_what_ends_no_hold_is_refused(store: Store, end: Settlement) -> None:
    await held(store, "a1")
    with pytest.raises(IllegalStep):
        await store.settle(end)
    assert await counter(store) == Counter(held=1100)


async def test_a_price_is_not_stored_without_its_reply(store: Store) -> None:
    await store.accept(inbound())
    await held(store, "a1")
    await held(store, "a2")
    await store.settle(settled("a1", step=StoredStep(0, "first")))
    with pytest.raises(IllegalStep):
        await store.settle(settled("a2", step=StoredStep(0, "second")))
    assert await counter(store) == Counter(settled=700, held=1100)
    assert (await work_on(store)).steps == (StoredStep(0, "first"),)
    await store.settle(settled("a2", step=StoredStep(1, "second")))
    assert await books_are_right(store)


async def test_an_amount_that_does_not_fit_is_refused(store: Store) -> None:
    huge = replace(WANTED, input_cost=Money(MAX_AMOUNT + 1))
    with pytest.raises(StoreError):
        await store.hold(wish("a1", [scope("free", None)], huge))
    most = replace(WANTED, input_cost=Money(MAX_AMOUNT - 1000))
    await store.hold(wish("a2", [scope("free", None)], most))
    with pytest.raises(StoreError):
        await store.hold(wish("a3", [scope("free", None)]))
    with pytest.raises(StoreError):
        await store.settle(settled("a2", MAX_AMOUNT + 1))
    assert await counter(store, "free") == Counter(held=MAX_AMOUNT)


async def test_a_restart_keeps_what_nobody_knows(store: Store, again: Again) -> None:
    await held(store, "a1", scope(), scope("wallet", None))
    await held(store, "a2")
    await store.settle(settled("a2"))
    await store.close()
    later = again()
    await later.open()
    try:
        assert await later.recover() == Recovery(holds_unknown=1)
        assert await counter(later) == Counter(settled=700, unknown=1100)
        [lost, done] = sorted(await rows(later), key=lambda row: row.attempt.id)
        assert (lost.state, lost.cost, lost.usage) == (UNKNOWN, 1100, NO_USAGE)
        assert lost.why
        assert done.state is SETTLED
        assert await books_are_right(later)
        with pytest.raises(IllegalStep):
            await later.settle(settled("a1"))
        assert await later.recover() == Recovery()
    finally:
        await later.close()


async def test_each_field_of_an_attempt_is_kept(store: Store) -> None:
    full = replace(
        attempt("a1", turn="t9"),
        feature="workflow:ask",
        task="code",
        route="cheap",
        route_reason="short",
        billing_mode="byok",
        number=2,
        iteration=3,
        conversation="c|ü",
        user="ünï",
    )
    await store.hold(replace(wish("a1"), attempt=full, scopes=()))
    [row] = await rows(store)
    assert (row.attempt, row.scopes) == (full, ())


async def test_counters_are_told_for_those_asked(store: Store) -> None:
    await held(store, "a1", scope("x"), scope("y"))
    assert set(await store.counters()) == {"x", "y"}
    asked = await store.counters({"x", "never used"})
    assert asked.pop("never used", Counter()) == Counter()
    assert asked == {"x": Counter(held=1100)}


async def test_the_ledger_is_read_by_time_and_filter(store: Store) -> None:
    for name, moment, bot, turn in (
        ("late", NOON + 5, "bot-1", "t1"),
        ("early", NOON, "bot-1", "t1"),
        ("middle", NOON + 1, "bot-2", "t2"),
        ("same moment", NOON + 1, "bot-1", "t2"),
    ):
        await held(store, name, time_ms=moment, bot=bot, turn=turn)

    async def names(**which: object) -> list[str]:
        return [row.attempt.id for row in await rows(store, LedgerFilter(**which))]  # type: ignore[arg-type]

    assert await names() == ["early", "middle", "same moment", "late"]
    assert await names(bot="bot-1") == ["early", "same moment", "late"]
    assert await names(turn="t2") == ["middle", "same moment"]
    assert await names(turn="t2", bot="bot-2") == ["middle"]
    assert await names(from_ms=NOON + 1) == ["middle", "same moment", "late"]
    assert await names(to_ms=NOON + 1) == ["early"]
    assert await names(from_ms=NOON + 1, to_ms=NOON + 5, bot="bot-2") == ["middle"]
    assert await names(turn="t1", from_ms=NOON + 1) == ["late"]
