"""What is measured, and how each figure is made out of many. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

Figures = Mapping[str, float]
"""One round's figures of one subject, by the measure's key."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A row of the table. `digits`: decimals to show; `aim`: at most this (or at least, where more is better)."""

    key: str
    label: str
    digits: int = 1
    more_is_better: bool = False
    aim: float | None = None


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of all is not above (nearest rank)."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, max(0, -int(-share * len(ranked) // 1) - 1))]


def added_ms(latencies: Sequence[float], model_latency_s: float) -> list[float]:
    """What a bot adds to its model's own latency, milliseconds."""
    return [(latency - model_latency_s) * 1000 for latency in latencies]


def medians(rounds: Sequence[Figures]) -> dict[str, float]:
    """The median of each measure over all rounds."""
    keys = {key for figures in rounds for key in figures}
    return {key: median(figures[key] for figures in rounds if key in figures) for key in sorted(keys)}


def ratio(ours: float, theirs: float) -> float | None:
    """Ours as a share of theirs; None where theirs is nothing."""
    return None if theirs == 0 else ours / theirs
