"""`prices`: what each model costs, in the book that is in force, and where each price is from.

Rule: it works without a bots.yaml, and with one that cannot be used, for a missing price is a reason to look
here; then it shows the shipped book and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from runner.cli.options import UNSAID, AsJson, Config
from runner.errors import OperatorError
from runner.money.amounts import Money, to_usd
from runner.money.prices import ANY_PROVIDER, Price, PriceBook, Rates

if TYPE_CHECKING:
    from rich.console import Console

_KINDS = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
_LIMITS = ("context_tokens", "max_output_tokens", "min_cacheable_tokens", "image_tokens", "min_audio_seconds")


def prices(
    model: Annotated[
        str | None, typer.Argument(metavar="MODEL", help="This model only, with all that is known.")
    ] = None,
    config: Config = UNSAID,
    book: Annotated[
        Literal["default", "seed"] | None, typer.Option(help="A shipped book, without the rows of bots.yaml.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the prices in force, in US dollars per million tokens."""
    from runner.cli.screen import screen, show_json

    chosen = _book(config, book)
    rows = chosen.models() if model is None else find(chosen, model)
    if as_json:
        show_json({"book": chosen.name, "prices": [as_record(row) for row in rows]})
    elif model is None:
        _show_table(screen(), chosen, rows)
    else:
        for row in rows:
            _show_one(screen(), row)


def find(book: PriceBook, model: str) -> list[Price]:
    """The rows for a model or alias, at whichever providers; `provider/model` names one of them.

    Raises:
        OperatorError: there is none.
    """
    known = {*book.rows, *book.aliases}
    providers = sorted({provider for provider, _ in known})
    found = [
        row for provider in providers if (provider, model) in known and (row := book.find(provider, model))
    ]
    provider, _, rest = model.partition("/")
    if not found and provider in providers and (row := book.find(provider, rest)):
        found = [row]
    if not found:
        from runner.config.problems import did_you_mean

        guess = did_you_mean(model, {name for _, name in known})
        hint = f'give it one in bots.yaml, under prices:   {model}: {{input: "0.10", output: "0.40"}}'
        raise OperatorError(f"{model} has no price{guess}", hint)
    return found


def as_record(price: Price) -> dict[str, Any]:
    """A row, as JSON shows it; rates are texts of US dollars per million tokens."""
    return {
        "provider": price.provider,
        "model": price.model,
        **_rates(price.rates),
        "tiers": [
            {"above_input_tokens": tier.above_input_tokens, **_rates(tier.rates)} for tier in price.tiers
        ],
        **{name: getattr(price.limits, name) for name in _LIMITS},
        "batch_percent": price.batch_percent,
        "version": price.version,
        "source": price.source,
        "note": price.note,
    }


def _book(config: Path, name: Literal["default", "seed"] | None) -> PriceBook:
    from runner.cli.files import load_file
    from runner.config.price_books import load_book
    from runner.config.problems import Problems

    if name is not None or not config.exists():
        return load_book(name or "default")
    loaded = load_file(config)
    if isinstance(loaded, Problems):
        typer.echo(
            f"note: {config} has problems (botrunner check); this is the shipped book without it", err=True
        )
        return load_book("default")
    return loaded.settings.prices


def _rates(rates: Rates) -> dict[str, str | None]:
    return {kind: _usd(getattr(rates, kind)) for kind in _KINDS}


def _usd(rate: int | None) -> str | None:
    return None if rate is None else to_usd(Money(rate))


def _show_table(console: Console, book: PriceBook, rows: Sequence[Price]) -> None:
    from runner.cli.screen import Column, show_table

    columns = [
        Column("provider"),
        Column("model"),
        *(Column(name, number=True) for name in ("input", "output", "cached", "write 5m", "write 1h")),
        Column("more above", number=True, spare=True),
        Column("context", number=True, spare=True),
        Column("book", spare=True),
    ]
    show_table(
        console,
        columns,
        [
            [
                "any" if row.provider == ANY_PROVIDER else row.provider,
                row.model,
                *(rate or "" for rate in _rates(row.rates).values()),
                f"{row.tiers[0].above_input_tokens:,}" if row.tiers else "",
                f"{row.limits.context_tokens:,}" if row.limits.context_tokens else "",
                row.version,
            ]
            for row in rows
        ],
    )
    console.print(f"{len(rows)} models in the book {book.name}, US dollars per million tokens")


def _show_one(console: Console, price: Price) -> None:
    from runner.cli.screen import Column, show_table

    console.print(
        f"{price.provider}/{price.model}" if price.provider != ANY_PROVIDER else price.model, style="bold"
    )
    columns = [Column("input tokens"), *(Column(kind.replace("_", " "), number=True) for kind in _KINDS)]
    steps = [("any", price.rates)] if not price.tiers else [("up to there", price.rates)]
    steps += [(f"above {tier.above_input_tokens:,}", tier.rates) for tier in price.tiers]
    show_table(
        console, columns, [[name, *(rate or "as input" for rate in _rates(r).values())] for name, r in steps]
    )
    limits = [
        f"{name.replace('_', ' ')} {value:,}" for name in _LIMITS if (value := getattr(price.limits, name))
    ]
    unit = "tokens" if price.limits.min_audio_seconds is None else "seconds of audio"
    console.print(f"US dollars per million {unit}. " + ("; ".join(limits) + "." if limits else ""))
    batches = [] if price.batch_percent is None else [f"batches cost {price.batch_percent} %"]
    unasked = ["the provider writes its cache unasked and bills it"] if price.writes_unasked else []
    for line in (
        *batches,
        *unasked,
        price.note,
        f"price of {price.version}: {price.source or 'no source given'}",
    ):
        if line:
            console.print(line)
