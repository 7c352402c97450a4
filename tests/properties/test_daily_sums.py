"""Whatever happens to holds: the sums by day are the sums of the rows, for every grouping, filter and range of days."""

import asyncio
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from runner.clock import SystemClock
from runner.money.amounts import Money
from runner.money.estimate import Estimate
from runner.money.ledger import Attempt, LedgerEntry
from runner.money.reservation import ReservationState
from runner.money.usage import NO_USAGE, Usage
from runner.ports.books import (
    GROUPINGS,
    BookStore,
    Correction,
    HoldRequest,
    LedgerFilter,
    Settlement,
    UsageSum,
)
from runner.ports.stores import Store
from runner.store.days import text_of
from runner.store.memory import MemoryStore
from runner.store.postgres.address import address_of
from runner.store.postgres.store import PostgresStore
from runner.store.rules import dearest_first
from runner.store.sqlite.store import SqliteStore
from runner.testing.postgres_server import PostgresServer

DAY = 86_400_000
FIRST = 20_500
"""The day on which all begins; what happens, happens in three days from then."""
WANTED = Estimate(input_tokens=10, output_tokens=90, floor_tokens=1, input_cost=Money(10), output_rate=10**6)
FINAL = [ReservationState.SETTLED, ReservationState.RELEASED, ReservationState.UNKNOWN]
EACH = [(), *((name,) for name in GROUPINGS)]

moments = st.integers(0, 3 * DAY - 1).map(lambda ms: FIRST * DAY + ms) | st.sampled_from(
    [FIRST * DAY, (FIRST + 1) * DAY - 1, (FIRST + 1) * DAY]
)
tokens = st.tuples(st.integers(0, 50), st.integers(0, 50)).map(
    lambda pair: Usage(pair[0], pair[1], cache_read_tokens=pair[0] // 2, reasoning_tokens=pair[1] // 3)
)


@dataclass(frozen=True)
class Call:
    """One call as it goes: held at a moment, ended or left, corrected or not."""

    moment: int
    bot: str
    user: str
    model: str
    feature: str
    number: int
    then: ReservationState | None
    cost: int
    usage: Usage
    corrected_to: int | None
    corrected_at: int


calls = st.builds(
    Call,
    moment=moments,
    bot=st.sampled_from("bc"),
    user=st.sampled_from(["anna", "ben", "ünï"]),
    model=st.sampled_from("mn"),
    feature=st.sampled_from(["chat", "test"]),
    number=st.integers(1, 2),
    then=st.sampled_from([*FINAL, None]),
    cost=st.integers(0, 200),
    usage=tokens,
    corrected_to=st.none() | st.integers(0, 200),
    corrected_at=moments,
)


async def make(store: Store, name: str, call: Call) -> None:
    attempt = Attempt(
        id=name,
        time_ms=call.moment,
        bot=call.bot,
        platform=f"platform of {call.bot}",
        channel="telegram",
        conversation=f"talk of {call.user}",
        user=call.user,
        turn=f"turn of {name}",
        provider=f"maker of {call.model}",
        model=call.model,
        price_version="test",
        feature=call.feature,
        route="fallback" if call.number > 1 else "default",
        number=call.number,
    )
    await store.hold(HoldRequest(attempt, (), WANTED))
    if call.then is None:
        return
    await store.settle(Settlement(name, call.then, Money(call.cost), call.usage))
    if call.then is ReservationState.UNKNOWN and call.corrected_to is not None:
        await store.correct(Correction(name, Money(call.corrected_to), "invoice", call.corrected_at))


def added_up(rows: list[LedgerEntry], which: LedgerFilter, by: tuple[str, ...]) -> list[UsageSum]:
    """The rows of the ledger, added up one by one."""
    groups: dict[tuple[str, ...], list[LedgerEntry]] = defaultdict(list)
    for row in rows:
        attempt = row.attempt
        in_time = (which.from_ms or 0) <= attempt.time_ms < (which.to_ms or 2**62)
        if row.state is not ReservationState.HELD and in_time and which.bot in (None, attempt.bot):
            day = text_of(attempt.time_ms // DAY)
            groups[tuple(day if name == "day" else getattr(attempt, name) for name in by)].append(row)
    return sorted((one_sum(key, found) for key, found in groups.items()), key=dearest_first)


def one_sum(key: tuple[str, ...], rows: list[LedgerEntry]) -> UsageSum:
    calls = [row for row in rows if not row.corrects]
    return UsageSum(
        key,
        Money(sum(row.cost for row in rows if row.state is ReservationState.SETTLED)),
        len(calls),
        sum(row.attempt.number > 1 for row in calls),
        sum((row.usage for row in rows), NO_USAGE),
        Money(sum(row.cost for row in rows if row.state is ReservationState.UNKNOWN)),
    )


async def check(store: BookStore, asked: list[tuple[LedgerFilter, tuple[str, ...]]]) -> None:
    rows = [row async for row in store.ledger(LedgerFilter())]
    for which, by in asked:
        expected = added_up(rows, which, by)
        assert await store.usage(which, by) == expected, (which, by)
        few = await store.usage(which, by, 2)
        assert [one.cost for one in few] == [one.cost for one in expected[:2]], (which, by)
        assert all(one in expected for one in few), (which, by)


@dataclass(frozen=True)
class Asked:
    """Which days of which bot, and groupings that are asked for beside each alone."""

    bot: str | None
    first: int
    days: int
    by: tuple[str, ...]

    def questions(self) -> list[tuple[LedgerFilter, tuple[str, ...]]]:
        begin, end = (FIRST + self.first) * DAY, (FIRST + self.first + self.days) * DAY
        some = LedgerFilter(bot=self.bot, from_ms=begin, to_ms=end)
        return [(some, self.by), (LedgerFilter(bot=self.bot), self.by), *((some, by) for by in EACH)]


asking = st.builds(
    Asked,
    bot=st.sampled_from([None, "b"]),
    first=st.integers(0, 2),
    days=st.integers(0, 3),
    by=st.permutations(GROUPINGS).flatmap(
        lambda names: st.integers(2, len(names)).map(lambda many: tuple(names[:many]))
    ),
)


async def live(store: Store, made: list[Call], asked: Asked) -> None:
    """A life of a store; what is left held is lost by its end."""
    await store.open()
    for number, call in enumerate(made):
        await make(store, f"call {number}", call)
    await check(store, asked.questions()[:2])
    await store.close()
    await store.open()
    await store.recover()
    await store.prune((FIRST + 10_000) * DAY, (FIRST + 10_000) * DAY)
    await check(store, asked.questions())
    await store.close()


@settings(max_examples=12, deadline=None)
@given(st.lists(calls, max_size=12), asking)
def test_sums_by_day_are_the_sums_of_the_rows(made: list[Call], asked: Asked) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(live(SqliteStore(Path(folder) / "store.db", SystemClock()), made, asked))


@settings(max_examples=25, deadline=None)
@given(st.lists(calls, max_size=12), asking)
def test_so_they_are_in_memory(made: list[Call], asked: Asked) -> None:
    asyncio.run(live(MemoryStore(), made, asked))


@settings(max_examples=5, deadline=None)
@given(made=st.lists(calls, max_size=12), asked=asking)
def test_so_they_are_in_postgresql(
    postgres: PostgresServer, postgres_database: str, made: list[Call], asked: Asked
) -> None:
    postgres.run_sql("SELECT cleaned()", postgres_database)
    address = address_of(postgres.url(postgres_database))
    asyncio.run(live(PostgresStore(address, SystemClock(), writers=2), made, asked))
