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

from runner.agent.caching import ALL, Habits
from runner.bots import ConversationRules
from runner.conversations.window import Marks, plain_marks
from runner.money.prices import CacheWrites, Price, Rates

ADDED = 2
"""Messages that a call adds: what the model says and what it is answered."""
NEARLY = 101
"""In percent: costs that differ by less are the same."""


def marks_of(rules: ConversationRules, habits: Habits | None, price: Price | None) -> Marks:
    """The marks of the window that comes next. `price`: the row of the model in `habits`; None: not known."""
    plain = plain_marks(rules)
    if rules.context != "auto" or habits is None or price is None or habits.message <= 0:
        return plain
    highs = range(min(plain.low + 1, plain.high), plain.high + 1) if rules.banded else (plain.high,)
    pairs = [Marks(low, high) for high in highs for low in range(plain.low, high)] or [plain]
    costs = {marks: _cost(marks, habits, price) for marks in pairs}
    least = min(costs.values())
    return max(
        (marks for marks in pairs if costs[marks] * 100 <= least * NEARLY),
        key=lambda marks: (marks.low + marks.high, marks.high),
    )


def _cost(marks: Marks, habits: Habits, price: Price) -> int:
    """What a call's input costs on average between these marks, in a measure that is the same for all pairs."""
    sizes = range(marks.low, marks.high + 1, ADDED)
    total = sum(_call(habits, price, messages, moved=messages == marks.low) for messages in sizes)
    return total * ALL // len(sizes)


def _call(habits: Habits, price: Price, messages: int, *, moved: bool) -> int:
    """The input of one call with so many messages; `moved`: the first after the window moved."""
    tokens = habits.prefix + messages * habits.message
    rates = price.rates_for(tokens)
    if tokens < habits.least:
        return tokens * rates.input
    read, write = _cached(habits, price, rates)
    prefix = habits.prefix if habits.prefix >= habits.least else 0
    anew = prefix * read + (tokens - prefix) * write
    before = tokens - ADDED * habits.message
    if moved or before < habits.least:
        return anew
    goes_on = before * read + (tokens - before) * write
    return (habits.hits * goes_on + (ALL - habits.hits) * anew) // ALL


def _cached(habits: Habits, price: Price, rates: Rates) -> tuple[int, int]:
    """The rates of what is found in the cache and of what goes into it."""
    read = rates.input if rates.cache_read is None else rates.cache_read
    if rates.cache_write_5m is None or price.writes_unasked:
        return read, rates.cache_write_5m or rates.input
    if habits.plan.history is CacheWrites.NONE:
        return rates.input, rates.input
    hour = habits.plan.history is CacheWrites.HOUR
    return read, (rates.cache_write_1h if hour else None) or rates.cache_write_5m
