"""From an operator's limits to what one call is held against."""

from dataclasses import replace
from typing import Any

import pytest

from runner.money.amounts import Money
from runner.money.budget import Measure, ScopeLimit
from runner.money.ledger import Attempt
from runner.money.scopes import Period
from runner.money.terms import Cap, Per, Plan, Terms, WalletTerms, scopes_of

EVENING = 1_795_391_999_999
"""2026-11-22T23:59:59.999Z."""
CALL = Attempt(
    id="t9-1",
    time_ms=EVENING,
    bot="support",
    platform="telegram",
    channel="telegram-2",
    conversation="c17",
    user="42",
    turn="t9",
    provider="openai",
    model="m",
    price_version="test",
)
OPEN = ScopeLimit("bot:support", None)
PURSE = ScopeLimit("wallet", None, Measure.MONEY, funded=True)
LIFETIME, MONTH, DAY = Period.LIFETIME, Period.MONTH, Period.DAY


def held_against(terms: Terms, *, own_key: bool = True, **call: Any) -> list[ScopeLimit]:
    return list(scopes_of(terms, replace(CALL, **call), own_key=own_key))


def cap(per: Per, amount: int | None, period: Period = LIFETIME, **exceptions: int | None) -> Cap:
    found = {user: None if limit is None else Money(limit) for user, limit in exceptions.items()}
    return Cap(per, period, None if amount is None else Money(amount), found)


def test_the_bot_is_always_counted() -> None:
    assert held_against(Terms()) == [OPEN]
    assert held_against(Terms(cap=Money(5))) == [ScopeLimit("bot:support", 5)]
    assert held_against(Terms(cap=Money(0))) == [ScopeLimit("bot:support", 0)]


@pytest.mark.parametrize(
    ("one", "name"),
    [
        (cap(Per.BOT, 7, DAY), "bot:support@2026-11-22"),
        (cap(Per.BOT, 7, MONTH), "bot:support@2026-11"),
        (cap(Per.USER, 7), "user:support/telegram/42"),
        (cap(Per.USER, 7, DAY), "user:support/telegram/42@2026-11-22"),
        (cap(Per.CONVERSATION, 7), "conversation:c17"),
        (cap(Per.CONVERSATION, 7, MONTH), "conversation:c17@2026-11"),
        (cap(Per.MESSAGE, 7), "message:t9"),
        (cap(Per.TEAM, 7, MONTH), "team:reception@2026-11"),
    ],
)
def test_each_cap_is_a_scope(one: Cap, name: str) -> None:
    assert held_against(Terms(caps=(one,), team="reception")) == [OPEN, ScopeLimit(name, 7)]


def test_without_a_team_there_is_no_team_to_limit() -> None:
    assert held_against(Terms(caps=(cap(Per.TEAM, 7), cap(Per.USER, 3)))) == [
        OPEN,
        ScopeLimit("user:support/telegram/42", 3),
    ]


@pytest.mark.parametrize("per", list(Per))
def test_a_cap_without_an_amount_limits_nothing(per: Per) -> None:
    assert held_against(Terms(caps=(cap(per, None),), team="reception")) == [OPEN]


def test_a_cap_of_nothing_is_a_limit() -> None:
    assert held_against(Terms(caps=(cap(Per.USER, 0),))) == [OPEN, ScopeLimit("user:support/telegram/42", 0)]


def test_the_day_is_the_calls_own() -> None:
    terms = Terms(caps=(cap(Per.BOT, 7, DAY),))
    assert [scope.name for scope in held_against(terms, time_ms=EVENING + 1)] == [
        "bot:support",
        "bot:support@2026-11-23",
    ]


@pytest.mark.parametrize(("user", "limit"), [("42", 900), ("boss", None), ("ada", 7)])
def test_exceptions_are_by_id(user: str, limit: int | None) -> None:
    exceptions = {"42": Money(900), "boss": None}
    terms = Terms(caps=(Cap(Per.USER, LIFETIME, Money(7), exceptions),))
    found = held_against(terms, user=user)[1:]
    assert found == ([] if limit is None else [ScopeLimit(f"user:support/telegram/{user}", limit)])


