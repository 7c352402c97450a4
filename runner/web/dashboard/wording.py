"""How figures and moments are written for a person. Pure.

Rules: money is worked out in whole pico-dollars and never becomes a float; what is shown shorter than it is,
is rounded half up, except a limit's rest, which is never shown larger than it is, and a share of a limit, which
says 100 % only where the limit is reached. The exact amount stands beside it (`exact`) for whoever hovers.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from runner.clock import UnixMs, iso
from runner.money.amounts import PICO_PER_CENT, PICO_PER_USD, Money, to_usd
from runner.money.savings import Savings

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
_PLACES_BELOW_A_DOLLAR = 4


def usd(amount: Money) -> str:
    """`$12.30`, below a dollar `$0.0423`, below a cent the two leading digits: `$0.0000031`."""
    sign = "−" if amount < 0 else ""  # noqa: RUF001 - the sign, not a hyphen
    return f"{sign}${_decimal(abs(amount), _places(abs(amount)))}"


def usd_left(amount: Money) -> str:
    """What is left of a limit: never more than there is."""
    places = _places(amount)
    step = 10 ** (12 - places)
    return f"${_decimal(amount // step * step, places)}"


def exact(amount: Money) -> str:
    """Every digit: `$0.000421875`."""
    text = to_usd(Money(abs(amount)))
    return f"{'−' if amount < 0 else ''}${text}"  # noqa: RUF001 - as above


def _places(amount: int) -> int:
    if amount >= PICO_PER_USD or amount == 0:
        return 2
    if amount >= PICO_PER_CENT:
        return _PLACES_BELOW_A_DOLLAR
    return min(12, 12 - len(str(amount)) + 2)


def _decimal(amount: int, places: int) -> str:
    step = 10 ** (12 - places)
    whole, rest = divmod((amount + step // 2) // step, 10**places)
    return f"{whole:,}.{rest:0{places}d}"


def cents(amount: Money) -> str:
    """An amount as a form's value: dollars without thousands' commas, at least two places."""
    return to_usd(amount)


def count(number: int) -> str:
    """`1,204`."""
    return f"{number:,}"


def short_count(number: int) -> str:
    """`950`, `12.4k`, `3.1M`: for where there is little room."""
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            tenths = number * 10 // size
            text = f"{tenths // 10}.{tenths % 10}" if tenths < 1000 else str(tenths // 10)  # noqa: PLR2004 - 100.0
            return f"{text.removesuffix('.0')}{letter}"
    return str(number)


def counted(number: int, one: str, many: str = "") -> str:
    """`1 call`, `2 calls`."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def saved_by(saved: Savings) -> str:
    """What saved how much: `$1.20 by caching, $0.3000 by batches, about $0.0400 by 3 kept answers`."""
    parts = [
        f"{usd(saved.caching)} by caching" if saved.caching else "",
        f"{usd(saved.batches)} by batches" if saved.batches else "",
        f"about {usd(saved.kept)} by {counted(saved.hits, 'kept answer')}" if saved.hits else "",
    ]
    return ", ".join(filter(None, parts)) or "nothing by caching, batches or kept answers"


def percent(part: int, whole: int) -> int:
    """Whole percent, rounded down; 0 of nothing."""
    return part * 100 // whole if whole > 0 else 0


def change(now: Money, before: Money | None) -> str:
    """`+12 %` against an earlier amount; empty where there is nothing to compare with."""
    if not before or before < 0:
        return ""
    points = (now - before) * 100 // before
    return f"{'+' if points > 0 else '−' if points < 0 else '±'}{abs(points):,} %"  # noqa: RUF001 - as above


def ago(moment_ms: int, now_ms: int) -> str:
    """`just now`, `5 min ago`, `3 h ago`, `2 days ago`, then the day itself."""
    gone = max(0, now_ms - moment_ms)
    if gone < MINUTE:
        return "just now"
    if gone < HOUR:
        return f"{gone // MINUTE} min ago"
    if gone < DAY:
        return f"{gone // HOUR} h ago"
    if gone < 14 * DAY:
        return counted(gone // DAY, "day") + " ago"
    return day(datetime.fromtimestamp(moment_ms // 1000, UTC).date().isoformat())


def span(left_ms: int) -> str:
    """A stretch of time: `40 s`, `5 min`, `3 h`, `2 days`."""
    if left_ms < MINUTE:
        return f"{max(0, left_ms) // 1000} s"
    if left_ms < HOUR:
        return f"{left_ms // MINUTE} min"
    if left_ms < 2 * DAY:
        return f"{left_ms // HOUR} h"
    return counted(left_ms // DAY, "day")


def latency(ms: int) -> str:
    """`840 ms`, `3.2 s`."""
    return f"{ms} ms" if ms < 1000 else f"{ms // 1000}.{ms % 1000 // 100} s"  # noqa: PLR2004 - a second


def stamp(moment_ms: int) -> str:
    """`22 Nov 2026, 10:00:05 UTC`."""
    moment = datetime.fromtimestamp(moment_ms // 1000, UTC)
    return f"{moment.day} {moment:%b %Y, %H:%M:%S} UTC"


def machine(moment_ms: int) -> str:
    """For `<time datetime>`."""
    return iso(UnixMs(moment_ms))


def day(text: str) -> str:
    """`2026-11-22` as `22 Nov`."""
    that = date.fromisoformat(text)
    return f"{that.day} {that:%b}"


def long_day(text: str) -> str:
    """`2026-11-22` as `Sun 22 Nov 2026`."""
    that = date.fromisoformat(text)
    return f"{that:%a} {that.day} {that:%b %Y}"


def days_until(last: str, number: int) -> tuple[str, ...]:
    """That many UTC days, the last of them `last`."""
    end = date.fromisoformat(last)
    return tuple((end - timedelta(days=back)).isoformat() for back in range(number - 1, -1, -1))
