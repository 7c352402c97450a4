"""Where things stand in a chart: round axis marks, days to label, series few enough to tell apart. Pure.

Rules: an axis starts at 0 and ends at a mark; marks are 1, 2 or 5 times a power of ten, three to five of them;
the last day is always labelled; folding changes no day's sum.
"""

from __future__ import annotations

from collections.abc import Sequence

from runner.money.amounts import Money, ceil_div, to_usd
from runner.web.dashboard.figures import OTHER, Days, Series

MOST_STEPS = 4
MOST_SERIES = 6
MOST_DAYS = 120
"""As many bars are still told apart; a year has 53 weeks."""
WEEK = 7
_LABELS_WIDE, _LABELS_NARROW = 8, 4


def marks(largest: int) -> tuple[int, ...]:
    """The axis marks for values up to `largest`, from 0: each a whole number."""
    power = 1
    while True:
        for factor in (1, 2, 5):
            step = factor * power
            if step * MOST_STEPS >= largest:
                return tuple(step * number for number in range(max(1, ceil_div(largest, step)) + 1))
        power *= 10


def money_mark(amount: int) -> str:
    """An axis mark in dollars: `$0`, `$0.05`, `$1,200`."""
    whole, _, rest = to_usd(Money(amount)).partition(".")
    return f"${int(whole):,}" if not rest.strip("0") else f"${int(whole):,}.{rest}"


def labelled(number: int) -> tuple[tuple[int, bool], ...]:
    """Which of so many days get a label, and whether it stays where there is little room."""
    wide = max(1, ceil_div(number, _LABELS_WIDE))
    narrow = wide * max(1, ceil_div(ceil_div(number, wide), _LABELS_NARROW))
    last = number - 1
    return tuple((at, (last - at) % narrow == 0) for at in range(number) if (last - at) % wide == 0)


def folded(days: Days, most: int = MOST_SERIES) -> Days:
    """The largest series first, and what is more than `most` in one called `OTHER`."""
    ordered = sorted((one for one in days.series if any(one.values)), key=lambda one: -sum(one.values))
    named = [one for one in ordered if one.name != OTHER]
    kept = named[:most]
    rest = [one.values for one in (*named[most:], *(one for one in ordered if one.name == OTHER))]
    if rest:
        kept.append(Series(OTHER, tuple(map(sum, zip(*rest, strict=True)))))
    return Days(days.days, tuple(kept), days.weeks)


def readable(days: Days) -> Days:
    """The same by week where there are more than `MOST_DAYS` days; weeks end with the last day."""
    number = len(days.days)
    if number <= MOST_DAYS:
        return days
    starts = range((number - 1) % WEEK + 1 - WEEK, number, WEEK)
    weeks = [(max(0, start), start + WEEK) for start in starts]
    return Days(
        tuple(days.days[first] for first, _ in weeks),
        tuple(
            Series(one.name, tuple(sum(one.values[first:end]) for first, end in weeks)) for one in days.series
        ),
        weeks=True,
    )


def series_classes(names: Sequence[str]) -> tuple[str, ...]:
    """The colour's class of each series, by its place; what was folded is grey."""
    return tuple("s-other" if name == OTHER else f"s{at % MOST_SERIES}" for at, name in enumerate(names))
