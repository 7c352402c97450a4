"""One server of tools, kept connected for all bots of its workspace.

    down ──connect──▶ list ──▶ up ◀──▶ list again: it says so, or a call went wrong, or `refresh` was called
     ▲                 │        │
     └── wait, longer each time ┴── it is gone, or does not answer

Rules: it never raises and never ends by itself; while it is down its tools are off and why is told, once; a call is
made on the connection of its moment and always ends, in words; what the server's own secrets are is struck out of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from runner.bots import ToolServer
from runner.clock import Clock
from runner.ports.observer import Observer, ToolServerChanged, ToolServerSaid
from runner.ports.tool_servers import ServedTool, ToolAnswer, ToolServerState
from runner.tool_servers.link import Link, Lost, Opener, Signals
from runner.tool_servers.listing import Listing, listed

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
OPEN_S = 60.0
"""How long connecting may take: a program may fetch itself first."""
LIST_S = 30.0
"""A server that lists no tools for so long hangs."""
CHANGES_APART_S = 1.0
"""A server that always has other tools is not read more often."""
MOST_CALLS = 32
"""At a time, of all bots; others wait, within their own time."""
LONGEST_LINE = 1000
SHORTEST_SECRET = 8
_MAYBE = "It may or may not have taken effect."


class ToolConnection:
    """A `runner.ports.tool_servers.ToolSource` that is kept by its own task, `run`.

    Args:
        bots: who has it now.
    """

    def __init__(
        self,
        workspace: str,
        server: ToolServer,
        opener: Opener,
        clock: Clock,
        observer: Observer,
        bots: Callable[[], tuple[str, ...]],
    ) -> None:
        self._workspace = workspace
        self._server = server
        self._opener = opener
        self._clock = clock
        self._observer = observer
        self._bots = bots
        self._link: Link | None = None
        self._listing = Listing()
        self._why = "it is not connected yet"
        self._lost = ""
        self._wake = asyncio.Event()
        self._turnstile = asyncio.Semaphore(MOST_CALLS)
        self.tried = asyncio.Event()
        """Whether it was up or down once."""

    @property
    def name(self) -> str:
        """The server's."""
        return self._server.name

    @property
    def tools(self) -> tuple[ServedTool, ...]:
        """Those that can be called now."""
        return self._listing.tools

    @property
    def trouble(self) -> str:
        """Why they cannot be."""
        return self._why

    @property
    def state(self) -> ToolServerState:
        """How it is now."""
        told = "; ".join(part for part in (self._why, *self._listing.remarks) if part)
        return ToolServerState(self._workspace, self.name, tuple(tool.tool for tool in self.tools), told)

    def refresh(self) -> None:
        """Have the tools read again soon; they are remembered until then."""
        self._wake.set()

    async def run(self) -> None:
        """Keep it connected until cancelled."""
        wait = FIRST_WAIT_S
        while True:
            begun = self._clock.monotonic()
            try:
                await self._connected()
            except asyncio.CancelledError:
                if _is_cancelled():
                    raise
                why = "its connection broke"
            except Exception as error:  # noqa: BLE001 - a server's fault must not end anything of ours
                why = in_words(error)
            self._down(self._lost or why)
            if self._clock.monotonic() - begun > LONGEST_WAIT_S:
                wait = FIRST_WAIT_S
            await self._clock.sleep(wait)
            wait = min(LONGEST_WAIT_S, wait * 2)

    async def call(self, tool: str, arguments: Mapping[str, Any], timeout_s: float) -> ToolAnswer:
        """Call a tool; it ends within `timeout_s` seconds and the server's own limit."""
        limit = min(self._server.timeout_s, timeout_s)
        link = self._link
        if link is None:
            return ToolAnswer(ok=False, text=f"The tool server {self.name} cannot be used now: {self._why}.")
        try:
            async with asyncio.timeout(limit), self._turnstile:
                answer = await link.call(tool, arguments)
        except TimeoutError:
            self.refresh()
            return ToolAnswer(ok=False, text=f"The tool did not answer within {limit:g} seconds. {_MAYBE}")
        except Exception as error:  # noqa: BLE001 - whatever a server makes its library raise
            self.refresh()
            return ToolAnswer(ok=False, text=f"The call failed: {in_words(error)}. {_MAYBE}")
        return ToolAnswer(answer.ok, struck_out(answer.text, self._server), answer.cut)

    async def _connected(self) -> None:
        """Connect and stay so. Raises Lost and more at the end."""
        self._lost = ""
        self._wake.clear()
        opening = asyncio.timeout(OPEN_S)
        async with opening, self._opener.open(self._server, self._signals()) as link:
            opening.reschedule(None)
            while True:
                self._wake.clear()
                async with asyncio.timeout(LIST_S):
                    offered = await link.offers()
                self._up(link, listed(self._server, offered))
                await self._wake.wait()
                if self._lost:
                    raise Lost(self._lost)
                await self._clock.sleep(CHANGES_APART_S)

    def _signals(self) -> Signals:
        def lost(why: str) -> None:
            self._lost = self._lost or why
            self._wake.set()

        def said(line: str) -> None:
            told = struck_out(line[:LONGEST_LINE], self._server)
            self._observer.note(ToolServerSaid(self._workspace, self.name, told))

        return Signals(self.refresh, lost, said)

    def _up(self, link: Link, listing: Listing) -> None:
        news = self._link is None or listing != self._listing
        self._link, self._listing, self._why = link, listing, ""
        if news:
            self._tell("degraded" if listing.remarks else "up", "; ".join(listing.remarks))
        self.tried.set()

    def _down(self, why: str) -> None:
        why = struck_out(why, self._server)
        news = self._link is not None or why != self._why
        self._link, self._listing, self._why = None, Listing(), why
        if news:
            self._tell("down", why)
        self.tried.set()

    def _tell(self, state: str, why: str) -> None:
        tools = len(self._listing.tools)
        self._observer.note(
            ToolServerChanged(self._workspace, self.name, state, tools, why, tuple(self._bots()))
        )


def in_words(error: BaseException) -> str:
    """What went wrong, as a sentence part; of what libraries say only the kind is told, for they quote addresses."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    match error:
        case Lost():
            return str(error)
        case TimeoutError():
            return "it did not answer in time"
        case _ if "Connect" in type(error).__name__:
            return "it could not be reached"
        case _:
            return f"it could not be spoken to ({type(error).__name__})"


def struck_out(text: str, server: ToolServer) -> str:
    """The text without what the server's `env`, `headers` and `url` hold, where that may be a secret by its length."""
    values = [value.reveal() for value in (*server.env.values(), *server.headers.values())]
    parts = {part for value in values for part in (value, *value.split())}
    if server.url is not None:
        parts.add(server.url.reveal())
    for secret in sorted(parts, key=len, reverse=True):
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, "***")
    return text


def _is_cancelled() -> bool:
    """Whether it is this task that is to end; a library may let the end of one of its own tasks out."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
