"""The tables at the end, what was promised, and everything as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from bench.cost.subjects import AUTOMATIC, BASELINES, FULL, OURS, SLIDING, Part
from bench.cost.trial import Figures

PROMISED: Mapping[str, float] = {FULL.name: 10.0, SLIDING.name: 4.5, AUTOMATIC.name: 1.6}
"""How many times cheaper than each baseline with the same model, on the tool-heavy workload."""
MILLION = 1_000_000
DEARER = 1.02
"""Nowhere may ours, as it comes, cost more than so many times the cheapest baseline."""


@dataclass(frozen=True, slots=True)
class Result:
    """A part with its figures, in the order of its runs."""

    part: Part
    figures: tuple[Figures, ...]

    def of(self, subject: str) -> Figures | None:
        """The figures of one subject with the part's own model."""
        return next((f for f in self.figures if (f.subject, f.model) == (subject, self.part.model)), None)

    @property
    def ours(self) -> Figures:
        """Ours as it comes."""
        found = self.of(OURS.name)
        assert found is not None
        return found

    @property
    def best(self) -> Figures:
        """The cheapest baseline with the same model."""
        found = [self.of(subject.name) for subject in BASELINES]
        return min((f for f in found if f is not None), key=lambda f: f.cost)

    def smaller(self, figures: Figures) -> float | None:
        """The share of requests with fewer messages than the window of 20 has in the same place."""
        window = self.of(SLIDING.name)
        if window is None or not figures.contexts:
            return None
        fewer = sum(figures.contexts[place] < window.contexts.get(place, 0) for place in figures.contexts)
        return fewer / len(figures.contexts)


def broken_promises(results: Sequence[Result], *, judged: bool) -> Iterator[str]:
    """What does not hold. Not `judged` (too little was played for the factors): only what must always hold."""
    for result in results:
        where = f"{result.part.workload.name}, {result.part.model}"
        for figures in result.figures:
            if figures.broken:
                yield f"{where}: {figures.subject}: the prefix was broken {figures.broken} times"
        if not judged:
            continue
        if result.ours.cost > result.best.cost * DEARER:
            dearer = result.ours.cost / result.best.cost - 1
            yield f"{where}: {dearer:.1%} dearer than: {result.best.subject}"
        if result.part.workload.promises and result.part.big is not None:
            for baseline, least in PROMISED.items():
                found = result.of(baseline)
                if found is not None and found.cost < least * result.ours.cost:
                    factor = found.cost / result.ours.cost
                    yield f"{where}: {factor:.2f} times cheaper than: {baseline}; promised: {least:g}"


COLUMNS = ("USD", "×", "cached", "in", "context", "least", "fewer", "moved", "good")
CAPTION = """\
USD and tokens in are for 1,000 messages of users. ×: how many times botrunner's USD. cached: the input's share
that was read from the cache. context: messages that the model sees, on average; least: the fewest in a chat that
has 20 or more; fewer: requests that have fewer than the window of 20 has in the same place; moved: how often a
window moved. good: messages whose every answer came from a tier that the workload calls strong enough.
Each ledger was equal to its bill, to the pico-dollar; no prefix changed but when a window moved."""


def table_of(result: Result) -> Table:
    """A row for each run."""
    part = result.part
    title = f"{part.workload.name}, {part.model}: {part.workload.messages} messages of users"
    table = Table(title=title, box=SIMPLE_HEAD, title_justify="left")
    table.add_column("", no_wrap=True)
    for name in COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    for figures in result.figures:
        name = figures.subject + ("" if figures.model == part.model else f", {figures.model.split('/')[-1]}")
        table.add_row(name, *_cells(result, figures), style="bold" if figures is result.ours else None)
    return table


def _cells(result: Result, figures: Figures) -> tuple[str, ...]:
    smaller = result.smaller(figures)
    return (
        f"{figures.usd_per_1000:.2f}",
        "" if figures is result.ours else f"{figures.cost / result.ours.cost:.2f}",
        f"{figures.read_share:.0%}",
        _short(figures.usage.input_tokens * 1000 // figures.messages),
        f"{figures.context:.1f}",
        f"{figures.least}",
        "" if smaller is None else f"{smaller:.0%}",
        f"{figures.moved}",
        "" if figures.good is None else f"{figures.good:.1%}",
    )


def _short(count: int) -> str:
    """`1.25M`, `17.0k`, `999`."""
    if count >= MILLION:
        return f"{count / MILLION:.2f}M"
    return f"{count / 1000:.1f}k" if count >= 1000 else f"{count}"


def as_json(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Everything; money in pico-dollars and in US dollars for a thousand messages."""
    return [
        {
            "workload": result.part.workload.name,
            "model": result.part.model,
            "messages": result.part.workload.messages,
            "runs": [
                {
                    **{key: value for key, value in asdict(figures).items() if key != "contexts"},
                    "usd_per_1000": round(figures.usd_per_1000, 6),
                    "cache_read_share": round(figures.read_share, 4),
                    "times_ours": round(figures.cost / result.ours.cost, 4),
                    "smaller_than_window": result.smaller(figures),
                }
                for figures in result.figures
            ],
        }
        for result in results
    ]
