"""Whether an operator's price can be meant: a price in another unit is a cap that holds nothing. Pure.

Rules: each rate is held beside its neighbour, which is the same rate of the shipped row of that model, at whichever
provider, else the middle of that rate in the book (models that write speech down among themselves); `SUSPICIOUS`
times less or more is a slip of the unit. Zero is nobody's slip: it is free on purpose.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

from runner.config.problems import Path
from runner.money.amounts import Money, to_usd
from runner.money.prices import ANY_PROVIDER, Price, PriceBook, Rates

SUSPICIOUS = 1000
_PER_TOKEN = 30_000
"""Between a thousand and a million, by ratio: what is further off was meant by the token."""
_KINDS = tuple(rate.name for rate in fields(Rates))


@dataclass(frozen=True, slots=True)
class Doubt:
    """A rate that is far off its neighbours. `path` leads to it from its row."""

    path: Path
    message: str


def doubts(price: Price, shipped: PriceBook) -> list[Doubt]:
    """What looks wrong about a row, rate by rate."""
    known = _same_model(price, shipped)
    found = []
    for path, kind, rate in _rates(price):
        neighbour, whose = 0 if known is None else getattr(known.rates, kind) or 0, "the shipped price"
        if not neighbour:
            neighbour, whose = _middle(kind, price, shipped), "what the book's models cost in the middle"
        if rate and neighbour and not neighbour < rate * SUSPICIOUS < neighbour * SUSPICIOUS**2:
            found.append(
                Doubt((*path, kind), _message(kind, rate, neighbour, whose, listens=_listens(price)))
            )
    return found


def _rates(price: Price) -> Iterator[tuple[Path, str, int]]:
    """Each rate that the row has: where its mapping is, which it is, and how much."""
    places: list[tuple[Path, Rates]] = [((), price.rates)]
    places += [(("tiers", number), tier.rates) for number, tier in enumerate(price.tiers)]
    for path, rates in places:
        for kind in _KINDS:
            yield path, kind, getattr(rates, kind) or 0


def _same_model(price: Price, shipped: PriceBook) -> Price | None:
    """The shipped row of that model: its provider's, else another's."""
    own = None if price.provider == ANY_PROVIDER else shipped.find(price.provider, price.model)
    owners = sorted({owner for owner, _ in shipped.rows})
    others = (row for owner in owners if (row := shipped.find(owner, price.model)))
    return own or next(others, None)


def _middle(kind: str, price: Price, shipped: PriceBook) -> int:
    """The middle of that rate among the book's models of the same sort that are not free; 0: there are none."""
    alike = [row.rates for row in shipped.models() if _listens(row) is _listens(price)]
    rates = sorted(rate for row in alike if (rate := getattr(row, kind)))
    return rates[(len(rates) - 1) // 2] if rates else 0


def _listens(price: Price) -> bool:
    return price.limits.min_audio_seconds is not None


def _message(kind: str, rate: int, neighbour: int, whose: str, *, listens: bool) -> str:
    unit = "seconds" if listens else "tokens"
    less = rate < neighbour
    times = neighbour // rate if less else rate // neighbour
    if not less:
        slip = "another unit than US dollars"
    elif listens:
        slip = "USD per second, minute or hour"
    else:
        slip = "USD per token" if times >= _PER_TOKEN else "USD per thousand tokens"
    return (
        f"{to_usd(Money(rate))} USD per million {kind.replace('_', ' ')} {unit} is {times} times"
        f" {'less' if less else 'more'} than {whose}, {to_usd(Money(neighbour))}: did you write {slip}?"
        f" Write USD per million {unit}, or, where it is right, add confirm: true to the row"
    )
