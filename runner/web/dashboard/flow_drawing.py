"""A workflow as SVG text, with what its last runs did on it. Pure.

Rules: as in `charts`: every text from outside is escaped here, colours come from classes, who cannot see the picture
has its description and the list of runs. The picture is as large as it needs to be; on a phone its place scrolls.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import pairwise

from runner.web.dashboard.flow_layout import HIGH, WIDE, Point, lay_out
from runner.web.dashboard.flow_view import FlowLink, FlowNode, WorkflowCard
from runner.web.dashboard.wording import counted, usd

_LONGEST_LABEL, _LONGEST_TYPE, _LONGEST_HANDLE = 23, 27, 24
_ARROW = 7


def workflow_picture(card: WorkflowCard, ident: str) -> str:
    """The picture. `ident`: unique on the page."""
    layout = lay_out([node.id for node in card.nodes], [(link.source, link.target) for link in card.links])
    links = sorted(zip(card.links, layout.routes, strict=True), key=lambda pair: pair[0].on_path)
    drawn = [_link(link, route) for link, route in links]
    drawn += [_node(node, layout.boxes[node.id]) for node in card.nodes]
    drawn += [_word(link, route) for link, route in links if link.handle]
    width, height = round(layout.width), round(layout.height)
    title, described = f"{ident}-title", f"{ident}-desc"
    return (
        f'<svg class="flow" role="img" aria-labelledby="{title} {described}" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}"><title id="{title}">The workflow</title>'
        f'<desc id="{described}">{escape(_told(card.nodes))}</desc>{"".join(drawn)}</svg>'
    )


def _told(nodes: Sequence[FlowNode]) -> str:
    """The picture in words."""
    path = [node.label for node in nodes if node.on_path]
    told = f"{counted(len(nodes), 'node')}."
    return f"{told} The run that is shown went through {', '.join(path)}." if path else told


# ------------------------------------------------------------------------------------------------- nodes


def _node(node: FlowNode, corner: Point) -> str:
    x, y = corner
    classes = ["node", node.kind]
    classes += [name for name, on in (("taken", node.on_path), ("waiting", node.waits)) if on]
    middle = x + WIDE / 2
    title = [f"{node.label} ({node.type})", _figures(node) or "not done in the last runs"]
    failed = (
        f'<circle class="failed" cx="{_n(x + WIDE - 12)}" cy="{_n(y + 12)}" r="4"/>' if node.failures else ""
    )
    return (
        f'<g class="{" ".join(classes)}"><title>{escape(chr(10).join(title))}</title>'
        f'<rect class="box" x="{_n(x)}" y="{_n(y)}" width="{WIDE}" height="{HIGH}" rx="{_round(node)}"/>{failed}'
        f"{_line('name', middle, y + 22, _short(node.label, _LONGEST_LABEL))}"
        f"{_line('kind', middle, y + 37, _short(node.type, _LONGEST_TYPE))}"
        f"{_line('figure', middle, y + 53, _figures(node))}</g>"
    )


def _figures(node: FlowNode) -> str:
    """`4 × · $0.0021 · 1 failed`, of the last runs."""
    parts = [f"{node.times} ×"] if node.times else []
    parts += [usd(node.cost)] if node.cost else []
    parts += [f"{node.failures} failed"] if node.failures else []
    return " · ".join(parts)


def _round(node: FlowNode) -> int:
    return HIGH // 2 if node.kind == "entry" else 4 if node.kind == "branch" else 12


def _line(kind: str, x: float, y: float, text: str) -> str:
    if not text:
        return ""
    return f'<text class="{kind}" x="{_n(x)}" y="{_n(y)}" text-anchor="middle">{escape(text)}</text>'


# ------------------------------------------------------------------------------------------------- edges


def _link(link: FlowLink, route: Sequence[Point]) -> str:
    x, y = route[-1]
    tip = f"M{_n(x - _ARROW / 2)} {_n(y - _ARROW)}L{_n(x + _ARROW / 2)} {_n(y - _ARROW)}L{_n(x)} {_n(y)}Z"
    taken = " taken" if link.on_path else ""
    return (
        f'<g class="link {link.kind}{taken}"><path class="way" d="{_way(route)}"/>'
        f'<path class="tip" d="{tip}"/></g>'
    )


def _way(route: Sequence[Point]) -> str:
    """From point to point, each reached and left straight down."""
    return f"M{_pair(route[0])}" + "".join(_bend(start, end) for start, end in pairwise(route))


def _bend(start: Point, end: Point) -> str:
    (left, above), (right, below) = start, end
    if left == right and below > above:
        return f"L{_pair(end)}"
    reach = max(24.0, abs(below - above) / 2)
    return f"C{_pair((left, above + reach))} {_pair((right, below - reach))} {_pair(end)}"


def _word(link: FlowLink, route: Sequence[Point]) -> str:
    """The handle, in the middle of the first part of its edge."""
    (left, above), (right, below) = route[0], route[1]
    x, y = (left + right) / 2, (above + below) / 2 + 4
    return _line(f"handle{' taken' if link.on_path else ''}", x, y, _short(link.handle, _LONGEST_HANDLE))


def _pair(point: Iterable[float]) -> str:
    return " ".join(map(_n, point))


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
