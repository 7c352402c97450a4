"""What scopes are called. A name says what is counted, whose it is, and for which time.

    bot:support            all that the bot ever spends      bot:support@2026-11      in that month, UTC
    user:support/telegram/42@2026-11-22                      one user of one bot on one platform, that day
    conversation:c17       team:reception       message:t99
    wallet                 what was paid in ahead
    plan:starter@2026-11   a plan's money       plan-tokens:starter@2026-11      a plan's tokens

Rules: a period is part of the name, so that it begins empty by itself and its rows add up for ever; what a call
is held against at 23:59:59 it is settled against, whenever it ends.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

from runner.money.budget import Measure

WALLET = "wallet"
_TOKENS = "plan-tokens:"
_PERIOD = re.compile(r"@(\d{4}-\d{2}(?:-\d{2})?)\Z")
_LIKE_A_PERIOD = re.compile(r"@\d{4}-\d{2}(?:-\d{2})?@*\Z")


class Period(StrEnum):
    """How long a limit counts before it begins anew, at midnight UTC."""

    LIFETIME = "lifetime"
    MONTH = "month"
    DAY = "day"


def measure_of(name: str) -> Measure:
    """What the scope of that name counts."""
    return Measure.TOKENS if name.startswith(_TOKENS) else Measure.MONEY


def kind_of(name: str) -> str:
    """`bot`, `user`, `conversation`, `message`, `team`, `wallet`, `plan`, `plan-tokens`.

    In alerts `model` and `handoff` too, which nothing is held against.
    """
    return name.partition(":")[0]


class Parts(NamedTuple):
    """A name taken apart; `period` is a day or a month, or empty."""

    kind: str
    whose: str
    period: str


def parts_of(name: str) -> Parts:
    """The parts of a scope's name; `whose` may itself hold any character."""
    kind, _, rest = name.partition(":")
    match = _PERIOD.search(rest)
    return Parts(kind, rest, "") if match is None else Parts(kind, rest[: match.start()], match[1])


def in_period(name: str, period: Period, at_ms: int) -> str:
    """The scope's name for the period that this moment (Unix ms) is in."""
    if period is Period.LIFETIME:
        return name
    day = datetime.fromtimestamp(at_ms // 1000, UTC).date().isoformat()
    return f"{name}@{day if period is Period.DAY else day[:7]}"


def of_bot(bot: str) -> str:
    """All that a bot spends."""
    return f"bot:{bot}"


def of_user(bot: str, platform: str, user: str) -> str:
    """What one user of a bot spends; ids of two platforms are two users.

    A platform's ids are anybody's choice: one that ends like a period is kept apart from another's month by an `@`.
    """
    apart = "@" if _LIKE_A_PERIOD.search(user) else ""
    return f"user:{bot}/{platform}/{user}{apart}"


def of_conversation(conversation: str) -> str:
    """What one conversation spends."""
    return f"conversation:{conversation}"


def of_message(turn: str) -> str:
    """What the answer to one message costs."""
    return f"message:{turn}"


def of_team(leader: str) -> str:
    """What a team spends, named by the bot that people write to."""
    return f"team:{leader}"


def of_plan(plan: str, at_ms: int) -> str:
    """A plan's money in that month."""
    return in_period(f"plan:{plan}", Period.MONTH, at_ms)


def of_plan_tokens(plan: str, at_ms: int) -> str:
    """A plan's tokens in that month."""
    return in_period(f"{_TOKENS}{plan}", Period.MONTH, at_ms)


def of_model(provider: str, model: str) -> str:
    """No scope of money: what an alert about a model is called by."""
    return f"model:{provider}/{model}"


def of_handoff(bot: str, handoff: str) -> str:
    """No scope of money: what an alert that asks a reviewer is called by."""
    return f"handoff:{bot}/{handoff}"
