"""What a kept connection asks of the library that speaks the protocol: the wall between supervision and the SDK."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from ssl import SSLContext
from typing import Any, Protocol

from runner.bots import ToolServer
from runner.clock import Clock
from runner.ports.tool_servers import ToolAnswer
from runner.tool_servers.listing import Offered


class Lost(Exception):
    """A server cannot be reached, or no more; its text is a sentence part that holds no secret."""


@dataclass(frozen=True, slots=True)
class Signals:
    """Whom a link tells of what happens between two calls. Each MUST be cheap and MUST NOT raise.

    Attributes:
        changed: the server says that its tools are others now, or it is in doubt whether it is still there.
        lost: the server is gone, and why.
        said: a line of its standard error.
    """

    changed: Callable[[], None]
    lost: Callable[[str], None]
    said: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Place:
    """Where servers are reached from.

    Attributes:
        folder: where programs are started, and where their relative paths begin.
        environ: the daemon's own; programs see little of it.
        tls: for addresses that want it; None: it was not needed yet.
    """

    folder: Path
    environ: Mapping[str, str]
    clock: Clock
    tls: SSLContext | None = None


class Link(Protocol):
    """An open connection to a server."""

    async def offers(self) -> tuple[Offered, ...]:
        """All its tools. Raises Lost and what its library raises; MAY take long."""

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> ToolAnswer:
        """Make one call. Raises what its library raises; MAY take long; MAY be cancelled."""


class Opener(Protocol):
    """Connects."""

    def open(self, server: ToolServer, signals: Signals) -> AbstractAsyncContextManager[Link]:
        """A connection for as long as it is held. Raises Lost and what its library raises."""
