"""Any interleaving of holds, ends, crashes, changed limits, deposits and corrections, on each store there is.

After every step: the books are those of the model, to the pico-dollar and the token; counters are the sum of the
rows; a row that has ended is never another; no scope is above what it was granted; nothing is below zero.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from runner.clock import SystemClock
from runner.errors import IllegalStep
from runner.money.amounts import Money
from runner.money.budget import Counter
from runner.money.estimate import Estimate
from runner.money.ledger import Attempt, LedgerEntry, verify
from runner.money.reservation import ReservationState
from runner.money.scopes import Period
from runner.money.terms import Cap, Per, Plan, Terms, WalletTerms, scopes_of
from runner.money.usage import Usage
from runner.ports.books import Correction, Deposit, HoldRequest, LedgerFilter, Settlement
from runner.ports.stores import Store
from runner.store.catalogue import open_reader, open_store
from runner.store.postgres.address import address_of
from runner.store.postgres.store import PostgresStore
from runner.testing.postgres_server import PostgresServer
from tests.properties.money_model import HELD, RELEASED, SETTLED, UNKNOWN, Books

T = TypeVar("T")
DAY_MS = 86_400_000
LAST_DAY = 1_798_761_599_000
"""2026-12-31T23:59:59Z: the next second is another day, another month and another year."""
LIMITS = ("bot", "bot day", "user month", "conversation", "message", "team", "plan", "plan tokens", "wallet")
AMOUNTS = st.integers(0, 9_000)


@dataclass(frozen=True)
class Wish:
    """One call that somebody wants to make."""

    bot: Literal["one", "other"]
    user: Literal["ada", "ben"]
    payer: Literal["own key", "wallet", "plan"]
    input_tokens: int
    input_rate: int
    output: int
    output_rate: int
    floor: int

    def estimate(self) -> Estimate:
        floor = min(self.floor, self.output)
        cost = Money(self.input_tokens * self.input_rate)
        return Estimate(self.input_tokens, self.output, floor, cost, self.output_rate)


WISHES = st.builds(
    Wish,
    st.sampled_from(["one", "other"]),
    st.sampled_from(["ada", "ben"]),
    st.sampled_from(["own key", "wallet", "plan"]),
    st.integers(0, 900),
    st.integers(0, 3),
    st.integers(1, 2_000),
    st.sampled_from([0, 1_000_000, 1_333_333]),
    st.sampled_from([1, 256]),
)


class MoneyMachine(RuleBasedStateMachine):
    """What a store is asked for, and the model beside it."""

    url = "memory:"

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory(prefix="botrunner-machine-")
        self.runner = asyncio.Runner()
        self.books = Books()
        self.limits: dict[str, int | None] = dict.fromkeys(LIMITS)
        self.limits |= {"bot": 9_000, "user month": 7_000, "plan tokens": 4_000}
        self.ended: dict[str, LedgerEntry] = {}
        self.now_ms = LAST_DAY
        self.calls = 0
        self.store = self.another()
        self.run(self.store.open())

    def another(self) -> Store:
        return open_store(self.url, Path(self.folder.name), SystemClock())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    def teardown(self) -> None:
        self.run(self.store.close())
        self.runner.close()
        self.folder.cleanup()

    # ── limits ───────────────────────────────────────────────────────────────────────────────────────────
    @rule(name=st.sampled_from(LIMITS), limit=st.one_of(st.none(), AMOUNTS))
    def an_operator_sets_a_limit(self, name: str, limit: int | None) -> None:
        self.limits[name] = limit

    @rule(key=st.sampled_from(["a", "b", "c"]), amount=st.integers(1, 9_000))
    def somebody_pays_in(self, key: str, amount: int) -> None:
        done = self.run(self.store.deposit(Deposit(key, Money(amount), self.now_ms)))
        assert done.fresh == (key not in self.books.paid)
        self.books.paid.setdefault(key, amount)
        assert done.deposit.amount == self.books.paid[key]

    @rule(days=st.sampled_from([1, 30]))
    def time_goes_by(self, days: int) -> None:
        self.now_ms += days * DAY_MS

    def terms(self, wish: Wish) -> Terms:
        caps = [
            Cap(per, period, Money(amount))
            for name, per, period in (
                ("bot day", Per.BOT, Period.DAY),
                ("user month", Per.USER, Period.MONTH),
                ("conversation", Per.CONVERSATION, Period.LIFETIME),
                ("team", Per.TEAM, Period.LIFETIME),
            )
            if (amount := self.limits[name]) is not None
        ]
        purse = self.limits["wallet"]
        return Terms(
            cap=_money(self.limits["bot"]),
            per_message=_money(self.limits["message"]),
            caps=tuple(caps),
            team="team",
            plan=Plan("starter", self.limits["plan tokens"], _money(self.limits["plan"]))
            if wish.payer == "plan"
            else None,
            wallet=None if purse is None else WalletTerms(Money(1_000 - purse)),
        )

    # ── calls ────────────────────────────────────────────────────────────────────────────────────────────
    def request(self, wish: Wish) -> HoldRequest:
        self.calls += 1
        attempt = Attempt(
            id=f"t{self.calls}-1",
            time_ms=self.now_ms,
            bot=wish.bot,
            platform="custom",
            channel="custom",
            conversation=f"c-{wish.user}",
            user=wish.user,
            turn=f"t{self.calls // 3}",
            provider="echo",
            model="echo",
            price_version="test",
        )
        scopes = scopes_of(self.terms(wish), attempt, own_key=wish.payer == "own key")
        return HoldRequest(attempt, scopes, wish.estimate())

    @initialize(wishes=st.lists(WISHES, min_size=2, max_size=5))
    def there_is_something_to_begin_with(self, wishes: list[Wish]) -> None:
        self.calls_are_wanted_at_once(wishes)

    @rule(wish=WISHES)
    def a_call_is_wanted(self, wish: Wish) -> None:
        request = self.request(wish)
        self.books.held(request, self.run(self.store.hold(request)))

    @rule(wishes=st.lists(WISHES, min_size=1, max_size=3))
    def calls_are_wanted_at_once(self, wishes: list[Wish]) -> None:
        requests = [self.request(wish) for wish in wishes]

        async def all_at_once() -> list[Any]:
            return await asyncio.gather(*map(self.store.hold, requests))

        for request, result in zip(requests, self.run(all_at_once()), strict=True):
            self.books.held(request, result)

    @rule(number=st.integers(0, 99), share=st.sampled_from([0, 1, 30, 99, 100, 250]))
    def a_call_is_answered(self, number: int, share: int) -> None:
        for name in one_of(self.books.in_state(HELD), number):
            self.end(name, Settlement(name, SETTLED, *self.used(name, share)))

    @rule(number=st.integers(0, 99), state=st.sampled_from([RELEASED, UNKNOWN]), share=st.integers(0, 100))
    def a_call_fails(self, number: int, state: ReservationState, share: int) -> None:
        """Below half nothing is known of what it used."""
        for name in one_of(self.books.in_state(HELD), number):
            self.end(name, Settlement(name, state, *(self.used(name, share) if share >= 50 else ())))

    def used(self, name: str, share: int) -> tuple[Money, Usage]:
        """Percent of what was held."""
        cost, tokens = (figure * share // 100 for figure in self.books.rows[name].hold)
        return Money(cost), Usage(tokens // 3, tokens - tokens // 3)

    def end(self, name: str, how: Settlement) -> None:
        done = self.run(self.store.settle(how))
        self.books.ended(how)
        row = self.books.rows[name]
        assert done.amount == row.stands[0]
        assert done.counters == {scope: self.books.counter(scope) for scope in row.scopes}

    @rule()
    def the_daemon_stops_and_comes_back(self) -> None:
        left = len(self.books.in_state(HELD))
        self.run(self.store.close())
        if self.url != "memory:":
            self.store = self.another()
        self.run(self.store.open())
        assert self.run(self.store.recover()).holds_unknown == left
        self.books.crashed()

    # ── corrections ──────────────────────────────────────────────────────────────────────────────────────
    @rule(number=st.integers(0, 99), share=st.sampled_from([0, 50, 100, 300]))
    def an_operator_puts_it_right(self, number: int, share: int) -> None:
        for name in one_of(self.books.in_state(UNKNOWN), number):
            cost = self.books.rows[name].hold[0] * share // 100
            self.run(self.store.correct(Correction(name, Money(cost), "the bill", self.now_ms)))
            self.books.corrected(name, cost)

    # ── what is not legal; that it changed nothing is what the invariants see ────────────────────────────
    @rule(number=st.integers(0, 99), what=st.sampled_from(["hold", "settle", "correct"]), wish=WISHES)
    def somebody_is_wrong(self, number: int, what: str, wish: Wish) -> None:
        known = list(self.books.rows)
        works: list[Coroutine[Any, Any, object]]
        if what == "hold":
            request = self.request(wish)
            works = [
                self.store.hold(replace(request, attempt=replace(request.attempt, id=name)))
                for name in one_of(known, number)
            ]
        elif what == "settle":
            [state] = one_of(list(ReservationState), number)
            works = [
                self.store.settle(Settlement(name, state, Money(1)))
                for name in one_of([*self.ended, "nobody"], number)
            ]
        else:
            right = self.books.in_state(UNKNOWN)
            wrong = [name for name in [*known, "nobody"] if name not in right]
            works = [
                self.store.correct(Correction(name, Money(1), "why", self.now_ms))
                for name in one_of(wrong, number)
            ]
        for work in works:
            with pytest.raises(IllegalStep):
                self.run(work)

    # ── after every step ─────────────────────────────────────────────────────────────────────────────────
    @invariant()
    def the_books_are_right(self) -> None:
        counters, rows, deposits = self.run(self.look())
        assert verify(counters, rows) == []
        nothing = Counter()
        model = self.books.counters()
        assert {n: c for n, c in counters.items() if c != nothing} == {
            n: c for n, c in model.items() if c != nothing
        }
        assert all(min(c.settled, c.unknown, c.held) >= 0 for c in counters.values())
        assert deposits == self.books.paid
        self.books.check()
        self.rows_are_right({row.attempt.id: row for row in rows})

    async def look(self) -> tuple[Mapping[str, Counter], list[LedgerEntry], dict[str, Money]]:
        rows = [row async for row in self.store.ledger(LedgerFilter())]
        deposits = {deposit.key: deposit.amount for deposit in await self.store.deposits()}
        return await self.store.counters(), rows, deposits

    def rows_are_right(self, rows: dict[str, LedgerEntry]) -> None:
        model = self.books.rows
        assert set(rows) == set(model)
        for name, row in rows.items():
            expected = model[name]
            assert (row.scopes, row.state) == (expected.scopes, expected.state)
            assert (row.hold, row.hold_tokens) == expected.hold
            assert (row.cost, row.tokens) == expected.stands
            if row.state is not HELD:
                assert self.ended.setdefault(name, row) == row, "what has ended is never changed"


class OnSqlite(MoneyMachine):
    """The same on a file; a command that reads beside the daemon finds the books right, too."""

    url = "sqlite:store.db"

    def teardown(self) -> None:
        async def look_from_outside() -> None:
            reader = open_reader(self.url, Path(self.folder.name))
            await reader.open()
            assert await reader.verify_books() == []
            await reader.close()

        self.run(look_from_outside())
        super().teardown()


class OnPostgresql(OnSqlite):
    """The same on a database. One session writes, so that what is asked for at once is decided in that order."""

    clean: Callable[[], None]

    def __init__(self) -> None:
        type(self).clean()
        super().__init__()

    def another(self) -> Store:
        return PostgresStore(address_of(self.url), SystemClock(), writers=1)


def one_of(these: Sequence[T], number: int) -> Sequence[T]:
    """One of them in a row of its own; of none, none."""
    return [these[number % len(these)]] if these else []


def _money(amount: int | None) -> Money | None:
    return None if amount is None else Money(amount)


TestOnMemory = MoneyMachine.TestCase
TestOnMemory.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestOnSqlite = OnSqlite.TestCase
TestOnSqlite.settings = settings(max_examples=10, stateful_step_count=40, deadline=None)


OnPostgresql.TestCase.settings = settings(max_examples=3, stateful_step_count=25, deadline=None)


class TestOnPostgresql(OnPostgresql.TestCase):  # type: ignore[valid-type,misc]  # the machine makes it
    @pytest.fixture(autouse=True)
    def _database(self, postgres: PostgresServer, postgres_database: str) -> None:
        OnPostgresql.url = postgres.url(postgres_database)
        OnPostgresql.clean = lambda: postgres.run_sql("SELECT cleaned()", postgres_database)
