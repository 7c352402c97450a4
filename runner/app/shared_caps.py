"""Caps that were set by hand on a fleet, kept where all its daemons see them, and laid over what bots.yaml says.

    PATCH, dashboard ─▶ put ─▶ shared value ─▶ renewed here ─▶ answered
                                    └─ news ─▶ renewed on the other daemons (and looked for by each, `shared_watch`)

Rules: which word counts is `runner.config.hand_caps`; what is over is dropped by whoever sees it first. Where the store
cannot be asked, the words that were known last go on counting; only a start must be able to ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from runner.config.hand_caps import (
    PREFIX,
    FileCap,
    HandCap,
    later_than,
    prefix_of,
    read_words,
    seen,
    verdict,
)
from runner.config.settings import Settings
from runner.errors import StoreError
from runner.money.amounts import PICO_PER_CENT, Money, from_cents
from runner.ports.fleet import Fleet, News, NewsKind
from runner.ports.observer import Fault, Observer
from runner.ports.sharing import SharedValues


class SharedCaps:
    """The hands' words on one fleet."""

    def __init__(self, values: SharedValues, fleet: Fleet, observer: Observer) -> None:
        self._values = values
        self._fleet = fleet
        self._observer = observer
        self._in_file: Mapping[str, FileCap] = {}
        self._known: Mapping[str, str] | None = None

    async def laid_over(self, read: Settings) -> Settings:
        """What bots.yaml says, with the caps that count.

        Raises:
            StoreError: the store could never be asked yet.
        """
        now_ms = self._fleet.now_ms()
        self._in_file = seen(self._in_file, {bot.id: _cents(bot.cap) for bot in read.bots}, now_ms)
        words = read_words(await self._asked(now_ms))
        caps: dict[str, Money | None] = {}
        over: list[HandCap] = []
        for bot, of_bot in words.items():
            if bot in self._in_file:
                found = verdict(self._in_file[bot], of_bot)
                caps[bot] = None if found.cents is None else from_cents(found.cents)
                over += found.over
        await self._drop(over)
        return replace(
            read, bots=tuple(replace(bot, cap=caps[bot.id]) if bot.id in caps else bot for bot in read.bots)
        )

    async def put(self, bot: str, cents: int | None, in_file: Money | None) -> None:
        """Set a cap for all daemons. `in_file`: what bots.yaml says of it here. Raises StoreError."""
        now_ms = self._fleet.now_ms()
        word = await put_word(self._values, bot, cents, in_file, now_ms)
        if self._known is not None:
            self._known = {**self._known, word.key: word.text}
        await self._fleet.tell([News(NewsKind.VALUES, word.key)])

    async def _asked(self, now_ms: int) -> Mapping[str, str]:
        try:
            self._known = await self._values.values(PREFIX, now_ms)
        except StoreError as error:
            if self._known is None:
                raise
            self._observer.note(Fault("caps", f"those that were set by hand could not be read: {error}"))
        return self._known

    async def _drop(self, over: list[HandCap]) -> None:
        """One that stays is dropped another time: it does not count in any case."""
        try:
            for word in over:
                await self._values.drop(word.key)
        except StoreError as error:
            self._observer.note(Fault("caps", f"one that is over could not be dropped: {error}"))


async def put_word(
    values: SharedValues, bot: str, cents: int | None, in_file: Money | None, now_ms: int
) -> HandCap:
    """Set a cap, in whole cents. `in_file`: what bots.yaml says. Raises StoreError."""
    there = read_words(await values.values(prefix_of(bot), now_ms)).get(bot, ())
    word = HandCap(bot, later_than(there, now_ms), cents, _cents(in_file))
    await values.put(word.key, word.text, now_ms)
    return word


def _cents(cap: Money | None) -> int | None:
    return None if cap is None else cap // PICO_PER_CENT
