"""The API's own documentation: `/api/openapi.json` for programs, `/api/docs` for people.

Rule: both are made of the calls as they are declared, once, off the loop, when somebody first asks.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

import runner
from runner.web.answers import SAFE_HEADERS
from runner.web.api.schemas import bot_schemas
from runner.web.calls import Answer, AnyCall, Asked, Call, Nothing
from runner.web.openapi import openapi
from runner.web.parts import WebParts
from runner.web.reference_page import page_of

_CSP = (
    "default-src 'none'; style-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class _Made:
    document: bytes
    page: str


class Reference:
    """The handlers."""

    def __init__(self, parts: WebParts, calls: Sequence[AnyCall]) -> None:
        self._parts = parts
        self._calls = [*calls, *self.calls()]
        self._making = asyncio.Lock()
        self._made: _Made | None = None

    def calls(self) -> Sequence[AnyCall]:
        """Both of them."""
        whole: dict[str, Any] = {"type": "object", "required": ["openapi", "paths"]}
        document = {200: Answer("OpenAPI 3.1.", schema=whole)}
        page = {200: Answer("A page to read.", content_type="text/html")}
        return [
            Call(
                "GET",
                "/api/openapi.json",
                "This document.",
                None,
                self._document,
                Nothing,
                Nothing,
                document,
                group="Reference",
            ),
            Call(
                "GET",
                "/api/docs",
                "This document as a page.",
                None,
                self._page,
                Nothing,
                Nothing,
                page,
                group="Reference",
            ),
        ]

    async def _document(self, _: Asked[Nothing, Nothing]) -> web.StreamResponse:
        made = await self._ready()
        return web.Response(body=made.document, content_type="application/json", headers=SAFE_HEADERS)

    async def _page(self, _: Asked[Nothing, Nothing]) -> web.StreamResponse:
        made = await self._ready()
        headers = {**SAFE_HEADERS, "Content-Security-Policy": _CSP}
        return web.Response(text=made.page, content_type="text/html", charset="utf-8", headers=headers)

    async def _ready(self) -> _Made:
        async with self._making:
            if self._made is None:
                self._made = await asyncio.to_thread(self._make)
            return self._made

    def _make(self) -> _Made:
        schemas = bot_schemas(self._parts.definitions.schema())
        document = openapi(self._calls, runner.__version__, schemas, self._parts.public_url)
        return _Made(json.dumps(document, ensure_ascii=False).encode(), page_of(document))
