"""Holds taken and ended in any order, in several scopes at once: no scope is ever over, and the rows add up."""

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from runner.errors import IllegalStep
from runner.money.amounts import Money
from runner.money.budget import Counter, Granted, ScopeLimit, decide
from runner.money.estimate import Estimate
from runner.money.ledger import Attempt, LedgerEntry, verify
from runner.money.reservation import ReservationState, charge, check_step, hold, resolve

LIMITS = {"bot": Money(10_000), "user": Money(4_000), "team": Money(7_000), "workspace": None}
FINAL = st.sampled_from([ReservationState.SETTLED, ReservationState.RELEASED, ReservationState.UNKNOWN])


class Holds(RuleBasedStateMachine):
    """The store's part, without a store."""

    running = Bundle("running")
    ended = Bundle("ended")

    def __init__(self) -> None:
        super().__init__()
        self.counters = {name: Counter() for name in LIMITS}
        self.rows: list[LedgerEntry] = []

    @rule(
        target=running,
        names=st.sets(st.sampled_from(sorted(LIMITS)), min_size=1),
        input_cost=st.integers(0, 2_000),
        output=st.integers(1, 3_000),
    )
    def take(self, names: set[str], input_cost: int, output: int) -> int | None:
        wanted = Estimate(1, output, min(256, output), Money(input_cost), 10**6)
        scopes = [(ScopeLimit(name, LIMITS[name]), self.counters[name]) for name in sorted(names)]
        decision = decide(wanted, scopes)
        if not isinstance(decision, Granted):
            return None
        for name in names:
            self.counters[name] = hold(self.counters[name], decision.amount)
        self.rows.append(row(tuple(sorted(names)), decision.amount, len(self.rows)))
        return len(self.rows) - 1

    @rule(target=ended, number=consumes(running), then=FINAL, percent=st.integers(0, 100))
    def end(self, number: int | None, then: ReservationState, percent: int) -> int | None:
        if number is None:
            return None
        entry = self.rows[number]
        cost = Money(entry.hold * percent // 100)
        check_step(entry.state, then)
        for name in entry.scopes:
            self.counters[name] = resolve(self.counters[name], then, entry.hold, cost)
        self.rows[number] = replace(entry, state=then, cost=charge(then, entry.hold, cost))
        return number

    @rule(number=ended, then=st.sampled_from(ReservationState))
    def end_again(self, number: int | None, then: ReservationState) -> None:
        if number is None:
            return
        before = dict(self.counters)
        with pytest.raises(IllegalStep):
            check_step(self.rows[number].state, then)
        assert self.counters == before

    @invariant()
    def no_scope_is_over(self) -> None:
        for name, limit in LIMITS.items():
            assert limit is None or self.counters[name].taken <= limit

    @invariant()
    def nothing_is_below_zero(self) -> None:
        for counter in self.counters.values():
            assert min(counter.settled, counter.unknown, counter.held) >= 0

    @invariant()
    def the_rows_add_up(self) -> None:
        assert verify(self.counters, self.rows) == []


def row(scopes: tuple[str, ...], amount: Money, number: int) -> LedgerEntry:
    attempt = Attempt(
        id=f"t1.{number}",
        time_ms=0,
        bot="b",
        platform="custom",
        channel="custom",
        conversation="c",
        user="u",
        turn="t1",
        provider="echo",
        model="echo",
        price_version="test",
    )
    return LedgerEntry(attempt, scopes, ReservationState.HELD, hold=amount, cost=amount)


TestHolds = Holds.TestCase
TestHolds.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
