"""What a turn's calls are held against: the bot's limits as they are at that moment, and whoever pays.

Rule: a turn goes on under the definition it began with, but for its limits: a cap that was raised or lowered
holds for the next call.
"""

from __future__ import annotations

from runner.agent.asks import ScopesOf
from runner.bots import BillingMode, Bot
from runner.money.budget import ScopeLimit
from runner.money.ledger import Attempt
from runner.money.terms import Terms, scopes_of
from runner.ports.roster import Roster


def scopes_for(bot: Bot, roster: Roster) -> ScopesOf:
    """The scopes of any call that this bot makes in one turn."""

    def now(call: Attempt) -> tuple[ScopeLimit, ...]:
        limits = roster.bot(bot.id) or bot
        terms = Terms(
            cap=roster.cap(bot.id),
            per_message=limits.limits.max_cost_per_message,
            caps=limits.caps,
            team=bot.id,
            plan=limits.plan if bot.billing_mode is BillingMode.PLAN_QUOTA else None,
            wallet=roster.wallet(),
        )
        return scopes_of(terms, call, own_key=bot.key_for(call.provider) is not None)

    return now
