"""Names say what is counted, whose it is and for which time; no two are taken for one another."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.money import scopes
from runner.money.budget import Measure
from runner.money.scopes import Parts, Period

EVENING = 1_795_391_999_999
"""2026-11-22T23:59:59.999Z; a millisecond later it is another day."""
LAST = 1_798_761_599_999
"""2026-12-31T23:59:59.999Z; a millisecond later it is another year."""
LEAP = 1_835_395_200_000
"""2028-02-29T00:00Z."""


def test_what_they_are_called() -> None:
    assert scopes.of_bot("support") == "bot:support"
    assert scopes.of_user("support", "telegram", "42") == "user:support/telegram/42"
    assert scopes.of_conversation("c17") == "conversation:c17"
    assert scopes.of_message("t99") == "message:t99"
    assert scopes.of_team("reception") == "team:reception"
    assert scopes.of_plan("starter", EVENING) == "plan:starter@2026-11"
    assert scopes.of_plan_tokens("starter", EVENING) == "plan-tokens:starter@2026-11"
    assert scopes.of_model("openai", "gpt-x") == "model:openai/gpt-x"
    assert scopes.WALLET == "wallet"


@pytest.mark.parametrize(
    ("period", "at_ms", "name"),
    [
        (Period.LIFETIME, EVENING, "bot:b"),
        (Period.DAY, EVENING, "bot:b@2026-11-22"),
        (Period.DAY, EVENING + 1, "bot:b@2026-11-23"),
        (Period.MONTH, EVENING + 1, "bot:b@2026-11"),
        (Period.DAY, LAST, "bot:b@2026-12-31"),
        (Period.DAY, LAST + 1, "bot:b@2027-01-01"),
        (Period.MONTH, LAST, "bot:b@2026-12"),
        (Period.MONTH, LAST + 1, "bot:b@2027-01"),
        (Period.DAY, LEAP, "bot:b@2028-02-29"),
        (Period.MONTH, LEAP + 86_400_000 - 1, "bot:b@2028-02"),
        (Period.MONTH, LEAP + 86_400_000, "bot:b@2028-03"),
        (Period.DAY, 0, "bot:b@1970-01-01"),
    ],
)
def test_periods_begin_at_midnight_utc(period: Period, at_ms: int, name: str) -> None:
    assert scopes.in_period("bot:b", period, at_ms) == name


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_the_machines_own_time_plays_no_part(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert scopes.in_period("x", Period.DAY, EVENING) == "x@2026-11-22"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("bot:support@2026-11", "bot"),
        ("user:support/telegram/a:b", "user"),
        ("wallet", "wallet"),
        ("plan:p@2026-11", "plan"),
        ("plan-tokens:p@2026-11", "plan-tokens"),
    ],
)
def test_the_kind_of_a_name(name: str, kind: str) -> None:
    assert scopes.kind_of(name) == kind


def test_only_a_plans_tokens_count_tokens() -> None:
    assert scopes.measure_of(scopes.of_plan_tokens("p", 0)) is Measure.TOKENS
    for name in (scopes.of_plan("plan-tokens:", 0), scopes.WALLET, "bot:plan-tokens:x", "plan-tokens"):
        assert scopes.measure_of(name) is Measure.MONEY


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("wallet", Parts("wallet", "", "")),
        ("bot:support", Parts("bot", "support", "")),
        ("bot:support@2026-11", Parts("bot", "support", "2026-11")),
        (
            "user:s/telegram/ada@example.org@2026-11-22",
            Parts("user", "s/telegram/ada@example.org", "2026-11-22"),
        ),
        ("user:s/custom/a:b", Parts("user", "s/custom/a:b", "")),
        ("user:s/custom/x@2026-1", Parts("user", "s/custom/x@2026-1", "")),
        ("user:s/custom/x@2026-11\n", Parts("user", "s/custom/x@2026-11\n", "")),
    ],
)
def test_a_name_taken_apart(name: str, parts: Parts) -> None:
    assert scopes.parts_of(name) == parts


odd_users = st.from_regex(r"[a@/:]{0,3}(@2026-1[12](-2[12])?)?@{0,3}", fullmatch=True)
uses = st.tuples(odd_users, st.sampled_from(Period), st.sampled_from([EVENING, LAST]))


def named(use: tuple[str, Period, int]) -> str:
    user, period, at_ms = use
    return scopes.in_period(scopes.of_user("b", "custom", user), period, at_ms)


@given(one=uses, other=uses)
def test_nobody_can_be_called_like_somebody_elses_month(
    one: tuple[str, Period, int], other: tuple[str, Period, int]
) -> None:
    assert (named(one) == named(other)) == (
        one[0] == other[0] and one[1] is other[1] and (one[1] is Period.LIFETIME or one[2] == other[2])
    )


def test_a_user_whose_id_ends_like_a_month() -> None:
    assert scopes.of_user("b", "custom", "ada@2026-11") == "user:b/custom/ada@2026-11@"
    assert scopes.of_user("b", "custom", "ada@2026-11-22@") == "user:b/custom/ada@2026-11-22@@"
    assert scopes.of_user("b", "custom", "ada@2026-11x") == "user:b/custom/ada@2026-11x"
