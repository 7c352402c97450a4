"""What a turn's calls and a batch's lines are held against: the bot's limits of that moment, and whoever pays.

Rules: a turn goes on under the definition it began with, but for its limits: a cap that was raised or lowered holds
for the next call. A bot that another has asked is charged to its own limits; of those who wait for it only their
teams' caps are asked too, which count all that their teams spend. A batch is nobody's message: users' and
conversations' caps are not asked for it, and each of its lines has a message's cap of its own.
"""

from __future__ import annotations

from dataclasses import replace

from runner.agent.asks import ScopesOf
from runner.bots import BillingMode, Bot
from runner.money.budget import ScopeLimit
from runner.money.ledger import Attempt
from runner.money.scopes import kind_of
from runner.money.terms import Per, Terms, scopes_of
from runner.ports.roster import Roster

_NOT_IN_BATCHES = (Per.USER, Per.CONVERSATION)


def scopes_for(bot: Bot, roster: Roster, askers: tuple[str, ...] = ()) -> ScopesOf:
    """The scopes of any call that this bot makes in one turn; `askers`: the bots that wait for its answer."""

    def now(call: Attempt) -> tuple[ScopeLimit, ...]:
        own = scopes_of(_terms(bot, roster), call, own_key=bot.key_for(call.provider) is not None)
        named = {scope.name: scope for asker in askers for scope in _team_scopes(asker, roster, call)}
        named.update((scope.name, scope) for scope in own)
        return tuple(named.values())

    return now


def _team_scopes(leader: str, roster: Roster, call: Attempt) -> tuple[ScopeLimit, ...]:
    """What the call of a member is held against as its leader's team's; all else is the member's own."""
    bot = roster.bot(leader)
    caps = () if bot is None else tuple(cap for cap in bot.caps if cap.per is Per.TEAM)
    found = scopes_of(Terms(caps=caps, team=leader), replace(call, bot=leader), own_key=True)
    return tuple(scope for scope in found if kind_of(scope.name) == Per.TEAM)


def line_scopes_for(bot: Bot, roster: Roster) -> ScopesOf:
    """The scopes of any line of a batch of this bot."""

    def now(call: Attempt) -> tuple[ScopeLimit, ...]:
        terms = _terms(bot, roster)
        terms = replace(terms, caps=tuple(cap for cap in terms.caps if cap.per not in _NOT_IN_BATCHES))
        by_itself = replace(call, turn=call.id)
        return scopes_of(terms, by_itself, own_key=bot.key_for(call.provider) is not None)

    return now


def _terms(bot: Bot, roster: Roster) -> Terms:
    limits = roster.bot(bot.id) or bot
    return Terms(
        cap=roster.cap(bot.id),
        per_message=limits.limits.max_cost_per_message,
        caps=limits.caps,
        team=bot.id,
        plan=limits.plan if bot.billing_mode is BillingMode.PLAN_QUOTA else None,
        wallet=roster.wallet(),
    )
