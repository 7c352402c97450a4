"""Pages as HTML text: a frame and a view in, text out.

Rules: every text is escaped by the template engine; what is not escaped comes from `charts`, which escapes by
itself. No page holds a script, a style or a name of another host, so the strictest content policy fits
(`CONTENT_POLICY`). All templates are compiled when a `Renderer` is made, some tenths of a second: make one, in a
thread, when the first page is asked for; from then on a page reads no file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from runner.ports.books import GROUPINGS
from runner.web.dashboard import charts, flow_drawing, scales, views, wallet_view, wording

if TYPE_CHECKING:
    from markupsafe import Markup

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
STATIC_PATH = "/static/dashboard/"
"""Where the pages look for `Asset`s."""
BARS_SHOWN = 12
_TEMPLATES: Mapping[type[views.PageView], str] = {
    views.Overview: "overview.html",
    views.BotPage: "bot.html",
    views.Conversations: "conversations.html",
    views.Transcript: "transcript.html",
    views.ConsolePage: "console.html",
    views.UsagePage: "usage.html",
    views.HandoffsPage: "handoffs.html",
    wallet_view.WalletPage: "wallet.html",
    views.SettingsPage: "settings.html",
    views.LoginPage: "login.html",
    views.Trouble: "trouble.html",
}
_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that pages need. `mark` changes with its content and stands in its address, so it may be kept for ever."""

    content_type: str
    body: bytes
    mark: str


def load_assets() -> dict[str, Asset]:
    """Style sheets, scripts and the icon, by name."""
    found = {}
    for file in (files(__package__) / "static").iterdir():
        kind = _TYPES.get(file.name.rpartition(".")[2])
        if kind is not None:
            body = file.read_bytes()
            found[file.name] = Asset(kind, body, hashlib.sha256(body).hexdigest()[:12])
    return found


class Renderer:
    """Writes pages.

    Args:
        assets: as `load_assets` gives them; pages name them with their marks.
    """

    def __init__(self, assets: Mapping[str, Asset]) -> None:
        import jinja2  # noqa: PLC0415 - ten MiB that only those pay who look at the dashboard

        self._assets = assets
        texts = {
            file.name: file.read_text("utf-8")
            for file in (files(__package__) / "templates").iterdir()
            if file.name.endswith(".html")
        }
        environment = jinja2.Environment(
            loader=jinja2.DictLoader(texts),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters.update(_FILTERS)
        environment.globals.update(_functions())
        environment.globals["asset"] = self._address
        self._templates = {kind: environment.get_template(name) for kind, name in _TEMPLATES.items()}

    def page(self, frame: views.Frame, view: views.PageView) -> str:
        """The whole page."""
        return self._templates[type(view)].render(frame=frame, view=view)

    def _address(self, name: str) -> str:
        return f"{STATIC_PATH}{name}?{self._assets[name].mark}"


def usage_query(view: views.UsagePage) -> str:
    """The query that asks for the same usage again."""
    return urlencode({"group_by": ",".join(view.group_by), "from": view.from_day, "to": view.to_day})


_FILTERS = {
    "usd": wording.usd,
    "usd_left": wording.usd_left,
    "exact": wording.exact,
    "cents": wording.cents,
    "count": wording.count,
    "short_count": wording.short_count,
    "counted": wording.counted,
    "percent": wording.percent,
    "saved_by": wording.saved_by,
    "change": wording.change,
    "ago": wording.ago,
    "span": wording.span,
    "latency": wording.latency,
    "stamp": wording.stamp,
    "machine": wording.machine,
    "long_day": wording.long_day,
    "segment": lambda text: quote(text, safe=""),
    "sum_at": lambda series, at: sum(one.values[at] for one in series),
}


def _functions() -> dict[str, Any]:
    """What templates may call."""
    from markupsafe import Markup  # noqa: PLC0415 - comes with the template engine

    def usage_bars(view: views.UsagePage) -> Markup:
        rows = [
            charts.Bar(" · ".join(filter(None, row.key)) or "–", row.cost, wording.usd(row.cost))
            for row in view.rows[:BARS_SHOWN]
        ]
        return Markup(charts.bars(rows, "Cost, dearest first", "chart-usage"))  # noqa: S704 - charts escape

    def drawn(chart: Any) -> Any:  # noqa: ANN401 - any of the charts
        return lambda *given: Markup(chart(*given))  # noqa: S704 - charts escape

    return {
        "stacked_days": drawn(charts.stacked_days),
        "line_of_percent": drawn(charts.line_of_percent),
        "sparkline": drawn(charts.sparkline),
        "cap_bar": drawn(charts.cap_bar),
        "parts_bar": drawn(charts.parts_bar),
        "share_bar": drawn(charts.share_bar),
        "workflow_picture": drawn(flow_drawing.workflow_picture),
        "cap_level": charts.cap_level,
        "folded": lambda days: scales.folded(scales.readable(days)),
        "classes": scales.series_classes,
        "part_class": _part_class,
        "usage_bars": usage_bars,
        "usage_query": usage_query,
        "groupings": GROUPINGS,
    }


def _part_class(parts: Sequence[tuple[str, int]], name: str) -> str:
    """The colour that `charts.parts_bar` gives the part of that name."""
    return f"s{[label for label, _ in parts].index(name)}"
