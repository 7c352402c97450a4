"""The settings in force: one holder, one writer."""

from __future__ import annotations

from runner.config.settings import Settings
from runner.money.prices import Price


class InForce:
    """What the daemon goes by now. Whoever has to heed a reload asks here each time and keeps nothing.

    Attributes:
        settings: written by `applying.Applying` alone.
        file: the same as bots.yaml alone has them: on a fleet caps may be set elsewhere. Written by
            `reloading.Reloader` alone.
    """

    __slots__ = ("file", "settings")

    def __init__(self, settings: Settings, file: Settings | None = None) -> None:
        self.settings = settings
        self.file = settings if file is None else file

    def find_price(self, provider: str, model: str) -> Price | None:
        """As `PriceBook.find`, in the book in force."""
        return self.settings.prices.find(provider, model)
