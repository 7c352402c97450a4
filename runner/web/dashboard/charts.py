"""Charts as SVG text, drawn on the server. Pure: figures in, text out.

Rules: across, all is in percent of the room there is; up and down and for letters, in pixels: so a chart fills a
phone's width and its letters stay as large as on a desk. Colours come from classes, so that both themes work and
no style stands in the page. Each chart is one image with a name and a description; who cannot see it has the
table beside it. Every text from outside is escaped here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from runner.money.amounts import Money
from runner.web.dashboard.figures import Cap, Days
from runner.web.dashboard.scales import labelled, marks, money_mark, series_classes
from runner.web.dashboard.wording import day, long_day, percent, usd

PLOT = 200
"""Height of the plot, px; the axis below it takes `AXIS` more."""
AXIS = 28
TOP = 8
"""Room above the plot, px: half a letter of the topmost mark."""
_WIDEST_BAR = 5.0
_ROW, _BAR_AT, _BAR = 46, 22, 10
_MOST_LABEL = 34
_SPARK_WIDTH, _SPARK_HEIGHT = 100, 28
_DOTS_UP_TO = 31


@dataclass(frozen=True, slots=True)
class Bar:
    """A row of `bars`: `text` is how its value is written."""

    label: str
    value: int
    text: str


def stacked_days(days: Days, name: str, ident: str) -> str:
    """Money by day, its series on top of one another. `ident`: unique on the page."""
    totals = [sum(values) for values in zip(*(one.values for one in days.series), strict=True)]
    axis = marks(max(totals, default=0))
    slot = 100 / max(1, len(days.days))
    width = min(slot * 0.72, _WIDEST_BAR)
    classes = series_classes([one.name for one in days.series])
    groups = []
    for at in range(len(days.days)):
        left = slot * at + (slot - width) / 2
        rects, below = [], 0.0
        for kind, one in zip(classes, days.series, strict=True):
            height = PLOT * one.values[at] / axis[-1]
            if height:
                rects.append(_rect(left, TOP + PLOT - below - height, width, height, kind))
                below += height
        hit = _rect(slot * at, TOP, slot, PLOT, "hit")
        groups.append(f'<g class="day"><title>{escape(_day_told(days, at))}</title>{hit}{"".join(rects)}</g>')
    described = f"{usd(days.total())} in {len(days.days)} {'weeks' if days.weeks else 'days'}"
    if days.days and any(totals):
        dearest = max(range(len(totals)), key=totals.__getitem__)
        when = f"{'in the week from' if days.weeks else 'on'} {long_day(days.days[dearest])}"
        described += f"; the most {when}: {usd(Money(totals[dearest]))}"
    body = _grid([(mark * PLOT / axis[-1], money_mark(mark)) for mark in axis])
    return _chart(ident, name, described, body + "".join(groups) + _day_labels(days.days))


def _day_told(days: Days, at: int) -> str:
    """What a day's bar says to whoever points at it."""
    parts = [(one.name, one.values[at]) for one in days.series if one.values[at]]
    week = "Week from " if days.weeks else ""
    lines = [f"{week}{long_day(days.days[at])}: {usd(Money(sum(value for _, value in parts)))}"]
    if len(days.series) > 1:
        lines += [f"{name} {usd(Money(value))}" for name, value in parts]
    return "\n".join(lines)


