"""Granted, shrunk, busy or exhausted."""

import pytest

from runner.money.amounts import Money
from runner.money.budget import Busy, Counter, Decision, Exhausted, Granted, Measure, ScopeLimit, decide
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


def test_an_open_scope_does_not_end_the_search() -> None:
    assert decide(WANTED, [cap(None), named("user", cap(400))]) == Granted(300, Money(400), 301)
    assert decide(WANTED, [cap(None), named("user", cap(10))]) == Exhausted("user")


def test_how_it_stood_is_told() -> None:
    decision = decide(WANTED, [cap(500, settled=200, unknown=50, held=7)])
    assert isinstance(decision, Exhausted)
    assert (decision.scope, decision.limit, decision.gone) == ("bot", 500, 250)


# ── tokens ───────────────────────────────────────────────────────────────────────────────────────────────
TALK = Estimate(
    input_tokens=40, output_tokens=1_000, floor_tokens=256, input_cost=Money(7), output_rate=3 * 10**6
)


def quota(limit: int | None, settled: int = 0, unknown: int = 0, held: int = 0) -> tuple[ScopeLimit, Counter]:
    return ScopeLimit("quota", limit, Measure.TOKENS), Counter(settled, unknown, held)


@pytest.mark.parametrize(
    ("scope", "decision"),
    [
        (quota(None, settled=10**9), Granted(1_000, Money(3_007), 1_040)),
        (quota(10_000), Granted(1_000, Money(3_007), 1_040)),
        (quota(1_040), Granted(1_000, Money(3_007), 1_040)),
        (quota(1_039), Granted(999, Money(3_004), 1_039)),
        (quota(296), Granted(256, Money(775), 296)),
        (quota(295), Exhausted("quota")),
        (quota(1_000, held=704), Granted(256, Money(775), 296)),
        (quota(1_000, held=705), Busy("quota")),
        (quota(1_000, settled=300, unknown=404), Granted(256, Money(775), 296)),
        (quota(1_000, settled=300, unknown=405), Exhausted("quota")),
    ],
)
def test_a_scope_of_tokens(scope: tuple[ScopeLimit, Counter], decision: Decision) -> None:
    assert decide(TALK, [scope]) == decision


def test_money_and_tokens_beside_each_other() -> None:
    assert decide(TALK, [cap(1_507), quota(700)]) == Granted(500, Money(1_507), 540)
    assert decide(TALK, [cap(2_407), quota(700)]) == Granted(660, Money(1_987), 700)


def test_what_is_gone_and_what_is_taken() -> None:
    counter = Counter(1, 20, 300)
    assert (counter.gone, counter.taken) == (21, 321)
    assert Counter() == Counter(0, 0, 0)
