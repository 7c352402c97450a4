"""Limits for who has none, by what the days cost. Pure.

Rules: a day's limit is twice what a dear day costs (the 95th percentile of the days on which anything was spent), so
that no usual day reaches it; a user's is what the dearest day of any OTHER user cost, so that nobody else is
touched. Whole cents, rounded up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runner.advice.counsel import Advice, Kind, count, usd
from runner.bots import Bot
from runner.money.amounts import Money, from_cents, to_cents
from runner.money.terms import Per

DEAR = 95
TIMES = 2
LEAST_DAYS = 3
"""With fewer days nothing is known of what is usual."""
MOST_SHARE = 30
"""Percent of a bot's spend: from there on one user is looked at."""


@dataclass(frozen=True, slots=True)
class UserDay:
    """What one user of a bot cost on one day."""

    user: str
    day: str
    cost: Money


def cap_advice(bot: Bot, days: Mapping[str, Money]) -> list[Advice]:
    """A cap where the bot has none. `days`: what each day cost."""
    costs = sorted(cost for cost in days.values() if cost > 0)
    limited = bot.cap is not None or bot.plan is not None or any(cap.per is Per.BOT for cap in bot.caps)
    if limited or len(costs) < LEAST_DAYS:
        return []
    dear = costs[(len(costs) * DEAR + 99) // 100 - 1]
    cents = to_cents(Money(TIMES * dear))
    dearest = max(days, key=lambda day: days[day])
    return [
        Advice(
            Kind.CAP,
            bot.id,
            "limit what it may spend in a day: it has no cap",
            f"the dearest of {count(len(costs), 'day')} cost {usd(days[dearest])} ({dearest}), "
            f"{DEAR} % of them at most {usd(Money(dear))}",
            None,
            *_line(bot, f"bot: {{day_cents: {cents}}}"),
        )
    ]


def user_cap_advice(
    bot: Bot, spent: Money, dearest: Sequence[UserDay], users: Sequence[tuple[str, Money]]
) -> list[Advice]:
    """A cap for users where one of them spends much and none of them has one.

    `users`: the two dearest with their costs; `dearest`: days of users, the dearest, none dearer left out.
    """
    if len(users) < 2 or any(cap.per is Per.USER for cap in bot.caps):  # noqa: PLR2004 - one alone is everybody
        return []
    user, cost = users[0]
    others = [one.cost for one in dearest if one.user != user]
    if cost * 100 <= spent * MOST_SHARE or not others:
        return []
    limit = max(others)
    cents = to_cents(limit)
    saved = sum(max(0, one.cost - from_cents(cents)) for one in dearest if one.user == user)
    share = cost * 100 // spent
    return [
        Advice(
            Kind.USER_CAP,
            bot.id,
            "limit what one user may spend in a day",
            f"the user {user} spent {usd(cost)}, {share} % of it all; no other spent more than {usd(limit)} in a day",
            Money(saved) if saved else None,
            *_line(bot, f"user: {{day_cents: {cents}}}"),
        )
    ]


def _line(bot: Bot, line: str) -> tuple[str, str]:
    """Where it belongs and what to write: `caps:` is there already, or comes with it."""
    return (f"bots.{bot.id}.caps", line) if bot.caps else (f"bots.{bot.id}", f"caps: {{{line}}}")
