"""Amounts of money.

Rules: inside, an amount is an int of pico-dollars (1 USD = 10^12); only those are added up. What is not
exact is rounded up, away from a free lunch. Text and cents exist at the edges only, and cents are never
added up.
"""

from __future__ import annotations

import re
from typing import NewType

Money = NewType("Money", int)
"""Pico-dollars. May be negative only in corrections."""

PICO_PER_USD = 10**12
PICO_PER_CENT = 10**10
ZERO = Money(0)
MAX_AMOUNT = Money(9 * 10**18)
"""The largest amount that is kept: 9 million USD, the most that fits a signed 64-bit column."""


class BadAmount(ValueError):
    """A text that is no amount of US dollars."""


_USD = re.compile(r"([+-]?)(?=\.?[0-9])([0-9]{0,30})(?:\.([0-9]{0,60}))?(?:[eE]([+-]?[0-9]{1,3}))?")


def from_usd(text: str) -> Money:
    """Read a decimal text of US dollars, rounding up to the pico-dollar.

    Raises:
        BadAmount: not a decimal number, or larger than `MAX_AMOUNT`.
    """
    match = _USD.fullmatch(text.strip())
    if match is None:
        raise BadAmount(f"{text[:40]!r} is not an amount in US dollars, such as 5.00")
    sign, whole, fraction, exponent = match.groups(default="")
    coefficient = int(f"{sign}{whole}{fraction}")
    shift = 12 - len(fraction) + int(exponent or 0)
    amount = coefficient * 10**shift if shift >= 0 else ceil_div(coefficient, 10**-shift)
    if abs(amount) > MAX_AMOUNT:
        raise BadAmount(f"{text[:40]!r} is not an amount that can be kept (at most 9000000)")
    return Money(amount)


def from_cents(cents: int) -> Money:
    """Whole US cents as money."""
    return Money(cents * PICO_PER_CENT)


def to_usd(amount: Money) -> str:
    """The exact decimal text, at least two places: `0.00`, `1.50`, `0.000000000001`."""
    whole, rest = divmod(abs(amount), PICO_PER_USD)
    places = f"{rest:012d}".rstrip("0").ljust(2, "0")
    return f"{'-' if amount < 0 else ''}{whole}.{places}"


def to_cents(amount: Money) -> int:
    """The ceiling in cents of ONE figure; never add these up."""
    return ceil_div(amount, PICO_PER_CENT)


def ceil_div(numerator: int, denominator: int) -> int:
    """Integer division that rounds up. `denominator` > 0."""
    return -(-numerator // denominator)
