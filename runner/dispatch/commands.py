"""Commands: answered here, never sent to a model.

    /start   the welcome message          /reset, /new   a new conversation
    /help    what there is                /usage         the user's own spend, where the bot exposes it

Rule: what is no command of ours is a plain message, slash and all.
"""

from __future__ import annotations

from dataclasses import dataclass

from adapters.messages import InboundMessage
from runner.bots import Bot
from runner.dispatch import texts
from runner.money.amounts import ZERO, Money, to_usd
from runner.ports.books import LedgerFilter
from runner.ports.stores import Store


@dataclass(frozen=True, slots=True)
class CommandAnswer:
    """What to say, and whether the conversation starts anew."""

    text: str
    new_conversation: bool = False


class Commands:
    """Answers commands; reads the ledger for /usage."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def answer(self, bot: Bot, message: InboundMessage) -> CommandAnswer | None:
        """The answer, or None where the message is no command of ours."""
        match message.command:
            case "start":
                return CommandAnswer(texts.welcome(bot))
            case "help":
                return CommandAnswer(texts.help_text(bot))
            case "reset" | "new":
                return CommandAnswer(texts.NEW_CONVERSATION, new_conversation=True)
            case texts.USAGE_COMMAND if bot.expose_usage:
                return CommandAnswer(await self._usage(bot, message.sender.id))
            case _:
                return None

    async def _usage(self, bot: Bot, user: str) -> str:
        sums = await self._store.usage(LedgerFilter(bot=bot.id), ("user",))
        mine = next((row for row in sums if row.key == (user,)), None)
        cost = ZERO if mine is None else Money(mine.cost + mine.unknown)
        calls = 0 if mine is None else mine.calls
        return f"You have spent {to_usd(cost)} USD in {calls} model calls with this bot."
