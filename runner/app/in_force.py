"""The settings in force: one holder, one writer."""

from __future__ import annotations

from runner.config.settings import Settings
from runner.money.prices import Price


class InForce:
    """What the daemon goes by now. Whoever has to heed a reload asks here each time and keeps nothing.

    Attributes:
        settings: written by `applying.Applying` alone.
    """

    __slots__ = ("settings",)

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def find_price(self, provider: str, model: str) -> Price | None:
        """As `PriceBook.find`, in the book in force."""
        return self.settings.prices.find(provider, model)