def line_of_percent(days: Sequence[str], values: Sequence[int | None], name: str, ident: str) -> str:
    """A percentage by day; a day without a value breaks the line."""
    known = [(at, value) for at, value in enumerate(values) if value is not None]
    slot = 100 / max(1, len(days))
    runs: list[list[tuple[float, float]]] = []
    for before, (at, value) in zip([(-2, 0), *known], known, strict=False):
        if before[0] != at - 1:
            runs.append([])
        runs[-1].append((slot * (at + 0.5), 100 - value))
    path = "".join(_path(run) for run in runs if len(run) > 1)
    line = (
        f'<svg x="0" y="{TOP}" width="100%" height="{PLOT}" viewBox="0 0 100 100" preserveAspectRatio="none">'
        f'<path class="line" d="{path}"/></svg>'
    )
    dots = "".join(
        f'<circle class="dot" cx="{_n(slot * (at + 0.5))}%" cy="{_n(TOP + PLOT * (100 - value) / 100)}" r="3">'
        f"<title>{long_day(days[at])}: {value} %</title></circle>"
        for at, value in known
        if len(days) <= _DOTS_UP_TO
    )
    described = (
        f"between {min(v for _, v in known)} and {max(v for _, v in known)} %" if known else "no values"
    )
    grid = _grid([(mark * PLOT / 100, f"{mark} %") for mark in (0, 25, 50, 75, 100)])
    return _chart(ident, name, described, grid + line + dots + _day_labels(days))


def bars(rows: Sequence[Bar], name: str, ident: str) -> str:
    """Rows with a label, a value and a bar, against the largest."""
    largest = max((row.value for row in rows), default=0)
    parts = []
    for at, row in enumerate(rows):
        top = at * _ROW
        width = 100 * max(0, row.value) / largest if largest > 0 else 0.0
        short = row.label if len(row.label) <= _MOST_LABEL else row.label[: _MOST_LABEL - 1] + "…"
        parts.append(
            f"<g><title>{escape(row.label)}: {escape(row.text)}</title>"
            f'<text class="label" x="0" y="{top + 14}">{escape(short)}</text>'
            f'<text class="value" x="100%" y="{top + 14}" text-anchor="end">{escape(row.text)}</text>'
            f"{_rect(0, top + _BAR_AT, 100, _BAR, 'track', round_by=5)}"
            f"{_rect(0, top + _BAR_AT, width, _BAR, 's0', round_by=5)}</g>"
        )
    described = "; ".join(f"{row.label}: {row.text}" for row in rows) or "nothing"
    return _image("bars", ident, name, described, "".join(parts), max(1, len(rows)) * _ROW)


def sparkline(values: Sequence[int], name: str) -> str:
    """A small line without axes."""
    largest = max(values, default=0) or 1
    step = _SPARK_WIDTH / max(1, len(values) - 1)
    room = _SPARK_HEIGHT - 4
    points = [(step * at, 2 + room * (1 - value / largest)) for at, value in enumerate(values)]
    if len(points) == 1:
        points.append((float(_SPARK_WIDTH), points[0][1]))
    line = _path(points)
    area = f"{line}L{_SPARK_WIDTH} {_SPARK_HEIGHT}L0 {_SPARK_HEIGHT}Z" if points else ""
    return (
        f'<svg class="spark" role="img" aria-label="{escape(name)}" viewBox="0 0 {_SPARK_WIDTH} {_SPARK_HEIGHT}" '
        f'preserveAspectRatio="none"><path class="area" d="{area}"/><path class="line" d="{line}"/></svg>'
    )


def cap_bar(cap: Cap) -> str:
    """What stands against a cap: spent, of unknown fate, held; empty text where there is no cap."""
    if cap.limit is None:
        return ""
    limit = max(1, cap.limit)
    told = [f"{usd(cap.spent)} spent"]
    told += [f"{usd(cap.unknown)} of unknown fate"] if cap.unknown else []
    told += [f"{usd(cap.held)} held"] if cap.held else []
    name = f"{', '.join(told)} of {usd(cap.limit)} ({percent(cap.taken, limit)} %)"
    start, rects = 0.0, []
    for kind, amount in ((cap_level(cap), cap.spent), ("unknown", cap.unknown), ("held", cap.held)):
        width = min(100 * amount / limit, 100 - start)
        if width > 0:
            rects.append(_rect(start, 0, width, _BAR, kind))
            start += width
    track = _rect(0, 0, 100, _BAR, "track")
    return _strip("capbar", name, track + "".join(rects))


def cap_level(cap: Cap) -> str:
    """`calm`, from 80 % `near`, and `reached`; alerts speak up at the same shares."""
    if cap.limit is None:
        return "calm"
    if cap.taken >= cap.limit:
        return "reached"
    return "near" if cap.taken * 100 >= cap.limit * 80 else "calm"


