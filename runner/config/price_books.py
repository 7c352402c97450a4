"""Price books: the two that are shipped, and the rows that an operator writes under `prices:`.

Rules: a row says all of its price; what it leaves out is not taken from the row that it replaces (its limits
are: they are facts of the model, not of the price). Amounts are texts of US dollars per million tokens. Every
fault is found in one go and says where it is. A shipped book has none; a test reads both. The version of an
operator's row changes with each of its prices, so that each ledger row says what was in force.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from hashlib import sha256
from importlib import resources
from typing import Any, Literal

from runner.config.price_sanity import doubts
from runner.config.price_text import UnreadableBook, read_text
from runner.config.problems import Path, did_you_mean, dotted
from runner.money.amounts import BadAmount, from_usd
from runner.money.prices import ANY_PROVIDER, ModelLimits, Price, PriceBook, Rates, Tier

BookName = Literal["default", "seed"]

_FILES: Mapping[BookName, str] = {"default": "prices.yaml", "seed": "prices.seed.yaml"}
_RATES = tuple(rate.name for rate in fields(Rates))
_NEEDED_RATES = ("input", "output")
_FLAGS = {"thinks", "temperature"}
_LIMITS = tuple(limit.name for limit in fields(ModelLimits))
_ROW_KEYS = (*_RATES, "tiers", "batch_percent", "writes_unasked", "limits", "note", "source")
_OPERATOR_KEYS = (*_ROW_KEYS, "provider", "confirm")
_SHIPPED_KEYS = (*_ROW_KEYS, "aliases", "date")
_EVERY = "every"


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A fault in a row. `path` leads to it from where the reading began: `("gpt-4o", "tiers", 0, "input")`."""

    path: Path
    message: str


@dataclass(frozen=True, slots=True)
class PriceRows:
    """What an operator's `prices:` section holds: rows for `PriceBook.with_rows`, and what is wrong with others."""

    rows: tuple[Price, ...]
    problems: tuple[RowProblem, ...]


def load_book(name: BookName) -> PriceBook:
    """Read a shipped book; nothing is kept, so keep it.

    Raises:
        UnreadableBook: the package is damaged.
    """
    return read_book(name, resources.files("runner.money").joinpath(_FILES[name]).read_text(encoding="utf-8"))


def read_book(name: str, text: str) -> PriceBook:
    """The book that a price file holds.

    Raises:
        UnreadableBook: naming everything that is wrong with it.
    """
    book = read_text(text)
    rows: dict[tuple[str, str], Price] = {}
    aliases: dict[tuple[str, str], str] = {}
    problems: list[RowProblem] = []
    for provider, models in book.providers.items():
        shared = models.get(_EVERY, {})
        for model, raw in models.items():
            if model == _EVERY:
                continue
            reader = _Reader({**shared, **raw}, (provider, model), _SHIPPED_KEYS, problems)
            version = f"{name} {reader.text('date')}"
            rows[provider, model] = reader.price(provider, model, version, ModelLimits())
            for alias in reader.texts("aliases"):
                aliases[provider, alias] = model
    if problems:
        raise UnreadableBook("; ".join(f"{dotted(p.path)}: {p.message}" for p in problems))
    return PriceBook(name, rows, aliases)


def price_rows(raw: Mapping[str, object], shipped: PriceBook) -> PriceRows:
    """Read an operator's `prices:` section: model id → row. Rows without a `provider` hold for every provider.

    Limits that a row does not give are those of the shipped row for that model. A row that is far off its neighbours
    is refused, unless it is confirmed.
    """
    rows: list[Price] = []
    problems: list[RowProblem] = []
    for model, value in raw.items():
        if not isinstance(value, Mapping):
            message = 'expected a row such as {input: "0.10", output: "0.40"}'
            problems.append(RowProblem((model,), message))
            continue
        before = len(problems)
        reader = _Reader(value, (model,), _OPERATOR_KEYS, problems)
        provider = reader.text("provider") or ANY_PROVIDER
        known = _known_limits(shipped, provider, model)
        price = reader.price(provider, model, "", known)
        if reader.flag("confirm") is not True and len(problems) == before:
            problems.extend(RowProblem((model, *d.path), d.message) for d in doubts(price, shipped))
        if len(problems) == before:
            rows.append(replace(price, version=_version(price, reader.raw)))
    return PriceRows(tuple(rows), tuple(problems))


def _version(price: Price, raw: Mapping[str, object]) -> str:
    """`bots.yaml 0.10/0.40`, and a short sign of the row's other prices where it has any."""
    named = f"bots.yaml {raw.get('input')}/{raw.get('output')}"
    others = (price.rates, price.tiers, price.batch_percent, price.limits.min_audio_seconds)
    if others == (Rates(price.rates.input, price.rates.output), (), None, None):
        return named
    return f"{named} {sha256(repr(others).encode()).hexdigest()[:8]}"


