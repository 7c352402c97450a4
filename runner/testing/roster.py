"""A roster that a test fills and changes: bots, their connections, their tools, their caps."""

from __future__ import annotations

from collections.abc import Collection

from adapters.contract import Adapter
from runner.agent.tools import EmptyToolbox
from runner.bots import Bot
from runner.money.amounts import Money
from runner.money.terms import WalletTerms
from runner.ports.tools import Toolbox


class FakeRoster:
    """A `runner.ports.roster.Roster`.

    Attributes:
        bots: by id; `adapters`: by bot and channel; `toolboxes`: by bot, none is an empty one.
        wallet_terms: what bots.yaml would say of the wallet.
        caps: what an operator has set since, by bot; a bot that is not in it has the cap of its definition.
    """

    def __init__(self) -> None:
        self.bots: dict[str, Bot] = {}
        self.adapters: dict[tuple[str, str], Adapter] = {}
        self.toolboxes: dict[str, Toolbox] = {}
        self.caps: dict[str, Money | None] = {}
        self.wallet_terms: WalletTerms | None = None

    def add(self, bot: Bot, adapter: Adapter | None = None, toolbox: Toolbox | None = None) -> Bot:
        """Define a bot, or define it anew; the adapter serves all its channels."""
        self.bots[bot.id] = bot
        if adapter is not None:
            self.adapters.update({(bot.id, channel.name): adapter for channel in bot.channels})
        if toolbox is not None:
            self.toolboxes[bot.id] = toolbox
        return bot

    def remove(self, bot_id: str) -> None:
        """The bot and its connections are gone."""
        del self.bots[bot_id]
        self.adapters = {key: adapter for key, adapter in self.adapters.items() if key[0] != bot_id}

    def bot(self, bot_id: str) -> Bot | None:
        """The definition now in force."""
        return self.bots.get(bot_id)

    def bot_ids(self) -> Collection[str]:
        """All of them."""
        return tuple(self.bots)

    def adapter(self, bot_id: str, channel: str) -> Adapter | None:
        """The connection of one channel."""
        return self.adapters.get((bot_id, channel))

    def toolbox(self, bot_id: str) -> Toolbox:
        """The bot's tools."""
        return self.toolboxes.get(bot_id) or EmptyToolbox()

    def cap(self, bot_id: str) -> Money | None:
        """The cap now in force."""
        if bot_id in self.caps:
            return self.caps[bot_id]
        bot = self.bots.get(bot_id)
        return None if bot is None else bot.cap

    def wallet(self) -> WalletTerms | None:
        """The wallet's terms."""
        return self.wallet_terms
