"""What an operator puts right is rows of its own, once; the ledger can be asked for what is unknown."""

import pytest

from runner.errors import IllegalStep, StoreError
from runner.money.amounts import MAX_AMOUNT, Money
from runner.money.budget import Counter, Exhausted
from runner.money.ledger import LedgerEntry, verify
from runner.money.reservation import ReservationState
from runner.money.usage import NO_USAGE, Usage
from runner.ports.books import Correction, LedgerFilter, Settlement
from runner.ports.stores import Store
from tests.contract.stores.conftest import Again
from tests.contract.stores.examples import (
    NOON,
    RELEASED,
    SETTLED,
    UNKNOWN,
    attempt,
    held,
    quota,
    rows,
    scope,
    settled,
    wish,
)

BOT, TOKENS = "bot:bot-1", quota(1).name
LATER = NOON + 5000


@pytest.fixture
async def lost(store: Store) -> Store:
    """A store with the attempt `a1`, of unknown fate: 1100 pico-dollars and 1100 tokens."""
    await held(store, "a1", scope(limit=2000), quota(9000), feature="test", number=2)
    await store.settle(Settlement("a1", UNKNOWN, None, NO_USAGE, "req-1", "timeout", 42, "no answer"))
    return store


async def by_id(store: Store) -> dict[str, LedgerEntry]:
    """All rows; their sums are the counters, always."""
    found = await rows(store)
    assert verify(await store.counters(), found) == []
    return {row.attempt.id: row for row in found}


async def test_what_it_really_was(lost: Store) -> None:
    before = (await by_id(lost))["a1"]
    back, real = await lost.correct(Correction("a1", Money(30), "the provider's bill", LATER))
    found = await by_id(lost)
    assert found == {"a1": before, back.attempt.id: back, real.attempt.id: real}
    assert (back.state, back.cost, back.tokens) == (UNKNOWN, -1100, -1100)
    assert (real.state, real.cost, real.tokens) == (SETTLED, 30, 1100)
    for row in (back, real):
        assert row.attempt == attempt(row.attempt.id, time_ms=LATER, feature="test", number=2)
        assert (row.scopes, row.corrects, row.why) == ((BOT, TOKENS), "a1", "the provider's bill")
        assert (row.hold, row.hold_tokens, row.usage, row.latency_ms) == (0, 0, NO_USAGE, 0)
        assert (row.request_id, row.stop_reason) == ("req-1", "timeout")
    assert await lost.counters() == {BOT: Counter(settled=30), TOKENS: Counter(settled=1100)}


async def test_it_never_ran(lost: Store) -> None:
    _, real = await lost.correct(Correction("a1", Money(0), "never arrived", LATER))
    assert (real.state, real.cost, real.tokens) == (SETTLED, 0, 0)
    assert await lost.counters() == {BOT: Counter(), TOKENS: Counter()}
    assert len(await by_id(lost)) == 3


async def test_a_correction_makes_room_or_takes_it(lost: Store) -> None:
    tight = scope(limit=1300)
    assert isinstance(await lost.hold(wish("a2", [tight])), Exhausted)
    await lost.correct(Correction("a1", Money(200), "cheaper", LATER))
    assert (await held(lost, "a2", tight)).amount == 1100
    await lost.settle(Settlement("a2", UNKNOWN))
    await lost.correct(Correction("a2", Money(5000), "dearer than its bound", LATER))
    assert (await lost.counters([BOT]))[BOT] == Counter(settled=5200)
    assert isinstance(await lost.hold(wish("a3", [tight])), Exhausted)
    assert len(await by_id(lost)) == 6


async def test_once(lost: Store, again: Again) -> None:
    await lost.correct(Correction("a1", Money(30), "first", LATER))
    before = (await by_id(lost), await lost.counters())
    for wrong in ("a1", "a1.back", "a1.real"):
        with pytest.raises(IllegalStep):
            await lost.correct(Correction(wrong, Money(7), "again", LATER))
    assert (await by_id(lost), await lost.counters()) == before
    await lost.close()
    later = again()
    await later.open()
    with pytest.raises(IllegalStep):
        await later.correct(Correction("a1", Money(7), "again", LATER))
    assert (await by_id(later), await later.counters()) == before
    await later.close()


@pytest.mark.parametrize("state", [ReservationState.HELD, SETTLED, RELEASED, None])
async def test_only_what_is_unknown(store: Store, state: ReservationState | None) -> None:
    if state is not None:
        await held(store, "a1")
    if state in (SETTLED, RELEASED):
        await store.settle(Settlement("a1", state, Money(5)))
    before = (await by_id(store), await store.counters())
    with pytest.raises(IllegalStep):
        await store.correct(Correction("a1", Money(7), "why", LATER))
    assert (await by_id(store), await store.counters()) == before


async def test_not_below_nothing_and_not_beyond_all(lost: Store) -> None:
    before = (await by_id(lost), await lost.counters())
    with pytest.raises(IllegalStep):
        await lost.correct(Correction("a1", Money(-1), "why", LATER))
    with pytest.raises(StoreError):
        await lost.correct(Correction("a1", Money(MAX_AMOUNT + 1), "why", LATER))
    assert (await by_id(lost), await lost.counters()) == before


async def test_a_restart_leaves_corrections_alone(lost: Store, again: Again) -> None:
    await lost.correct(Correction("a1", Money(30), "why", LATER))
    before = await by_id(lost)
    await lost.close()
    later = again()
    await later.open()
    assert (await later.recover()).holds_unknown == 0
    assert await by_id(later) == before
    await later.close()


async def test_a_correction_is_no_call(lost: Store) -> None:
    await lost.correct(Correction("a1", Money(30), "why", LATER))
    [total] = await lost.usage(LedgerFilter(), ["bot"])
    assert (total.calls, total.retries, total.cost, total.unknown) == (1, 1, 30, 0)


async def test_usage_leaves_out_what_has_not_ended(store: Store) -> None:
    await held(store, "a1")
    assert await store.usage(LedgerFilter(), ["bot"]) == []
    await held(store, "a2", turn="t2")
    await store.settle(settled("a2", 700))
    [total] = await store.usage(LedgerFilter(), ["bot"])
    assert (total.calls, total.cost, total.usage) == (1, 700, Usage(100, 600))


async def test_the_ledger_is_read_by_state(store: Store) -> None:
    for name, state in (("a1", UNKNOWN), ("a2", SETTLED), ("a3", RELEASED), ("a4", UNKNOWN), ("a5", None)):
        await held(store, name, turn=f"t-{name}")
        if state is not None:
            await store.settle(Settlement(name, state, Money(5)))

    async def names(**which: object) -> list[str]:
        return [row.attempt.id for row in await rows(store, LedgerFilter(**which))]  # type: ignore[arg-type]

    assert await names(state=UNKNOWN) == ["a1", "a4"]
    assert await names(state=SETTLED) == ["a2"]
    assert await names(state=RELEASED) == ["a3"]
    assert await names(state=ReservationState.HELD) == ["a5"]
    assert await names(state=UNKNOWN, turn="t-a4") == ["a4"]
    assert await names(state=UNKNOWN, turn="t-a2") == []
