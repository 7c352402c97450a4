"""Between which marks a bot's window moves: the cheapest that its rules allow. Pure.

    high ─┬───────────────╮  the window grows, each call finds the one before it in the cache …
          │               │
    low  ─┴───────────────╯  … until it would pass `high`: then it drops to `low` in one step, and that is sent anew

Rules: `sliding` and `blocks` are what they say. `auto` reckons what a call costs on average between each pair of
marks that the rules allow, with the model's rates and what the bot's calls were like, and takes the cheapest; of two
that cost the same, the one that keeps more. The upper mark is `max_messages` unless the operator gave both ends of
the band: then a shorter window may turn out cheaper (a model that caches at half price, or not at all).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

from runner.agent.caching import ALL, Habits
from runner.agent.latest import keep_latest
from runner.bots import ConversationRules
from runner.conversations.window import Marks, plain_marks
from runner.money.prices import CacheWrites, Price, Rates

ADDED = 2
"""Messages that a call adds: what the model says, and the tools' results or the next question."""
MOST_KNOWN = 1_000
WORTH_MOVING = 97
"""In percent: other marks than the plain ones are taken where they cost less than this; turns are not all alike."""
NEARLY = 1005
"""In thousandths: costs that differ by less are the same."""


class Windows:
    """Chooses marks, and remembers what it reckoned: habits that hardly differ have the same marks."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[ConversationRules, Habits, Price], Marks] = OrderedDict()

    def marks(self, rules: ConversationRules, habits: Habits | None, price: Price | None) -> Marks:
        """As `marks_of`, about."""
        if rules.context != "auto" or habits is None or price is None:
            return plain_marks(rules)
        key = (rules, roughly(habits), price)
        marks = self._known.get(key)
        if marks is None:
            marks = marks_of(*key)
        keep_latest(self._known, key, marks, MOST_KNOWN)
        return marks


def roughly(habits: Habits) -> Habits:
    """The habits in coarse steps."""
    return replace(
        habits,
        prefix=habits.prefix // 128 * 128,
        message=habits.message if habits.message < 16 else habits.message // 16 * 16,  # noqa: PLR2004 - a step
        hits=habits.hits // 64 * 64,
        calls=max(1, (habits.calls + ALL // 2) // ALL) * ALL,
    )


def marks_of(rules: ConversationRules, habits: Habits | None, price: Price | None) -> Marks:
    """The marks of the window that comes next. `price`: the row of the model in `habits`; None: not known."""
    plain = plain_marks(rules)
    if rules.context != "auto" or habits is None or price is None or habits.message <= 0:
        return plain
    highs = range(plain.low, plain.high + 1) if rules.banded else (plain.high,)
    pairs = [Marks(low, high) for high in highs for low in range(plain.low, high + 1)]
    costs = {marks: _cost(marks, habits, price) for marks in pairs}
    least = min(costs.values())
    if plain in costs and costs[plain] * WORTH_MOVING <= least * 100:
        return plain
    return max(
        (marks for marks in pairs if costs[marks] * 1000 <= least * NEARLY),
        key=lambda marks: (marks.low + marks.high, marks.high),
    )


def _cost(marks: Marks, habits: Habits, price: Price) -> int:
    """What a call's input costs on average while the window goes once from its lower mark to its upper and back.

    Turns are taken to be all alike: so many calls, each of which adds two messages; the window moves between turns.
    """
    calls = max(1, (habits.calls + ALL // 2) // ALL)
    turn = calls * ADDED
    first = messages = 1 + turn * _turns_kept(marks, turn)
    total = turns = 0
    while turns == 0 or messages <= marks.high:
        total += _turn(habits, price, messages, calls, moved=messages == first)
        turns += 1
        messages += turn
    return total * ALL // (turns * calls)


def _turns_kept(marks: Marks, turn: int) -> int:
    """How many whole turns stand before the question after the window moved, as `window.first_kept` leaves it."""
    fewer = (marks.low - 1) // turn
    more = -(-(marks.low - 1) // turn)
    return more if (1 + fewer * turn) * 2 < marks.low and 1 + more * turn <= marks.high else fewer


def _turn(habits: Habits, price: Price, messages: int, calls: int, *, moved: bool) -> int:
    """The input of one turn's calls; `moved`: the window has moved before it."""
    total = _call(habits, price, messages, ALL if not moved else 0)
    later = (_call(habits, price, messages + ADDED * number, None) for number in range(1, calls))
    return total + sum(later)


def _call(habits: Habits, price: Price, messages: int, of_hits: int | None) -> int:
    """The input of one call with so many messages.

    `of_hits`: which share (of `ALL`) of the usual hits finds the conversation in the cache; None: this call does, since
    the one before it was made a moment ago.
    """
    tokens = habits.prefix + messages * habits.message
    rates = price.rates_for(tokens)
    if tokens < habits.least:
        return tokens * rates.input
    read, write = _cached(habits, price, rates)
    prefix = habits.prefix if habits.prefix >= habits.least else 0
    anew = prefix * read + (tokens - prefix) * write
    before = tokens - ADDED * habits.message
    if before < habits.least:
        return anew
    goes_on = before * read + (tokens - before) * write
    hits = ALL if of_hits is None else habits.hits * of_hits // ALL
    return (hits * goes_on + (ALL - hits) * anew) // ALL


def _cached(habits: Habits, price: Price, rates: Rates) -> tuple[int, int]:
    """The rates of what is found in the cache and of what goes into it."""
    read = rates.input if rates.cache_read is None else rates.cache_read
    if rates.cache_write_5m is None or price.writes_unasked:
        return read, rates.cache_write_5m or rates.input
    if habits.plan.history is CacheWrites.NONE:
        return rates.input, rates.input
    hour = habits.plan.history is CacheWrites.HOUR
    return read, (rates.cache_write_1h if hour else None) or rates.cache_write_5m
