"""The tables at the end."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table

from bench.http.siege import ALONE
from bench.http.subjects import BARE, DAEMON
from bench.load.measures import Figures, Measure, ratio

MEASURES = (
    Measure("rate", "answered messages/s", 0, more_is_better=True, aim=1500),
    Measure("cpu_ms", "CPU ms a message", 3, aim=round(1000 / 1500, 2)),
    Measure("p50", "latency p50, ms"),
    Measure("p99", "latency p99, ms"),
)


def throughput_table(middles: Mapping[str, Figures]) -> Table:
    """The daemon beside the bare handler."""
    ours, theirs = middles[DAEMON.name], middles[BARE.name]
    table = Table(title="POST webhook/custom, echo, on one core: medians")
    for name in ("measure", "botrunner", "bare aiohttp", "ratio", "aim"):
        table.add_column(name, justify="left" if name == "measure" else "right")
    for measure in MEASURES:
        mine, other = ours[measure.key], theirs[measure.key]
        share = ratio(mine, other)
        sign = "≥" if measure.more_is_better else "≤"
        table.add_row(
            measure.label,
            f"{mine:.{measure.digits}f}",
            f"{other:.{measure.digits}f}",
            "" if share is None else f"{share:.2f}",
            "" if measure.aim is None else f"{sign} {measure.aim:g}",
        )
    return table


def siege_table(middles: Mapping[str, Figures]) -> Table:
    """One bot's latency by what another one endures; the ratio is to its latency alone."""
    table = Table(title="One bot's latency while another one is besieged, ms: medians")
    for name in ("besieged by", "p50", "ratio", "p99", "ratio", "connections", "bodies/s"):
        table.add_column(name, justify="left" if name == "besieged by" else "right")
    alone = middles[ALONE]
    for name, figures in middles.items():
        if "bodies_per_s" not in figures:
            continue
        cells = [
            cell
            for key in ("p50", "p99")
            for cell in (f"{figures[key]:.1f}", f"{ratio(figures[key], alone[key]) or 0:.2f}")
        ]
        table.add_row(name, *cells, f"{figures['connections']:.0f}", f"{figures['bodies_per_s']:.1f}")
    return table
