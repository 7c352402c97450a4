"""Pages of the dashboard as responses: written when asked for, by a renderer that is made for the first of them.

Rules: the template engine is loaded and works off the loop, and in daemons whose dashboard is looked at only; a
page goes out packed where the browser takes it so; it may load and send nothing but what is of this server; what a
page needs (style, scripts) may be kept for ever, for its address changes with its content.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

import runner
from runner.clock import Clock
from runner.web.answers import SAFE_HEADERS, refusal
from runner.web.sessions import Session

if TYPE_CHECKING:
    from runner.web.dashboard.render import Asset, Renderer
    from runner.web.dashboard.views import Frame, Notice, PageView

STATIC = "/static/dashboard/{name}"
_FOR_EVER = "public, max-age=31536000, immutable"


class Pages:
    """Makes responses of views."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._making = asyncio.Lock()
        self._made: _Made | None = None

    def routes(self) -> list[web.RouteDef]:
        """What pages load."""
        return [web.get(STATIC, self._asset)]

    def frame(self, session: Session | None, *notices: Notice, config_fault: str | None = None) -> Frame:
        """What all pages of this session share."""
        from runner.web.dashboard.views import Frame  # noqa: PLC0415 - with the first page, as the renderer

        return Frame(
            now_ms=self._clock.now_ms(),
            csrf="" if session is None else session.csrf,
            may_write=session is not None and session.scope == "admin",
            signed_in=session is not None,
            config_fault=config_fault,
            notices=notices,
            version=runner.__version__,
        )

    async def page(self, frame: Frame, view: PageView, status: int = 200) -> web.Response:
        """The whole page."""
        from runner.web.dashboard.render import CONTENT_POLICY  # noqa: PLC0415 - as above

        made = await self._ready()
        headers = {
            **SAFE_HEADERS,
            "Content-Security-Policy": CONTENT_POLICY,
            "Referrer-Policy": "same-origin",  # with no-referrer a form's own origin would not be told
        }
        text = await asyncio.to_thread(made.renderer.page, frame, view)
        response = web.Response(
            text=text, status=status, content_type="text/html", charset="utf-8", headers=headers
        )
        response.enable_compression()
        return response

    async def _ready(self) -> _Made:
        async with self._making:
            if self._made is None:
                self._made = await asyncio.to_thread(_make)
            return self._made

    async def _asset(self, request: web.Request) -> web.Response:
        asset = (await self._ready()).assets.get(request.match_info["name"])
        if asset is None:
            return refusal(404, "not_found", "there is no such file")
        marked = request.query_string == asset.mark
        headers = {**SAFE_HEADERS, "Cache-Control": _FOR_EVER if marked else "no-store"}
        response = web.Response(
            body=asset.body, content_type=asset.content_type, charset="utf-8", headers=headers
        )
        response.enable_compression()
        return response


@dataclass(frozen=True, slots=True)
class _Made:
    """What is made for the first page."""

    renderer: Renderer
    assets: Mapping[str, Asset]


def _make() -> _Made:
    from runner.web.dashboard.render import Renderer, load_assets  # noqa: PLC0415 - as above

    assets = load_assets()
    return _Made(Renderer(assets), assets)
