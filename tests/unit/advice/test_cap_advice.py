"""Limits for who has none."""

from typing import Any

import pytest

from runner.advice.caps import UserDay, cap_advice, user_cap_advice
from runner.advice.counsel import Advice, Kind
from runner.money.amounts import Money, from_cents, from_usd
from runner.money.scopes import Period
from runner.money.terms import Cap, Per
from tests.unit.advice.writing import after, read_bot

BOT: dict[str, Any] = {"platform": "custom", "llm_provider": "echo", "llm_model": "echo"}
DAYS = {f"2026-11-{day:02}": from_cents(day) for day in range(1, 21)}


def cap(fields: dict[str, Any], days: dict[str, Money]) -> list[Advice]:
    return cap_advice(read_bot(fields), days)


def test_twice_a_dear_day() -> None:
    [one] = cap(BOT, {**DAYS, "2026-11-21": from_usd("0"), "2026-11-22": from_usd("9")})
    # 21 days with a cost: the 20th of them cost 20 cents, the dearest 9 dollars.
    assert (one.kind, one.saved, one.where, one.write) == (
        Kind.CAP,
        None,
        "bots.support",
        "caps: {bot: {day_cents: 40}}",
    )
    assert one.evidence == (
        "the dearest of 21 days cost 9.00 USD (2026-11-22), 95 % of them at most 0.20 USD"
    )
    assert after(BOT, one).caps == (Cap(Per.BOT, Period.DAY, from_cents(40)),)


def test_beside_limits_of_users() -> None:
    fields = {**BOT, "caps": {"user": {"cents": 5}}}
    [one] = cap(fields, DAYS)
    assert (one.where, one.write) == ("bots.support.caps", "bot: {day_cents: 38}")
    assert {limit.per for limit in after(fields, one).caps} == {Per.BOT, Per.USER}


@pytest.mark.parametrize("limit", [{"spending_cap_cents": 500}, {"caps": {"bot": {"month_cents": 500}}}])
def test_who_is_limited_needs_no_cap(limit: dict[str, Any]) -> None:
    assert cap({**BOT, **limit}, DAYS) == []


def test_two_days_tell_nothing() -> None:
    assert (
        cap(BOT, {"2026-11-01": from_cents(5), "2026-11-02": from_cents(5), "2026-11-03": from_cents(0)})
        == []
    )


def test_less_than_a_cent_is_a_cent() -> None:
    [one] = cap(BOT, dict.fromkeys(list(DAYS)[:3], Money(1)))
    assert one.write == "caps: {bot: {day_cents: 1}}"


USERS = [("ann", from_usd("4")), ("ben", from_usd("2"))]
DEAREST = [
    UserDay("ann", "2026-11-02", from_usd("2.50")),
    UserDay("ann", "2026-11-03", from_usd("1.10")),
    UserDay("ben", "2026-11-02", from_usd("0.904")),
    UserDay("ann", "2026-11-04", from_usd("0.40")),
]


def user_cap(fields: dict[str, Any], spent: str = "10", **others: Any) -> list[Advice]:
    given = {"dearest": DEAREST, "users": USERS, **others}
    return user_cap_advice(read_bot(fields), from_usd(spent), **given)


def test_what_a_limit_for_users_would_have_kept_back() -> None:
    [one] = user_cap(BOT)
    # 0.904 is 91 cents: of ann's days 1.59 and 0.19 are above.
    assert (one.saved, one.write) == (from_usd("1.78"), "caps: {user: {day_cents: 91}}")
    assert one.evidence == (
        "the user ann spent 4.00 USD, 40 % of it all; no other spent more than 0.904 USD in a day"
    )
    assert after(BOT, one).caps == (Cap(Per.USER, Period.DAY, from_cents(91)),)


@pytest.mark.parametrize(
    ("fields", "others"),
    [
        ({}, {"spent": "13.4"}),
        ({}, {"users": USERS[:1]}),
        ({}, {"users": []}),
        ({}, {"dearest": [one for one in DEAREST if one.user == "ann"]}),
        ({"caps": {"user": {"day_cents": 500}}}, {}),
    ],
)
def test_nobody_is_limited_without_a_reason(fields: dict[str, Any], others: dict[str, Any]) -> None:
    assert user_cap({**BOT, **fields}, **others) == []


def test_one_who_spends_much_on_many_days() -> None:
    days = [UserDay("ann", f"2026-11-{day:02}", from_cents(10)) for day in range(1, 21)]
    [one] = user_cap(BOT, spent="2.5", dearest=[*days, UserDay("ben", "2026-11-01", from_cents(50))])
    assert (one.saved, one.write) == (None, "caps: {user: {day_cents: 50}}")
