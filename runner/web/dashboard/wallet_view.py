"""What the wallet's page shows: the wallet, calls whose cost nobody knows, models that are set aside.

Rules: as those of `views`; amounts that are asked for in a form are texts as they were typed.
"""

from __future__ import annotations

from dataclasses import dataclass

from runner.money.amounts import ZERO, Money
from runner.web.dashboard.figures import Cap


@dataclass(frozen=True, slots=True)
class WalletEvent:
    """A line of the wallet's history; `amount` may be negative."""

    at_ms: int
    kind: str
    amount: Money
    note: str = ""


@dataclass(frozen=True, slots=True)
class UnknownCall:
    """A call of which nobody knows what it cost: `most` stands against its limits until somebody says it.

    `given`, `reason` and `fault`: what was said of it and was not taken, and why.
    """

    attempt: str
    at_ms: int
    bot: str
    model: str
    most: Money
    why: str = ""
    given: str = ""
    reason: str = ""
    fault: str = ""


@dataclass(frozen=True, slots=True)
class SetAside:
    """A model that is not called, for it charged more than its bound."""

    provider: str
    model: str
    bound: Money
    charged: Money
    at_ms: int


@dataclass(frozen=True, slots=True)
class WalletPage:
    """`/wallet`.

    Attributes:
        configured: False: pay as you go.
        key: the top-up form's idempotency key, made for this page.
        unknown_more: calls of unknown fate that are not shown.
    """

    configured: bool
    balance: Money = ZERO
    held: Money = ZERO
    purchased: Money = ZERO
    consumed: Money = ZERO
    hard_limit: Money | None = None
    soft_limit: Money | None = None
    history: tuple[WalletEvent, ...] = ()
    key: str = ""
    top_up_fault: str = ""
    top_up_given: str = ""
    top_up_note: str = ""
    unknown: tuple[UnknownCall, ...] = ()
    unknown_more: int = 0
    set_aside: tuple[SetAside, ...] = ()

    @property
    def cap(self) -> Cap:
        """What was put in as a limit, corrections included, and what of it is gone."""
        return Cap(self.consumed, self.held, limit=Money(self.consumed + self.balance))
