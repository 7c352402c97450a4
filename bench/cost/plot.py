"""What each run costs as a bar chart, in SVG. Pure: no drawing library is needed for bars.

Rule: a group for each workload and model has a scale of its own, since models cost so differently; ours is dark.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from bench.cost.tables import Result
from bench.cost.trial import Figures

WIDTH = 960
LABEL = 330
BAR = 18
GAP = 6
HEAD = 34
_ROOM = WIDTH - LABEL - 130
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1f2937}.t{font-weight:600}.b{fill:#9ca3af}.o{fill:#0f766e}"
    "@media(prefers-color-scheme:dark){text{fill:#e5e7eb}.b{fill:#6b7280}.o{fill:#2dd4bf}}"
)


def svg_of(results: Sequence[Result]) -> str:
    """The whole picture."""
    y = 0
    parts: list[str] = []
    for result in results:
        parts.append(f'<text class="t" x="8" y="{y + 22}">{escape(_title(result))}</text>')
        y += HEAD
        most = max(figures.usd_per_1000 for figures in result.figures)
        for figures in result.figures:
            parts.append(_bar(result, figures, y, most))
            y += BAR + GAP
        y += GAP
    size = f'width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}"'
    name = "<title>US dollars for a thousand messages of users</title>"
    inner = f"{name}<style>{_STYLE}</style>{''.join(parts)}"
    return f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size}>{inner}</svg>\n'


def _title(result: Result) -> str:
    return f"{result.part.workload.name}, {result.part.model}: USD for 1,000 messages"


def _bar(result: Result, figures: Figures, y: int, most: float) -> str:
    ours = figures.subject.startswith("botrunner")
    name = figures.subject + ("" if figures.model == result.part.model else f", {figures.model}")
    width = round(_ROOM * figures.usd_per_1000 / most) if most else 0
    factor = figures.cost / result.ours.cost
    told = f"{figures.usd_per_1000:,.2f}" + ("" if figures is result.ours else f"  (× {factor:.2f})")
    if figures.good is not None:  # a factor that holds a weaker model never stands alone
        told += f", {figures.good:.1%} good enough"
    return (
        f'<text x="{LABEL - 8}" y="{y + 14}" text-anchor="end">{escape(name)}</text>'
        f'<rect class="{"o" if ours else "b"}" x="{LABEL}" y="{y}" width="{max(1, width)}" height="{BAR}" rx="2"/>'
        f'<text x="{LABEL + max(1, width) + 6}" y="{y + 14}">{escape(told)}</text>'
    )
