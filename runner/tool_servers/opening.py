"""Connects by the official SDK, which is loaded with the first server: 12 MiB that a bot without servers never sees.

Rule: what takes long and blocks, loading the SDK and the certificates that are trusted, is done off the loop, once.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

from runner.bots import ToolServer
from runner.tool_servers.link import Link, Place, Signals

_Connect = Callable[[ToolServer, Signals, Place], AbstractAsyncContextManager[Link]]


class SdkOpener:
    """A `runner.tool_servers.link.Opener`."""

    def __init__(self, place: Place) -> None:
        self._place = place

    @asynccontextmanager
    async def open(self, server: ToolServer, signals: Signals) -> AsyncIterator[Link]:
        """A session with the server."""
        connect = await asyncio.to_thread(_loaded)
        if server.url is not None and server.url.reveal().startswith("https:") and self._place.tls is None:
            self._place = replace(self._place, tls=await asyncio.to_thread(ssl.create_default_context))
        async with connect(server, signals, self._place) as link:
            yield link


def _loaded() -> _Connect:
    from runner.tool_servers.sdk import connected  # noqa: PLC0415 - the SDK, half a second of a processor

    return connected
