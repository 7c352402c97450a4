"""Caps that were set by hand on a fleet, where no daemon may write bots.yaml: which of two words counts. Pure.

    shared value   cap/BOT/MOMENT    {"cents": 500 or null, "file": 300 or null}    `file`: what bots.yaml said then

      bots.yaml says what it said then          the hand's word counts
      bots.yaml says something else,
        and did so before the hand's word       the hand's word counts: this daemon's file is older than that word
        and does so since after it              the file's word counts, and the hand's is dropped for all

Rules: the later word counts, and of several hands' words the latest. Each word has a key of its own, so that whoever
drops one that is over can never drop a newer one with it. What cannot be read as a word is none, and is left alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from runner.agent.routing import models_of
from runner.bots import Bot
from runner.config.fields import MOST_CENTS
from runner.config.settings import Settings

PREFIX = "cap/"
_DIGITS = 16


@dataclass(frozen=True, slots=True)
class HandCap:
    """A cap that somebody set. Whole cents, None: no cap; `at_ms` by the store's clock, Unix ms."""

    bot: str
    at_ms: int
    cents: int | None
    file: int | None

    @property
    def key(self) -> str:
        """Of its shared value."""
        return f"{prefix_of(self.bot)}{self.at_ms:0{_DIGITS}d}"

    @property
    def text(self) -> str:
        """What stands there."""
        return json.dumps({"cents": self.cents, "file": self.file})


@dataclass(frozen=True, slots=True)
class FileCap:
    """What bots.yaml says of a bot's cap, and since when this daemon knows it, Unix ms by the store's clock."""

    cents: int | None
    since_ms: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """The cap that counts, and which of the hand's words are over."""

    cents: int | None
    over: tuple[HandCap, ...] = ()


def prefix_of(bot: str) -> str:
    """How the keys of a bot's shared values begin."""
    return f"{PREFIX}{bot}/"


def read_words(values: Mapping[str, str]) -> dict[str, tuple[HandCap, ...]]:
    """Shared values as words, by bot, the earliest first."""
    words = sorted(filter(None, map(_word, values.items())), key=lambda word: word.at_ms)
    found: dict[str, tuple[HandCap, ...]] = {}
    for word in words:
        found[word.bot] = (*found.get(word.bot, ()), word)
    return found


def later_than(words: Iterable[HandCap], now_ms: int) -> int:
    """A moment for a new word: now, or where clocks disagree, just after the words that there are."""
    return max([now_ms, *(word.at_ms + 1 for word in words)])


def verdict(file: FileCap, words: Iterable[HandCap]) -> Verdict:
    """Which word counts. `words`: the hand's, of one bot."""
    ordered = sorted(words, key=lambda word: word.at_ms)
    if not ordered:
        return Verdict(file.cents)
    *older, latest = ordered
    if latest.file == file.cents or file.since_ms <= latest.at_ms:
        return Verdict(latest.cents, tuple(older))
    return Verdict(file.cents, tuple(ordered))


def seen(before: Mapping[str, FileCap], now: Mapping[str, int | None], at_ms: int) -> Mapping[str, FileCap]:
    """What bots.yaml says now of each bot: since `at_ms` where it is another thing than before."""
    return {
        bot: known
        if (known := before.get(bot)) is not None and known.cents == cents
        else FileCap(cents, at_ms)
        for bot, cents in now.items()
    }


def wrong_with(settings: Settings, bot: Bot, cents: int | None) -> str:
    """Why a cap cannot be set, as a file that said it would be refused; empty: it can."""
    if cents is None:
        return ""
    if not _is_cap(cents):
        return f"must be a whole number from 0 to {MOST_CENTS}"
    for choice in models_of(bot):
        if settings.prices.find(choice.provider, choice.model) is None:
            return f"cannot be held: the model {choice.model} of {choice.provider} has no price in bots.yaml"
    return ""


def _word(entry: tuple[str, str]) -> HandCap | None:
    key, text = entry
    bot, _, moment = key.removeprefix(PREFIX).rpartition("/")
    try:
        said = json.loads(text)
        cents, file = said["cents"], said["file"]
    except (ValueError, KeyError, TypeError):
        return None
    is_moment = len(moment) == _DIGITS and moment.isascii() and moment.isdecimal()
    is_word = is_moment and bot and _is_cap(cents) and _is_cap(file)
    return HandCap(bot, int(moment), cents, file) if is_word else None


def _is_cap(cents: object) -> bool:
    return cents is None or (type(cents) is int and 0 <= cents <= MOST_CENTS)
