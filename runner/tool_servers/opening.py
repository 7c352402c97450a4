"""Connects by the official SDK, which is loaded with the first server: 12 MiB that a bot without servers never sees."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from runner.bots import ToolServer
from runner.clock import Clock
from runner.tool_servers.link import Link, Signals

_Connect = Callable[[ToolServer, Signals, Path, Mapping[str, str], Clock], AbstractAsyncContextManager[Link]]


class SdkOpener:
    """A `runner.tool_servers.link.Opener`.

    Args:
        folder: where programs are started, and where their relative paths begin.
        environ: the daemon's own; programs see little of it.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str], clock: Clock) -> None:
        self._folder = folder
        self._environ = environ
        self._clock = clock

    @asynccontextmanager
    async def open(self, server: ToolServer, signals: Signals) -> AsyncIterator[Link]:
        """A session with the server."""
        connect = await asyncio.to_thread(_loaded)
        async with connect(server, signals, self._folder, self._environ, self._clock) as link:
            yield link


def _loaded() -> _Connect:
    from runner.tool_servers.sdk import connected  # noqa: PLC0415 - the SDK, half a second of a processor

    return connected
