"""Which models are asked for a message, in which order, and why. Pure.

Rules: the choice is never silent: each call's ledger row names its route and the reason; a later one is asked only
where the one before it could not answer (`Failed.elsewhere`).
"""

from __future__ import annotations

from dataclasses import dataclass

from runner.bots import Bot, ModelChoice

DEFAULT_ROUTE = "default"
FALLBACK_ROUTE = "fallback"


@dataclass(frozen=True, slots=True)
class Routed:
    """A model that may be asked. `reason`: why it is, for the ledger; empty: nothing needed to be decided."""

    choice: ModelChoice
    route: str = DEFAULT_ROUTE
    reason: str = ""


def unrouted(bot: Bot) -> tuple[Routed, ...]:
    """The bot's own model, then its fallbacks."""
    return (Routed(bot.choice), *(Routed(choice, FALLBACK_ROUTE) for choice in bot.fallbacks))
