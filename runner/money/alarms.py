"""When an operator is told that a limit is being used up. Pure.

Rules: at half, at four fifths and at the whole of a limit, counting what is spent and what may have been; once for
each limit of each scope, so that a raised limit is a new one; what one message may cost is not worth a word.
"""

from __future__ import annotations

from runner.money.scopes import kind_of

PERCENTAGES = (50, 80, 100)
SOFT = 0
"""Stands for a percentage where the wallet has come down to its soft limit."""


def reached(limit: int, gone: int) -> int:
    """The highest of `PERCENTAGES` that is used up; 0: none is."""
    return max((percent for percent in PERCENTAGES if gone * 100 >= limit * percent), default=0)


def is_told(scope: str) -> bool:
    """Whether this scope's use is told to anybody."""
    return kind_of(scope) != "message"