def test_an_exception_may_be_the_only_limit() -> None:
    terms = Terms(caps=(Cap(Per.USER, DAY, None, {"42": Money(3)}),))
    assert held_against(terms)[1:] == [ScopeLimit("user:support/telegram/42@2026-11-22", 3)]
    assert held_against(terms, user="ada") == [OPEN]


@pytest.mark.parametrize("per", [per for per in Per if per is not Per.USER])
def test_exceptions_are_for_users_only(per: Per) -> None:
    terms = Terms(caps=(Cap(per, LIFETIME, Money(7), {"42": None, "support": None}),), team="reception")
    assert min(scope.limit for scope in held_against(terms) if scope.limit is not None) == 7


# ── the strictest ────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(("first", "second", "limit"), [(5, 9, 5), (9, 5, 5), (5, 5, 5), (0, 5, 0)])
def test_a_scope_is_there_once_with_its_smallest_limit(first: int, second: int, limit: int) -> None:
    terms = Terms(per_message=Money(first), caps=(cap(Per.MESSAGE, second),))
    assert held_against(terms) == [OPEN, ScopeLimit("message:t9", limit)]


def test_a_limit_is_stricter_than_none() -> None:
    lifetime = cap(Per.BOT, 5)
    assert held_against(Terms(caps=(lifetime,))) == [ScopeLimit("bot:support", 5)]
    assert held_against(Terms(cap=Money(3), caps=(lifetime,))) == [ScopeLimit("bot:support", 3)]
    assert held_against(Terms(cap=Money(9), caps=(lifetime, cap(Per.BOT, 7)))) == [
        ScopeLimit("bot:support", 5)
    ]


def test_what_a_message_may_cost() -> None:
    assert held_against(Terms(per_message=Money(4))) == [OPEN, ScopeLimit("message:t9", 4)]


# ── who pays ─────────────────────────────────────────────────────────────────────────────────────────────
def test_the_runners_key_is_paid_by_the_wallet() -> None:
    assert held_against(Terms(), own_key=False) == [OPEN, PURSE]


@pytest.mark.parametrize(("hard", "limit"), [(0, 0), (500, -500), (-300, 300)])
def test_the_wallets_terms(hard: int, limit: int) -> None:
    terms = Terms(wallet=WalletTerms(Money(hard)))
    assert held_against(terms, own_key=False) == [OPEN, replace(PURSE, limit=limit)]


def test_by_itself_a_wallet_stops_at_nothing() -> None:
    assert WalletTerms().hard_limit == 0


def test_a_plans_quota_pays_instead_of_the_wallet() -> None:
    terms = Terms(plan=Plan("starter", 9_000, Money(70)), wallet=WalletTerms())
    assert held_against(terms, own_key=False) == [
        OPEN,
        ScopeLimit("plan:starter@2026-11", 70),
        ScopeLimit("plan-tokens:starter@2026-11", 9_000, Measure.TOKENS),
    ]


def test_a_plan_is_counted_where_it_limits_nothing() -> None:
    assert held_against(Terms(plan=Plan("open")), own_key=False)[1:] == [
        ScopeLimit("plan:open@2026-11", None),
        ScopeLimit("plan-tokens:open@2026-11", None, Measure.TOKENS),
    ]


def test_who_pays_with_a_key_of_their_own_pays_nothing_here() -> None:
    terms = Terms(cap=Money(5), plan=Plan("starter", 1, Money(1)), wallet=WalletTerms())
    assert held_against(terms) == [ScopeLimit("bot:support", 5)]


def test_all_at_once() -> None:
    terms = Terms(
        cap=Money(100),
        per_message=Money(1),
        caps=(cap(Per.BOT, 10, DAY), cap(Per.USER, 3, MONTH), cap(Per.TEAM, 500)),
        team="support",
    )
    assert held_against(terms, own_key=False) == [
        ScopeLimit("bot:support", 100),
        ScopeLimit("bot:support@2026-11-22", 10),
        ScopeLimit("user:support/telegram/42@2026-11", 3),
        ScopeLimit("team:support", 500),
        ScopeLimit("message:t9", 1),
        PURSE,
    ]