def _known_limits(book: PriceBook, provider: str, model: str) -> ModelLimits:
    if provider != ANY_PROVIDER:
        found = book.find(provider, model)
        return found.limits if found else ModelLimits()
    owners = sorted({owner for owner, _ in book.rows})
    return next((row.limits for owner in owners if (row := book.find(owner, model))), ModelLimits())


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads one mapping key by key; a fault goes to `problems` and is read as if the key were not there."""

    raw: Mapping[str, object]
    path: Path
    known: Sequence[str]
    problems: list[RowProblem] = field(repr=False)

    def __post_init__(self) -> None:
        for key in self.raw:
            if key not in self.known:
                self._fault(key, f"unknown field{did_you_mean(str(key), self.known)}")

    def price(self, provider: str, model: str, version: str, known_limits: ModelLimits) -> Price:
        """The whole row."""
        return Price(
            model=model,
            provider=provider,
            rates=self.rates(),
            tiers=self._tiers(),
            limits=self._limits(known_limits),
            batch_percent=self._count("batch_percent", most=100),
            writes_unasked=self.flag("writes_unasked") or False,
            version=version,
            source=self.text("source"),
            note=self.text("note"),
        )

    def rates(self) -> Rates:
        """The rates that stand in this mapping itself."""
        for name in _NEEDED_RATES:
            if name not in self.raw:
                self._fault(name, "missing: what does a million of these tokens cost?")
        return Rates(
            input=self._rate("input") or 0,
            output=self._rate("output") or 0,
            cache_read=self._rate("cache_read"),
            cache_write_5m=self._rate("cache_write_5m"),
            cache_write_1h=self._rate("cache_write_1h"),
        )

    def text(self, key: str) -> str:
        """A text; empty where there is none."""
        value = self.raw.get(key, "")
        if isinstance(value, str):
            return value
        self._fault(key, "expected a text")
        return ""

    def texts(self, key: str) -> Iterable[str]:
        """A list of texts."""
        return [item for item in self._list(key) if isinstance(item, str)]

    def _rate(self, key: str) -> int | None:
        value = self.raw.get(key)
        if key not in self.raw:
            return None
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str):
            self._fault(key, 'expected US dollars per million tokens in quotes, such as "0.10"')
            return None
        try:
            rate = from_usd(value)
        except BadAmount as bad:
            self._fault(key, str(bad))
            return None
        if rate < 0:
            self._fault(key, "a price is never below zero")
            return None
        return rate

    def _tiers(self) -> tuple[Tier, ...]:
        tiers: list[Tier] = []
        for number, item in enumerate(self._list("tiers")):
            path = (*self.path, "tiers", number)
            if not isinstance(item, Mapping):
                self.problems.append(
                    RowProblem(path, "expected {above_input_tokens: …, input: …, output: …}")
                )
                continue
            reader = _Reader(item, path, ("above_input_tokens", *_RATES), self.problems)
            above = reader._count("above_input_tokens")
            if above is None:
                reader._fault("above_input_tokens", "missing: above how many input tokens?")
                continue
            if tiers and above <= tiers[-1].above_input_tokens:
                reader._fault("above_input_tokens", "tiers go upwards")
            tiers.append(Tier(above, reader.rates()))
        return tuple(tiers)

    def _limits(self, known: ModelLimits) -> ModelLimits:
        value = self.raw.get("limits", {})
        if not isinstance(value, Mapping):
            self._fault("limits", f"expected fields of {', '.join(_LIMITS)}")
            return known
        reader = _Reader(value, (*self.path, "limits"), _LIMITS, self.problems)
        given: dict[str, Any] = {
            key: reader.flag(key) if key in _FLAGS else reader._count(key) for key in value if key in _LIMITS
        }
        return replace(known, **{key: item for key, item in given.items() if item is not None})

    def _list(self, key: str) -> Sequence[object]:
        value = self.raw.get(key, ())
        if isinstance(value, Sequence) and not isinstance(value, str):
            return value
        self._fault(key, "expected a list")
        return ()

    def _count(self, key: str, most: int | None = None) -> int | None:
        value = self.raw.get(key)
        if key not in self.raw:
            return None
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= (most or value):
            return value
        self._fault(key, f"expected a whole number from 1{f' to {most}' if most else ''}")
        return None

    def flag(self, key: str) -> bool | None:
        """True or false; None where it is not said."""
        value = self.raw.get(key)
        if key not in self.raw or isinstance(value, bool):
            return value if isinstance(value, bool) else None
        self._fault(key, "expected true or false")
        return None

    def _fault(self, key: object, message: str) -> None:
        self.problems.append(RowProblem((*self.path, key if isinstance(key, int) else str(key)), message))
