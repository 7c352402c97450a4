"""From an operator's limits to the scopes that one call is held against. Pure.

Rules: a call counts for its bot always; for its user, conversation, message and team where they have a limit; and
for whoever pays: the wallet (the runner's own key), a plan's quota, or nobody here where the bot's own key is used.
Days and months are UTC and begin at the moment the call is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import assert_never

from runner.money import scopes
from runner.money.amounts import ZERO, Money
from runner.money.budget import Measure, ScopeLimit
from runner.money.ledger import Attempt
from runner.money.scopes import Period


class Per(StrEnum):
    """Whose spending a cap limits."""

    BOT = "bot"
    USER = "user"
    CONVERSATION = "conversation"
    MESSAGE = "message"
    TEAM = "team"


@dataclass(frozen=True, slots=True)
class Cap:
    """One limit of `caps:`.

    Attributes:
        amount: None: counted only; what a user of `exceptions` may have instead stands there.
        exceptions: by user id; None: no limit for that user. Users only.
    """

    per: Per
    period: Period
    amount: Money | None
    exceptions: Mapping[str, Money | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """A monthly quota, of tokens or of money or of both; None: no limit."""

    name: str
    monthly_tokens: int | None = None
    monthly_amount: Money | None = None


@dataclass(frozen=True, slots=True)
class WalletTerms:
    """How far the wallet may go down.

    Attributes:
        hard_limit: the balance at which calls stop; below 0 it is a credit.
        soft_limit: the balance at which the operator is told; None: at 50 and 80 % of what was paid in only.
    """

    hard_limit: Money = ZERO
    soft_limit: Money | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """All limits that hold for one turn's calls.

    Attributes:
        cap: the bot's lifetime cap.
        per_message: the most that one message may cost.
        team: the bot that the team's money is counted for; empty: no team.
        plan: set where the plan's quota pays.
        wallet: set where bots.yaml has terms for it; else it counts once something was paid in.
    """

    cap: Money | None = None
    per_message: Money | None = None
    caps: tuple[Cap, ...] = ()
    team: str = ""
    plan: Plan | None = None
    wallet: WalletTerms | None = None


def scopes_of(terms: Terms, call: Attempt, *, own_key: bool) -> tuple[ScopeLimit, ...]:
    """What this call is held against; `own_key`: the bot pays its provider itself."""
    found = [ScopeLimit(scopes.of_bot(call.bot), terms.cap)]
    for cap in terms.caps:
        amount = cap.exceptions.get(call.user, cap.amount) if cap.per is Per.USER else cap.amount
        if amount is not None and (cap.per is not Per.TEAM or terms.team):
            name = scopes.in_period(_whose(cap.per, terms.team, call), cap.period, call.time_ms)
            found.append(ScopeLimit(name, amount))
    if terms.per_message is not None:
        found.append(ScopeLimit(scopes.of_message(call.turn), terms.per_message))
    if not own_key:
        found.extend(_payer(terms, call))
    return _strictest(found)


def _whose(per: Per, team: str, call: Attempt) -> str:
    match per:
        case Per.BOT:
            return scopes.of_bot(call.bot)
        case Per.USER:
            return scopes.of_user(call.bot, call.platform, call.user)
        case Per.CONVERSATION:
            return scopes.of_conversation(call.conversation)
        case Per.MESSAGE:
            return scopes.of_message(call.turn)
        case Per.TEAM:
            return scopes.of_team(team)
        case _:
            assert_never(per)


def _payer(terms: Terms, call: Attempt) -> list[ScopeLimit]:
    """Whose money it is, where it is ours."""
    plan = terms.plan
    if plan is None:
        limit = None if terms.wallet is None else -terms.wallet.hard_limit
        return [ScopeLimit(scopes.WALLET, limit, funded=True)]
    return [
        ScopeLimit(scopes.of_plan(plan.name, call.time_ms), plan.monthly_amount),
        ScopeLimit(scopes.of_plan_tokens(plan.name, call.time_ms), plan.monthly_tokens, Measure.TOKENS),
    ]


def _strictest(found: list[ScopeLimit]) -> tuple[ScopeLimit, ...]:
    """Each scope once, with the smallest of its limits: a hold counts once in each."""
    named: dict[str, ScopeLimit] = {}
    for scope in found:
        before = named.get(scope.name)
        if before is None or before.limit is None or (scope.limit is not None and scope.limit < before.limit):
            named[scope.name] = scope
    return tuple(named.values())
