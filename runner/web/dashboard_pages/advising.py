"""What pages advise: what daily sums tell of the last 30 days.

Rules: pages are asked for again at each change, so what was found is kept for some minutes, or until a bot or a price
is another; of each bot and of all together once, and of bots that are gone nothing. Single rows are not read here:
`botrunner advise` does that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from runner.advice.counsel import Advice, in_order
from runner.advice.gathering import Asked, SumReads, advice_from_sums
from runner.bots import Bot
from runner.clock import Clock
from runner.money.prices import PriceBook

DAYS = 30
KEPT_S = 600.0
MOST_SHOWN = 3


@dataclass(frozen=True, slots=True)
class _Kept:
    """What was found of these bots at these prices, and until when it is shown."""

    bots: tuple[Bot, ...]
    book: PriceBook
    until: float
    found: tuple[Advice, ...]


class Advising:
    """Finds advice for pages.

    `book` and `defined`: the prices and the bots that are in force, asked for each time.
    """

    def __init__(
        self,
        reads: SumReads,
        clock: Clock,
        book: Callable[[], PriceBook],
        defined: Callable[[], Sequence[Bot]],
    ) -> None:
        self._reads = reads
        self._clock = clock
        self._book = book
        self._defined = defined
        self._kept: dict[str, _Kept] = {}

    async def of(self, bots: Sequence[Bot]) -> tuple[Advice, ...]:
        """The first warnings and the advice that saves most, of one bot or of all."""
        if not bots:
            return ()
        bots, book, now = tuple(bots), self._book(), self._clock.monotonic()
        name = bots[0].id if len(bots) == 1 else ""
        kept = self._kept.get(name)
        if kept is not None and (kept.bots, kept.book) == (bots, book) and now < kept.until:
            return kept.found
        asked = Asked.until(self._clock.now_ms(), DAYS, bots, book)
        told = await advice_from_sums(self._reads, asked, users=False)
        found = (*told.warnings[:MOST_SHOWN], *in_order(told.advice)[:MOST_SHOWN])
        defined = {"", *(bot.id for bot in self._defined())}
        self._kept = {one: kept for one, kept in self._kept.items() if one in defined}
        self._kept[name] = _Kept(bots, book, now + KEPT_S, found)
        return found