def parts_bar(parts: Iterable[tuple[str, int]], name: str, unit: str) -> str:
    """Parts of a whole side by side, in the order given; the n-th has the n-th colour."""
    listed = list(parts)
    whole = sum(value for _, value in listed)
    rects, start = [], 0.0
    for at, (label, value) in enumerate(listed):
        width = 100 * value / whole if whole else 0.0
        if width:
            title = f"<title>{escape(label)}: {value:,} {escape(unit)}</title>"
            rects.append(f"<g>{title}{_rect(start, 0, width, _BAR, f's{at}')}</g>")
            start += width
    told = ", ".join(f"{label} {value:,}" for label, value in listed if value)
    return _strip("partsbar", f"{name}: {told or 'none'}", _rect(0, 0, 100, _BAR, "track") + "".join(rects))


def share_bar(part: int, whole: int) -> str:
    """A bar in a table's row, whose text says the same: nothing for those who cannot see it."""
    width = 100 * max(0, part) / whole if whole > 0 else 0.0
    inner = f"{_rect(0, 0, 100, 6, 'track', round_by=3)}{_rect(0, 0, min(100.0, width), 6, 's0', round_by=3)}"
    return f'<svg class="sharebar" aria-hidden="true" width="100%" height="6">{inner}</svg>'


def _grid(lines: Sequence[tuple[float, str]]) -> str:
    """Lines across, each so many px above the ground, with their marks left of the plot."""
    return "".join(
        f'<line class="grid" x1="0" x2="100%" y1="{_n(TOP + PLOT - up)}" y2="{_n(TOP + PLOT - up)}"/>'
        f'<text class="mark" x="-8" y="{_n(TOP + PLOT - up + 4)}" text-anchor="end">{escape(text)}</text>'
        for up, text in lines
    )


def _day_labels(days: Sequence[str]) -> str:
    slot = 100 / max(1, len(days))
    texts = []
    for at, stays in labelled(len(days)):
        middle, anchor = slot * (at + 0.5), "middle"
        if slot < 2 * _WIDEST_BAR and at == len(days) - 1:
            middle, anchor = 100.0, "end"
        kind = "mark" if stays else "mark roomy"
        texts.append(
            f'<text class="{kind}" x="{_n(middle)}%" y="{TOP + PLOT + 20}" text-anchor="{anchor}">'
            f"{day(days[at])}</text>"
        )
    return "".join(texts)


def _chart(ident: str, name: str, described: str, inner: str) -> str:
    return _image("chart", ident, name, described, inner, TOP + PLOT + AXIS)


def _image(kind: str, ident: str, name: str, described: str, inner: str, height: int) -> str:
    title, desc = f"{ident}-title", f"{ident}-desc"
    return (
        f'<svg class="{kind}" role="img" aria-labelledby="{title} {desc}" width="100%" height="{height}">'
        f'<title id="{title}">{escape(name)}</title><desc id="{desc}">{escape(described)}</desc>{inner}</svg>'
    )


def _strip(kind: str, name: str, inner: str) -> str:
    """A bar as wide as its place; its corners are rounded by the style sheet."""
    return (
        f'<svg class="{kind}" role="img" aria-label="{escape(name)}" width="100%" height="{_BAR}">'
        f"<title>{escape(name)}</title>{inner}</svg>"
    )


def _rect(left: float, top: float, width: float, height: float, kind: str, round_by: int = 0) -> str:
    """`left` and `width` in percent, `top` and `height` in px."""
    corner = f' rx="{round_by}"' if round_by else ""
    return f'<rect class="{kind}" x="{_n(left)}%" y="{_n(top)}" width="{_n(width)}%" height="{_n(height)}"{corner}/>'


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "".join(f"{'L' if at else 'M'}{_n(x)} {_n(y)}" for at, (x, y) in enumerate(points))


def _n(number: float) -> str:
    """A coordinate, no longer than it needs to be."""
    return f"{number:.3f}".rstrip("0").rstrip(".")
