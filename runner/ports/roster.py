"""Which bots there are now, and how to reach their platforms.

Rule: asked anew for each message, so that a changed definition holds from the next message on and a raised
cap at once.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from adapters.contract import Adapter
from runner.bots import Bot
from runner.money.amounts import Money
from runner.money.terms import WalletTerms
from runner.ports.tools import Toolbox


class Roster(Protocol):
    """The bots that are defined and enabled."""

    def bot(self, bot_id: str) -> Bot | None:
        """The definition now in force; None where there is none (any more)."""

    def bot_ids(self) -> Collection[str]:
        """All of them."""

    def adapter(self, bot_id: str, channel: str) -> Adapter | None:
        """The connection of one channel."""

    def toolbox(self, bot_id: str) -> Toolbox:
        """The bot's tools; an empty box where it has none."""

    def cap(self, bot_id: str) -> Money | None:
        """The spending cap now in force; None: no cap."""

    def wallet(self) -> WalletTerms | None:
        """The wallet's terms now in force; None: bots.yaml has none."""
