"""The daemon in one line, for `systemctl status`: how its bots are, and what was spent today.

    2 bots up, 1 refused (support: the token is not valid), 1.23 USD today

Rules: what is well is counted, what is not is named with its reason; the line is told anew every ten seconds (at
the start, when connections come up, sooner), so that it is true without anybody having to remember to tell it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from runner.clock import Clock
from runner.errors import StoreError
from runner.money.amounts import Money, to_cents
from runner.ports.notifier import Notifier

FIRST_WAIT_S = 1.0
EVERY_S = 10.0
LONGEST_WHY = 80
"""Characters of one bot's reason: the line is to hold several."""
_ORDER = ("up", "connecting", "degraded", "down", "refused")
_UNREMARKABLE = frozenset({"up", "connecting"})


@dataclass(frozen=True, slots=True)
class BotState:
    """How one connection of a bot is: a `adapters.contract.ConnectionState`, and why."""

    bot: str
    state: str
    why: str = ""


class StatusLine:
    """Keeps the line true.

    Args:
        tell: what to say now. Where it raises StoreError, the last line stays.
    """

    def __init__(
        self, notifier: Notifier, clock: Clock, tell: Callable[[], Awaitable[str]], every_s: float = EVERY_S
    ) -> None:
        self._notifier = notifier
        self._clock = clock
        self._tell = tell
        self._every_s = every_s

    async def run(self) -> None:
        """Say it now and again, for ever."""
        wait_s = FIRST_WAIT_S
        while True:
            with suppress(StoreError):
                self._notifier.status(await self._tell())
            await self._clock.sleep(wait_s)
            wait_s = min(self._every_s, wait_s * 2)


def status_text(connections: Iterable[BotState], spent_today: Money, trouble: str = "") -> str:
    """The line.

    Args:
        connections: all of them; a bot is as its worst one is.
        spent_today: since midnight, UTC.
        trouble: what holds for the whole daemon, such as a bots.yaml that was not taken; said first.
    """
    bots = {worst.bot: worst for worst in sorted(connections, key=lambda each: _ORDER.index(each.state))}
    parts = [trouble] if trouble else []
    for state in _ORDER:
        here = [bot for bot in bots.values() if bot.state == state]
        if state == "up":
            parts.append(f"{len(here)} bot{'' if len(here) == 1 else 's'} up")
        elif here:
            named = "" if state in _UNREMARKABLE else f" ({'; '.join(map(_named, here))})"
            parts.append(f"{len(here)} {state}{named}")
    cents = to_cents(spent_today)  # upwards: what was spent never shows as nothing
    return ", ".join([*parts, f"{cents // 100}.{cents % 100:02d} USD today"])


def _named(bot: BotState) -> str:
    return f"{bot.bot}: {bot.why[:LONGEST_WHY]}" if bot.why else bot.bot
