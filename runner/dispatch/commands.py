"""Commands: answered here, never sent to a model.

    /start   the welcome message          /reset, /new   a new conversation
    /help    what there is                /usage         the user's own spend, where the bot exposes it

Rules: what is no command of ours is a plain message, slash and all. Where the user has an allowance, /usage reads
its counters, the very ones that calls are held against; the ledger's sums are asked only where there is none.
"""

from __future__ import annotations

from dataclasses import dataclass

from adapters.messages import InboundMessage
from runner.bots import Bot
from runner.dispatch import texts
from runner.money import scopes
from runner.money.amounts import ZERO, Money, to_usd
from runner.money.budget import Counter
from runner.money.ledger import Attempt
from runner.money.scopes import Period
from runner.money.terms import Per
from runner.ports.books import LedgerFilter
from runner.ports.stores import Store

_WHEN = {Period.DAY: "today", Period.MONTH: "this month", Period.LIFETIME: "in all"}


@dataclass(frozen=True, slots=True)
class CommandAnswer:
    """What to say, and whether the conversation starts anew."""

    text: str
    new_conversation: bool = False


class Commands:
    """Answers commands; reads the books for /usage."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def answer(self, bot: Bot, message: InboundMessage, asked: Attempt) -> CommandAnswer | None:
        """The answer, or None where the message is no command of ours.

        `asked`: the call that would be made now if it were none: it says who is asking, and when.
        """
        match message.command:
            case "start":
                return CommandAnswer(texts.welcome(bot))
            case "help":
                return CommandAnswer(texts.help_text(bot))
            case "reset" | "new":
                return CommandAnswer(texts.NEW_CONVERSATION, new_conversation=True)
            case texts.USAGE_COMMAND if bot.expose_usage:
                return CommandAnswer(await self._usage(bot, asked))
            case _:
                return None

    async def _usage(self, bot: Bot, asked: Attempt) -> str:
        allowance = _allowance(bot, asked)
        if not allowance:
            return await self._all_spent(bot, asked.user)
        mine = scopes.of_user(bot.id, asked.platform, asked.user)
        named = {period: scopes.in_period(mine, period, asked.time_ms) for period in allowance}
        counters = await self._store.counters(named.values())
        lines = [
            _line(period, allowance[period], counters.get(name, Counter())) for period, name in named.items()
        ]
        return "\n".join(["You have spent with this bot:", *lines, "Days and months are UTC."])

    async def _all_spent(self, bot: Bot, user: str) -> str:
        sums = await self._store.usage(LedgerFilter(bot=bot.id), ("user",))
        mine = next((row for row in sums if row.key == (user,)), None)
        cost = ZERO if mine is None else Money(mine.cost + mine.unknown)
        calls = 0 if mine is None else mine.calls
        return f"You have spent {to_usd(cost)} USD in {calls} model calls with this bot."


def _allowance(bot: Bot, asked: Attempt) -> dict[Period, Money]:
    """What the user may spend in each period that is limited for them, the shortest first."""
    limits = {
        cap.period: cap.exceptions.get(asked.user, cap.amount) for cap in bot.caps if cap.per is Per.USER
    }
    return {period: amount for period in _WHEN if (amount := limits.get(period)) is not None}


def _line(period: Period, amount: Money, counter: Counter) -> str:
    """What is set aside for calls that still run is not spent, and not left either."""
    left = Money(max(0, amount - counter.taken))
    spent, whole = to_usd(Money(counter.gone)), to_usd(amount)
    return f"{_WHEN[period]}: {spent} of {whole} USD, {to_usd(left)} USD left"
