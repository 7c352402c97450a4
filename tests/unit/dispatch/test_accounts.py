"""A turn's calls are held against the limits as they are at that moment."""

from dataclasses import replace

import pytest

from runner.bots import BillingMode, Limits, ModelChoice, Secret
from runner.dispatch.accounts import scopes_for
from runner.money.amounts import Money
from runner.money.budget import Measure, ScopeLimit
from runner.money.ledger import Attempt
from runner.money.scopes import Period
from runner.money.terms import Cap, Per, Plan, WalletTerms
from runner.testing.roster import FakeRoster
from runner.testing.scenes import CHOICE, a_bot

CALL = Attempt(
    "t1-1", 1_795_391_999_999, "bot", "telegram", "chat", "c1", "ada", "t1", CHOICE.provider, "m", "v"
)
PURSE = ScopeLimit("wallet", None, Measure.MONEY, funded=True)


def limits(found: tuple[ScopeLimit, ...]) -> dict[str, int | None]:
    return {scope.name: scope.limit for scope in found}


def test_a_bot_without_limits_is_counted_and_paid_by_the_wallet() -> None:
    roster = FakeRoster()
    bot = roster.add(a_bot())
    assert scopes_for(bot, roster)(CALL) == (ScopeLimit("bot:bot", None), PURSE)


def test_a_cap_holds_from_the_next_call_on() -> None:
    roster = FakeRoster()
    asked = scopes_for(roster.add(a_bot(cap=Money(500))), roster)
    assert limits(asked(CALL))["bot:bot"] == 500
    roster.caps["bot"] = Money(900)
    assert limits(asked(CALL))["bot:bot"] == 900
    roster.caps["bot"] = None
    assert limits(asked(CALL))["bot:bot"] is None
    roster.caps["bot"] = Money(1)
    assert limits(asked(CALL))["bot:bot"] == 1


def test_caps_of_a_definition_that_was_read_again_hold_at_once() -> None:
    roster = FakeRoster()
    begun = a_bot(caps=(Cap(Per.USER, Period.DAY, Money(5)),), limits=Limits(max_cost_per_message=Money(2)))
    asked = scopes_for(roster.add(begun), roster)
    assert limits(asked(CALL)) == {
        "bot:bot": None,
        "user:bot/telegram/ada@2026-11-22": 5,
        "message:t1": 2,
        "wallet": None,
    }
    roster.add(replace(begun, caps=(Cap(Per.TEAM, Period.MONTH, Money(9)),), limits=Limits()))
    assert limits(asked(CALL)) == {"bot:bot": None, "team:bot@2026-11": 9, "wallet": None}


def test_a_bot_that_is_gone_ends_its_turn_under_the_limits_it_began_with() -> None:
    roster = FakeRoster()
    asked = scopes_for(roster.add(a_bot(caps=(Cap(Per.BOT, Period.DAY, Money(5)),))), roster)
    roster.remove("bot")
    assert limits(asked(CALL))["bot:bot@2026-11-22"] == 5


def test_the_wallets_terms_are_as_they_are_now() -> None:
    roster = FakeRoster()
    asked = scopes_for(roster.add(a_bot()), roster)
    roster.wallet_terms = WalletTerms(Money(-400))
    assert asked(CALL)[-1] == replace(PURSE, limit=400)
    roster.wallet_terms = None
    assert asked(CALL)[-1] == PURSE


@pytest.mark.parametrize("mode", list(BillingMode))
def test_who_pays(mode: BillingMode) -> None:
    roster = FakeRoster()
    plan = Plan("starter", 1_000, Money(70))
    bot = roster.add(a_bot(billing_mode=mode, plan=plan, llm_api_key=Secret("sk-own"), cap=Money(5)))
    payers: dict[BillingMode, dict[str, int | None]] = {
        BillingMode.WALLET: {"wallet": None},
        BillingMode.BYOK: {},
        BillingMode.PLAN_QUOTA: {"plan:starter@2026-11": 70, "plan-tokens:starter@2026-11": 1_000},
    }
    assert limits(scopes_for(bot, roster)(CALL)) == {"bot:bot": 5, **payers[mode]}


def test_the_wallet_pays_what_the_bots_own_key_does_not() -> None:
    roster = FakeRoster()
    other = ModelChoice("other", "m")
    bot = roster.add(a_bot(billing_mode=BillingMode.BYOK, llm_api_key=Secret("sk-own"), fallbacks=(other,)))
    asked = scopes_for(bot, roster)
    assert asked(CALL) == (ScopeLimit("bot:bot", None),)
    assert asked(replace(CALL, provider="other")) == (ScopeLimit("bot:bot", None), PURSE)


def test_without_a_key_byok_is_paid_by_the_runners() -> None:
    roster = FakeRoster()
    bot = roster.add(a_bot(billing_mode=BillingMode.BYOK))
    assert PURSE in scopes_for(bot, roster)(CALL)


def test_a_bot_that_another_asks_has_its_own_limits_and_counts_for_the_askers_team() -> None:
    roster = FakeRoster()
    day, ever = (Cap(Per.USER, Period.LIFETIME, Money(7)), Cap(Per.TEAM, Period.LIFETIME, Money(90)))
    roster.add(
        a_bot("reception", cap=Money(1), caps=(day, ever), limits=Limits(max_cost_per_message=Money(1)))
    )
    roster.add(a_bot("billing", caps=(Cap(Per.TEAM, Period.MONTH, Money(50)),)))
    refunds = roster.add(a_bot("refunds", cap=Money(5)))
    found = scopes_for(refunds, roster, ("reception", "billing"))(replace(CALL, bot="refunds"))
    assert limits(found) == {
        "team:reception": 90,
        "team:billing@2026-11": 50,
        "bot:refunds": 5,
        "wallet": None,
    }


def test_a_bot_in_a_ring_counts_once_for_its_own_team() -> None:
    roster = FakeRoster()
    ring = roster.add(a_bot("bot", caps=(Cap(Per.TEAM, Period.LIFETIME, Money(90)),)))
    found = scopes_for(ring, roster, ("bot", "gone"))(CALL)
    assert [scope.name for scope in found] == ["team:bot", "bot:bot", "wallet"]
