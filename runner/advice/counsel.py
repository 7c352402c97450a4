"""Advice as a value, and how its figures are written.

Rules: `saved` is what a change would have saved of what WAS spent in the days looked at, so it is never more than
that; one with a sum against it (a larger window) is never advice. Advices overlap: their sums are not added up.
What rests on a model of what would have happened says so (`estimate`); what answers would have been like nobody knows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from runner.money.amounts import PICO_PER_CENT, PICO_PER_USD, Money, to_usd

_CENTS_BELOW_A_DOLLAR = 4
_PLAIN = re.compile(
    r"(?!(?:null|true|false|y|n|yes|no|on|off)$)[A-Za-z][\w./-]*(?::[\w./-]+)*", re.ASCII | re.IGNORECASE
)


class Kind(StrEnum):
    """What the advice is about."""

    MODEL = "model"
    TASK = "task"
    CACHE = "cache"
    WINDOW = "window"
    MAX_TOKENS = "max_tokens"
    LOOPS = "loops"
    RETRIES = "retries"
    UNKNOWN = "unknown"
    CAP = "cap"
    USER_CAP = "user_cap"
    JUMP = "jump"


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing to do, or to look at.

    Attributes:
        what: the advice, a sentence. `evidence`: the figures that it rests on.
        saved: pico-dollars of the days looked at; None: it is not about saving.
        where: where in bots.yaml `write` belongs, as `bots.support`; empty: there is nothing to write.
        write: one line of YAML.
        run: a command that helps, where no line of YAML does.
        estimate: whether `saved` rests on a model of what would have happened.
        calls: how many model calls were looked at; `tokens`: their input and output.
    """

    kind: Kind
    bot: str
    what: str
    evidence: str
    saved: Money | None = None
    where: str = ""
    write: str = ""
    run: str = ""
    estimate: bool = False
    calls: int = 0
    tokens: int = 0


def in_order(advices: Iterable[Advice]) -> list[Advice]:
    """What saves most first; what is not about saving last."""
    return sorted(advices, key=lambda one: (one.saved is None, -(one.saved or 0), one.bot, one.kind))


def worth(saved: int, spent: int) -> bool:
    """Whether it is a hundredth of what was spent, so that somebody may care."""
    return saved > 0 and saved * 100 >= spent


def scalar(text: str) -> str:
    """A name as YAML reads it back: as it is where that is plain, else quoted."""
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def usd(amount: Money) -> str:
    """About so much, never more than it is: `12.34 USD`, below a dollar `0.0423 USD`, below a cent two digits."""
    size = abs(amount)
    if size >= PICO_PER_USD:
        step = PICO_PER_CENT
    elif size >= PICO_PER_CENT:
        step = 10 ** (12 - _CENTS_BELOW_A_DOLLAR)
    else:
        step = 10 ** max(0, len(str(size)) - 2)
    sign = "-" if amount < 0 else ""
    return f"{sign}{to_usd(Money(size // step * step))} USD"


def count(number: int, one: str, many: str = "") -> str:
    """`1 call`, `1,204 calls`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
