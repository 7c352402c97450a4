"""The tables at the end of a load run."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table

from bench.load.measures import Figures, Measure, ratio
from bench.load.subjects import BOTRUNNER, SCRIPT, SUBJECTS

MEASURES = (
    Measure("start_s", "start to first answer, s", 2, aim=1.5),
    Measure("start_cpu_s", "processor time until then, s", 2),
    Measure("rss_idle", "RSS after the first answer, MiB", aim=90),
    Measure("rss_after", "RSS after all of it, MiB"),
    Measure("rate", "messages/s, users at once, model 0 ms", 0, more_is_better=True),
    Measure("cpu_ms", "CPU ms a message, the same", 2, aim=3),
    Measure("busy_p50", "latency p50 under that load, ms"),
    Measure("busy_p99", "latency p99 under that load, ms"),
    Measure("added_p50", "added latency p50, one by one, slow model, ms", aim=5),
    Measure("added_p99", "added latency p99, the same, ms"),
    Measure("paced_cpu_ms", "CPU ms a message, the same", 2),
    Measure("slow_rate", "messages/s, users at once, slow model", 0, more_is_better=True),
    Measure("slow_cpu_ms", "CPU ms a message, the same", 2),
)
KIB = 1024


def subjects_table(middles: Mapping[str, Figures]) -> Table:
    """One bot, beside the script, and both beside the floor."""
    ours, theirs, floor = (middles[subject.name] for subject in SUBJECTS)
    table = Table(title="One bot on Telegram: medians")
    table.add_column("measure")
    for name in ("botrunner", "script", "ratio", "floor", "aim"):
        table.add_column(name, justify="right")
    for measure in MEASURES:
        if measure.key not in ours:
            continue
        share = ratio(ours[measure.key], theirs[measure.key])
        sign = "≥" if measure.more_is_better else "≤"
        table.add_row(
            measure.label,
            f"{ours[measure.key]:.{measure.digits}f}",
            f"{theirs[measure.key]:.{measure.digits}f}",
            "" if share is None else f"{share:.2f}",
            f"{floor[measure.key]:.{measure.digits}f}",
            "" if measure.aim is None else f"{sign} {measure.aim:g}",
        )
    return table


def bots_table(middles: Mapping[str, Figures]) -> Table:
    """Many bots in one daemon. Beside it, the script's memory times the number of bots: it is a process a bot."""
    table = Table(title="Many bots in one daemon: medians")
    for name in (
        "bots",
        "all polling, s",
        "RSS, MiB",
        "KiB a further bot",
        "idle CPU, %",
        "messages/s",
        "ratio",
    ):
        table.add_column(name, justify="right")
    one = middles.get(BOTRUNNER.name, {}).get("rss_idle")
    script = middles.get(SCRIPT.name, {}).get("rss_idle")
    for bots in sorted(int(name) for name in middles if name.isdigit()):
        figures = middles[str(bots)]
        rss = figures["rss_idle"]
        table.add_row(
            str(bots),
            f"{figures['all_polling_s']:.2f}",
            f"{rss:.1f}",
            "" if one is None else f"{(rss - one) * KIB / (bots - 1):.0f}",
            f"{figures['idle_cpu_percent']:.1f}",
            f"{figures['rate']:.0f}",
            "" if script is None else f"{rss / (script * bots):.3f}",
        )
    table.caption = "ratio: RSS to as many processes of the script. The aim is 200 KiB a further bot."
    return table
