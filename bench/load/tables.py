"""The tables at the end of a load run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table

from bench.load.measures import Figures, Measure, ratio
from bench.load.subjects import BOTRUNNER, FLOOR, SCRIPT, subjects_on

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
MIXED = "mixed"


def subjects_table(middles: Mapping[str, Figures], platform: str) -> Table:
    """One bot: beside the script where there is one, and beside the floor."""
    subjects = subjects_on(platform)
    has_script = SCRIPT in subjects
    ours, theirs, floor = (
        middles[f"{platform}/{subject.name}"]
        for subject in (BOTRUNNER, SCRIPT if has_script else FLOOR, FLOOR)
    )
    table = Table(title=f"One bot on {platform}: medians")
    table.add_column("measure")
    for name in ("botrunner", *(["script"] if has_script else []), "ratio", "floor", "aim"):
        table.add_column(name, justify="right")
    for measure in MEASURES:
        if measure.key not in ours:
            continue
        share = ratio(ours[measure.key], theirs[measure.key])
        sign = "≥" if measure.more_is_better else "≤"
        table.add_row(
            measure.label,
            f"{ours[measure.key]:.{measure.digits}f}",
            *([f"{theirs[measure.key]:.{measure.digits}f}"] if has_script else []),
            "" if share is None else f"{share:.2f}",
            f"{floor[measure.key]:.{measure.digits}f}",
            "" if measure.aim is None else f"{sign} {measure.aim:g}",
        )
    return table


SUMMARY = (
    Measure("rate", "messages/s", 0),
    Measure("cpu_ms", "CPU ms a message", 2),
    Measure("added_p50", "added p50, ms"),
    Measure("added_p99", "added p99, ms"),
    Measure("rss_after", "RSS, MiB", 0),
)


def platforms_table(middles: Mapping[str, Figures], platforms: Sequence[str]) -> Table:
    """A row for each platform, and one more where there is a script: ours, theirs, and the ratio."""
    table = Table(title="One bot on each platform: medians, botrunner / the other = ratio")
    table.add_column("platform")
    table.add_column("beside")
    for measure in SUMMARY:
        table.add_column(measure.label, justify="right")
    for platform in platforms:
        ours = middles[f"{platform}/{BOTRUNNER.name}"]
        for other in (one for one in subjects_on(platform) if one != BOTRUNNER):
            theirs = middles[f"{platform}/{other.name}"]
            cells = [_beside(ours, theirs, measure) for measure in SUMMARY]
            table.add_row(platform, other.name, *cells)
    return table


def _beside(ours: Figures, theirs: Figures, measure: Measure) -> str:
    if measure.key not in ours:
        return ""
    share = ratio(ours[measure.key], theirs[measure.key])
    figures = f"{ours[measure.key]:.{measure.digits}f} / {theirs[measure.key]:.{measure.digits}f}"
    return figures if share is None else f"{figures} = {share:.2f}"


def bots_table(middles: Mapping[str, Figures], platform: str) -> Table:
    """Many bots in one daemon. Beside it, the other's memory times the number of bots: it is a process a bot."""
    table = Table(title=f"Many bots on {platform} in one daemon: medians")
    for name in (
        "bots",
        "all there, s",
        "RSS, MiB",
        "KiB a further bot",
        "idle CPU, %",
        "messages/s",
        "ratio",
    ):
        table.add_column(name, justify="right")
    other = subjects_on(platform)[1]
    one = middles.get(f"{platform}/{BOTRUNNER.name}", {}).get("rss_idle")
    theirs = middles.get(f"{platform}/{other.name}", {}).get("rss_idle")
    for bots in crowds_of(middles, platform):
        figures = middles[f"{platform}/{bots}"]
        rss = figures["rss_idle"]
        table.add_row(
            str(bots),
            f"{figures['all_joined_s']:.2f}",
            f"{rss:.1f}",
            "" if one is None else f"{(rss - one) * KIB / (bots - 1):.0f}",
            f"{figures['idle_cpu_percent']:.2f}",
            f"{figures['rate']:.0f}",
            "" if theirs is None else f"{rss / (theirs * bots):.3f}",
        )
    table.caption = f"RSS after a message to each; ratio: to as many processes of the {other.name}."
    return table


def mixed_table(middles: Mapping[str, Figures]) -> Table:
    """One daemon with bots of all platforms; the first row has one of each."""
    table = Table(title="Mixed bots, as many of each platform, in one daemon: medians")
    for name in (
        "bots",
        "all there, s",
        "RSS idle, MiB",
        "KiB a further bot",
        "idle CPU, %",
        "RSS after a message to each, MiB",
    ):
        table.add_column(name, justify="right")
    numbers = crowds_of(middles, MIXED)
    fewest = middles[f"{MIXED}/{numbers[0]}"]
    for bots in numbers:
        figures = middles[f"{MIXED}/{bots}"]
        more = (figures["rss_joined"] - fewest["rss_joined"]) * KIB
        table.add_row(
            str(bots),
            f"{figures['all_joined_s']:.2f}",
            f"{figures['rss_joined']:.1f}",
            "" if bots == numbers[0] else f"{more / (bots - numbers[0]):.0f}",
            f"{figures['idle_cpu_percent']:.2f}",
            f"{figures['rss_idle']:.1f}",
        )
    table.caption = "The aim is 250 MiB for 100 idle bots."
    return table


def crowds_of(middles: Mapping[str, Figures], platform: str) -> list[int]:
    """How many bots there were in each daemon with many of that platform, fewest first."""
    numbers = (name.partition("/")[2] for name in middles if name.startswith(f"{platform}/"))
    return sorted(int(number) for number in numbers if number.isdigit())
