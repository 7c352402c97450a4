"""Where cost a message, input tokens a call or calls a message jumped. Pure.

    28 days before         the last 7 days
    · ·  · ·· · · ·  ··  │  ·· ● ● ● ● ●      told: the week's figure, the usual one, the day from which it has stayed
    usual: their median  │  the week as a whole against it

Rules: a jump is a week whose figure is at least half as much again as usual, and further off than three times the
usual distance of a day from the median, so that neither one odd day nor a bot whose days all differ makes one; weeks
and days with few calls tell nothing. All by whole numbers and fractions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from runner.advice.counsel import Advice, Kind, count, usd
from runner.money.amounts import ZERO, Money

WEEK, BEFORE = 7, 28
LOOKED_AT = WEEK + BEFORE
LEAST_CALLS = 30
"""In the week, and in the days before."""
LEAST_A_DAY = 3
"""Calls of a day, for it to be one of those that say what is usual."""
LEAST_DAYS = 5
RATIO = Fraction(3, 2)
DISTANCES = 3


@dataclass(frozen=True, slots=True)
class BotDay:
    """One day of a bot's chats."""

    messages: int = 0
    calls: int = 0
    input_tokens: int = 0
    cost: Money = ZERO

    def __add__(self, other: BotDay) -> BotDay:
        """Both days as one."""
        return BotDay(
            self.messages + other.messages,
            self.calls + other.calls,
            self.input_tokens + other.input_tokens,
            Money(self.cost + other.cost),
        )


@dataclass(frozen=True, slots=True)
class _Figure:
    """What is looked at: `part` for each of `per`, and how it is written."""

    name: str
    part: Callable[[BotDay], int]
    per: Callable[[BotDay], int]
    written: Callable[[Fraction], str]

    def of(self, day: BotDay) -> Fraction | None:
        """Its value; None: there was nothing."""
        per = self.per(day)
        return Fraction(self.part(day), per) if per else None


def _money(value: Fraction) -> str:
    return usd(Money(int(value)))


def _whole(value: Fraction) -> str:
    return f"{int(value):,}"


def _tenths(value: Fraction) -> str:
    tenths = int(value * 10)
    return f"{tenths // 10:,}.{tenths % 10}"


_FIGURES = (
    _Figure("cost a message", lambda day: day.cost, lambda day: day.messages, _money),
    _Figure("input tokens a call", lambda day: day.input_tokens, lambda day: day.calls, _whole),
    _Figure("model calls a message", lambda day: day.calls, lambda day: day.messages, _tenths),
)


def jumps(bot: str, days: Sequence[str], of_days: Mapping[str, BotDay]) -> list[Advice]:
    """A warning for each figure that jumped. `days`: the last `LOOKED_AT` days, the oldest first."""
    before = [of_days[day] for day in days[:-WEEK] if day in of_days]
    week = [(day, of_days[day]) for day in days[-WEEK:] if day in of_days]
    known = [one for one in before if one.calls >= LEAST_A_DAY]
    total = sum((one for _, one in week), BotDay())
    if len(known) < LEAST_DAYS or min(total.calls, sum(one.calls for one in known)) < LEAST_CALLS:
        return []
    return [told for figure in _FIGURES if (told := _jump(bot, figure, known, week, total)) is not None]


def _jump(
    bot: str, figure: _Figure, before: Sequence[BotDay], week: Sequence[tuple[str, BotDay]], total: BotDay
) -> Advice | None:
    values = [value for one in before if (value := figure.of(one)) is not None]
    now = figure.of(total)
    if now is None or not values:
        return None
    usual = _median(values)
    limit = max(usual * RATIO, usual + DISTANCES * _median([abs(value - usual) for value in values]))
    if usual <= 0 or now < limit:
        return None
    began = None
    for day, one in reversed(week):
        value = figure.of(one) if one.calls >= LEAST_A_DAY else None
        if value is not None and value < limit:
            break
        began = day if value is not None else began
    if began is None:  # the week as a whole is high, its latest day is not: it is over
        return None
    percent = int((now / usual - 1) * 100)
    return Advice(
        Kind.JUMP,
        bot,
        f"{figure.name}: {figure.written(now)}, usually {figure.written(usual)} (+{percent:,} %), since {began}",
        f"the last {WEEK} days ({count(total.messages, 'message')}, {count(total.calls, 'call')}) against the "
        f"median of {count(len(values), 'day')} before",
        calls=total.calls,
        tokens=total.input_tokens,
    )


def _median(values: Sequence[Fraction]) -> Fraction:
    ordered, half = sorted(values), len(values) // 2
    return ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) / 2
