"""Granted, shrunk, busy or exhausted."""

import pytest

from runner.money.amounts import Money
from runner.money.budget import Busy, Counter, Decision, Exhausted, Granted, ScopeLimit, decide
from runner.money.estimate import Estimate

WANTED = Estimate(
    input_tokens=1, output_tokens=1_000, floor_tokens=256, input_cost=Money(100), output_rate=10**6
)


def cap(limit: int | None, settled: int = 0, unknown: int = 0, held: int = 0) -> tuple[ScopeLimit, Counter]:
    return ScopeLimit("bot", limit), Counter(settled, unknown, held)


@pytest.mark.parametrize(
    ("scope", "decision"),
    [
        (cap(None, settled=10**18), Granted(1_000, Money(1_100), 1_001)),
        (cap(1_100), Granted(1_000, Money(1_100), 1_001)),
        (cap(1_099), Granted(999, Money(1_099), 1_000)),
        (cap(356), Granted(256, Money(356), 257)),
        (cap(355), Exhausted("bot")),
        (cap(0), Exhausted("bot")),
        (cap(2_000, held=900), Granted(1_000, Money(1_100), 1_001)),
        (cap(2_000, held=1_644), Granted(256, Money(356), 257)),
        (cap(2_000, held=1_645), Busy("bot")),
        (cap(2_000, settled=1_000, unknown=600, held=300), Busy("bot")),
        (cap(2_000, settled=1_000, unknown=645, held=0), Exhausted("bot")),
        (cap(500, settled=600), Exhausted("bot")),
    ],
)
def test_one_scope(scope: tuple[ScopeLimit, Counter], decision: Decision) -> None:
    assert decide(WANTED, [scope]) == decision


def named(name: str, scope: tuple[ScopeLimit, Counter]) -> tuple[ScopeLimit, Counter]:
    return ScopeLimit(name, scope[0].limit), scope[1]


def test_the_tightest_scope_decides() -> None:
    assert decide(WANTED, [cap(5_000), named("user", cap(400)), named("team", cap(700))]) == Granted(
        300, Money(400), 301
    )


def test_exhausted_outweighs_busy_wherever_it_stands() -> None:
    busy, exhausted = named("first", cap(2_000, held=1_900)), named("second", cap(10))
    assert decide(WANTED, [busy, exhausted]) == Exhausted("second")
    assert decide(WANTED, [exhausted, busy]) == Exhausted("second")


def test_the_first_busy_scope_is_named() -> None:
    assert decide(WANTED, [named("a", cap(2_000, held=1_900)), named("b", cap(2_000, held=1_900))]) == Busy(
        "a"
    )


def test_no_scope_no_limit() -> None:
    assert decide(WANTED, []) == Granted(1_000, Money(1_100), 1_001)


def test_a_free_call_needs_no_room_but_a_limit_that_is_kept() -> None:
    free = Estimate(1, 1_000, 256, Money(0), 0)
    assert decide(free, [cap(5, settled=5)]) == Granted(1_000, Money(0), 1_001)
    assert decide(free, [cap(4, settled=5)]) == Exhausted("bot")
