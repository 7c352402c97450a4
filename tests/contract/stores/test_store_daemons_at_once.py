"""Rare work of two daemons on one database at the same moment: each thing is done once, and the books are right."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from runner.clock import SystemClock
from runner.errors import IllegalStep, StoreError
from runner.money.amounts import MAX_AMOUNT, Money
from runner.money.budget import Counter
from runner.money.ledger import LedgerEntry, verify
from runner.ports.answers import KeptAnswer
from runner.ports.batches import BatchState, Kept
from runner.ports.books import Alert, Correction, Deposit, Held, LedgerFilter, Quarantine, Settlement
from runner.ports.mail import OutboxState, PreparedHead
from runner.ports.runs import Decision
from runner.ports.stores import Store
from runner.store.catalogue import open_reader
from runner.store.postgres.address import address_of
from runner.store.postgres.store import PostgresStore
from tests.contract.stores.examples import (
    NOON,
    UNKNOWN,
    answer,
    finished,
    held,
    inbound,
    rows,
    scope,
    settled,
    wish,
)
from tests.contract.stores.test_store_batches import a_batch, holds_of, lines_of
from tests.contract.stores.test_store_runs import errand_of, handoff_of, run_of

BOT = "bot:bot-1"
Two = tuple[Store, Store]


@pytest.fixture
async def two(postgres_url: str) -> AsyncIterator[Two]:
    async with AsyncExitStack() as stack:
        stores = [PostgresStore(address_of(postgres_url), SystemClock(), writers=2) for _ in range(2)]
        for store in stores:
            await store.open()
            stack.push_async_callback(store.close)
        yield stores[0], stores[1]


async def books_are_right(store: Store) -> bool:
    return verify(await store.counters(), await rows(store)) == []


async def test_a_key_is_one_batch_whoever_makes_it(two: Two) -> None:
    batches = [a_batch(f"b{n}", key="digest@2026-01-01") for n in range(6)]
    made = await asyncio.gather(
        *(two[n % 2].batches.add(batch, lines_of(batch), holds_of(batch)) for n, batch in enumerate(batches))
    )
    assert all(isinstance(one, Kept) for one in made)
    kept = [one for one in made if isinstance(one, Kept)]
    assert [one.fresh for one in kept].count(True) == 1
    assert len({one.batch.id for one in kept}) == 1
    assert (await two[0].counters([BOT]))[BOT] == Counter(held=3300)
    assert len(await rows(two[1])) == 3


async def test_batches_and_messages_never_pass_one_limit(two: Two) -> None:
    limit = scope(limit=11_000)
    batches = [a_batch(f"b{n}") for n in range(4)]
    results = await asyncio.gather(
        *(
            two[n % 2].batches.add(batch, lines_of(batch), holds_of(batch, limit))
            for n, batch in enumerate(batches)
        ),
        *(two[n % 2].hold(wish(f"a{n}", [limit])) for n in range(12)),
    )
    lines = 3 * sum(isinstance(one, Kept) for one in results)
    messages = sum(isinstance(one, Held) for one in results)
    amounts = sum(one.amount for one in results if isinstance(one, Held))
    assert messages > 0
    assert 9900 < lines * 1100 + amounts <= 11_000
    assert (await two[0].counters([BOT]))[BOT] == Counter(held=lines * 1100 + amounts)
    assert await books_are_right(two[1])


async def test_a_line_ends_once(two: Two) -> None:
    batch = a_batch(lines=20)
    assert isinstance(
        await two[0].batches.add(batch, lines_of(batch), holds_of(batch, scope(limit=None))), Kept
    )
    ends = [settled(f"b1-{n}", 10 + n) for n in range(1, 21)]
    one, other = await asyncio.gather(
        two[0].batches.settle_lines(ends), two[1].batches.settle_lines(ends[::-1])
    )
    told = list(zip(one, other[::-1], strict=True))
    assert all((mine is None) != (theirs is None) for mine, theirs in told)
    assert (await two[0].counters([BOT]))[BOT] == Counter(settled=sum(10 + n for n in range(1, 21)))
    assert await books_are_right(two[0])


async def test_a_batch_that_another_has_moved_on_is_not_moved_back(two: Two) -> None:
    batch = a_batch()
    await two[0].batches.add(batch, lines_of(batch), holds_of(batch))
    there = await two[0].batches.batch("b1")
    assert there is not None
    await two[0].batches.save(replace(there, state=BatchState.ENDED))
    with pytest.raises(IllegalStep):
        await two[1].batches.save(replace(there, state=BatchState.SUBMITTING))
    assert (await two[0].batches.ask_cancel("b1")) == await two[1].batches.batch("b1")


async def test_deposits_together_can_be_kept(two: Two) -> None:
    half = Money(MAX_AMOUNT // 2 + 1)
    told = await asyncio.gather(
        *(two[n % 2].deposit(Deposit(f"receipt {n}", half, NOON)) for n in range(4)), return_exceptions=True
    )
    assert sum(isinstance(one, StoreError) for one in told) == 3
    assert [one.amount for one in await two[1].deposits()] == [half]
    same = await asyncio.gather(*(two[n % 2].deposit(Deposit("same", Money(5), NOON)) for n in range(6)))
    assert [one.fresh for one in same].count(True) == 1


async def test_a_correction_is_made_once(two: Two) -> None:
    await held(two[0], "a1", scope())
    await two[0].settle(Settlement("a1", UNKNOWN))
    told = await asyncio.gather(
        *(two[n % 2].correct(Correction("a1", Money(n), "the bill", NOON)) for n in range(6)),
        return_exceptions=True,
    )
    made = [one for one in told if isinstance(one, tuple)]
    assert len(made) == 1
    assert {type(one) for one in told} == {tuple, IllegalStep}
    real: LedgerEntry = made[0][1]
    assert (await two[1].counters([BOT]))[BOT] == Counter(settled=real.cost)
    assert await books_are_right(two[1])


async def test_each_of_many_is_told_once(two: Two) -> None:
    alert = Alert(BOT, 80, 1000, 800, NOON)
    told = await asyncio.gather(*(two[n % 2].raise_alert(alert, deliver=True) for n in range(6)))
    assert told.count(True) == 1
    assert len(await two[0].waiting_alerts(9)) == 1
    for store in two:
        await store.quarantine(Quarantine("openai", "small", "a1", Money(1), Money(2), NOON))
    cleared = await asyncio.gather(*(store.clear_quarantine("openai", "small") for store in two))
    assert sorted(cleared) == [False, True]
    values = await asyncio.gather(*(two[n % 2].values.put_new("link/1", f"{n}", NOON) for n in range(8)))
    assert len(set(values)) == 1
    assert values[0] == await two[0].values.value("link/1", NOON)


async def test_an_errand_is_sent_and_a_question_decided_once(two: Two) -> None:
    await answer(two[0], inbound("e1"), run=run_of(), errands=(errand_of(),), handoff=handoff_of())
    sent = await asyncio.gather(*(two[n % 2].runs.send_errand("e.t1", NOON) for n in range(6)))
    assert len([one for one in sent if one is not None]) == 1
    assert await two[0].runs.owe(errand_of()) is False
    told = await asyncio.gather(
        *(
            two[n % 2].runs.decide(
                "ht1.n1", Decision.APPROVED, f"reviewer {n}", "", errand_of(f"decided {n}"), NOON
            )
            for n in range(6)
        ),
        return_exceptions=True,
    )
    decided = [one for one in told if not isinstance(one, IllegalStep)]
    assert [await two[1].runs.handoff("ht1.n1")] == decided
    assert len(await two[1].runs.errands(NOON, 9)) == 1


async def test_what_one_daemon_counts_counts_for_all(two: Two) -> None:
    rates = [store.rates for store in two if store.rates is not None]
    waits = await asyncio.gather(*(one.take_all([("bot", 15)]) for _ in range(20) for one in rates))
    assert waits.count(0.0) == 15


async def test_kept_answers_of_one_bot_from_two_daemons(two: Two) -> None:
    await asyncio.gather(
        *(
            two[n % 2].keep_answer(KeptAnswer(f"k{n % 5}", "bot-1", f"{n}", Money(1), NOON, NOON + 9))
            for n in range(30)
        )
    )
    assert await two[0].forget_answers("bot-1") == 5


async def test_a_conversation_stays_while_another_daemon_works_in_it(two: Two) -> None:
    """Its messages go; what the turn on its way goes on with, stays, and goes when it is forgotten again."""
    await answer(two[0], inbound("e1"), "q", "a")
    await two[0].prepare_head("c1", PreparedHead(1, "asked"))
    async with two[0].lane("lane-1") as session:
        assert session is not None
        assert await two[1].forget_conversation("c1") == 4
        assert await two[1].prune(0, NOON * 2) == 0
        await two[0].accept(inbound("e2"))
        work = await session.next(NOON)
        assert work is not None
        assert work.conversation is not None
        assert (work.conversation.id, work.history, work.conversation.next_seq) == ("c1", (), 2)
        await session.finish(finished(work, "q2", "a2"))
    found = await two[1].transcript("c1")
    assert found is not None
    assert [turn.messages for turn in found.turns] == [("q2", "a2")]
    assert await two[1].forget_conversation("c1") == 5
    assert await two[0].transcript("c1") is None


async def test_forgetting_while_turns_end_leaves_right_counts(two: Two) -> None:
    for n in range(10):
        await answer(two[0], inbound(f"e{n}"), "q", "a", user="anna" if n % 2 else "ben")

    async def talk() -> None:
        for n in range(10, 20):
            await answer(two[0], inbound(f"e{n}"), "q", "a", user="ben")

    await asyncio.gather(talk(), *(two[1].forget_user("bot-1", "anna") for _ in range(3)))
    await two[1].forget_user("bot-1", "anna")
    found = await two[1].transcript("c1")
    assert found is not None
    assert {turn.user for turn in found.turns} == {"ben"}
    assert (found.line.turns, found.line.messages) == (15, 30)
    assert sum(len(turn.messages) for turn in found.turns) == 30


async def test_what_cannot_be_kept_as_it_is_is_replaced(two: Two) -> None:
    """NUL, and half a surrogate pair: no message is refused for ever."""
    broken = "a\0b\ud800c"
    await two[0].keep_answer(KeptAnswer("k\0", "bot-1", broken, Money(1), NOON, NOON + 9))
    kept = await two[1].kept_answer("k\0", NOON)
    assert kept is not None
    assert kept.text == "a\ufffdb\ufffdc"
    await answer(two[0], inbound("e\0", payload=broken), broken, parts=1, user="an\0na")
    assert (await two[1].transcript("c1")) is not None
    assert await two[1].forget_user("bot-1", "an\0na") == 0, "its answer is on its way"
    [part] = await two[1].outgoing(OutboxState.SENDING, 9)
    await two[0].end_sending(part.id, OutboxState.SENT)
    assert await two[1].forget_user("bot-1", "an\0na") > 0
    batch = a_batch(lines=1)
    lines = [replace(line, custom_id=broken) for line in lines_of(batch)]
    assert isinstance(await two[0].batches.add(batch, lines, holds_of(batch)), Kept)
    assert [line.custom_id for line in await two[1].batches.lines("b1", 0, 9)] == ["a\ufffdb\ufffdc"]


async def test_a_reader_beside_them_sees_what_they_wrote_and_writes_nothing(
    two: Two, postgres_url: str, tmp_path: Path
) -> None:
    await answer(two[0], inbound("e1"), "q", "a", parts=1)
    await held(two[1], "t1.1", scope(), turn="t1", conversation="c1")
    await two[1].settle(settled("t1.1", 700))
    reader = open_reader(postgres_url, tmp_path)
    await reader.open()
    try:
        assert await reader.counters() == {BOT: Counter(settled=700)}
        assert [entry async for entry in reader.ledger(LedgerFilter())] == await rows(two[0])
        assert await reader.usage(LedgerFilter(), ["user"]) == await two[0].usage(LedgerFilter(), ["user"])
        assert await reader.transcript("c1") == await two[0].transcript("c1")
        assert await reader.conversations(None, 9) == await two[0].conversations(None, 9)
        assert await reader.figures() == await two[0].figures()
        assert await reader.outgoing(OutboxState.SENDING, 9) == await two[0].outgoing(OutboxState.SENDING, 9)
        assert await reader.verify_books() == []
        assert await reader.latest_ms() == NOON
    finally:
        await reader.close()
    with pytest.raises(StoreError):
        await reader.counters()
    assert (await work_on_nothing(two[0])) is True


async def work_on_nothing(store: Store) -> bool:
    """Whether the lane has no work."""
    async with store.lane("lane-1") as session:
        assert session is not None
        return await session.next(NOON) is None


async def test_a_refusal_is_not_its_own_cause(two: Two) -> None:
    """Who shows an error with its causes would not come to an end."""
    with pytest.raises(IllegalStep) as refused:
        await two[0].correct(Correction("nobody", Money(1), "why", NOON))
    assert refused.value.__cause__ is None
