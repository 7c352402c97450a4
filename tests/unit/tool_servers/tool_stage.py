"""A stage for tool servers: a pool that runs, on a clock in the test's hand, watched."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from ssl import SSLContext
from typing import Any

import runner.testing.tool_program
from runner.agent.served_tools import ServedToolbox
from runner.bots import Bot, Secret, ToolServer, Workspace
from runner.conversations.models import ToolCall, ToolResult
from runner.ports.observer import ToolServerChanged
from runner.testing.clock import ManualClock
from runner.testing.observer import RecordingObserver
from runner.testing.scenes import a_bot
from runner.tool_servers.link import Opener, Place
from runner.tool_servers.opening import SdkOpener
from runner.tool_servers.pool import ToolServers

PROGRAM = runner.testing.tool_program.__file__


def a_program(*habits: str, **changes: Any) -> ToolServer:
    """The faulty server, as a program."""
    command = (sys.executable, "-I", "-S", str(PROGRAM), *habits)
    return ToolServer(**{"name": "shop", "command": command, "timeout_s": 60.0, **changes})


def an_address(url: str, **changes: Any) -> ToolServer:
    return ToolServer(**{"name": "shop", "url": Secret(url), "timeout_s": 60.0, **changes})


def having(*servers: ToolServer, bot: str = "ada", workspace: str = "w") -> Bot:
    """A bot with these servers."""
    return a_bot(bot, workspace=Workspace(workspace, servers))


@dataclass(slots=True)
class Stage:
    pool: ToolServers
    clock: ManualClock
    observer: RecordingObserver
    running: set[str] = field(default_factory=set)
    """Bots whose turn runs on."""
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def ended(self, bot: str) -> None:
        if bot in self.running:
            await self.over.wait()

    def change(self, *bots: Bot) -> None:
        self.pool.change(bots, self.ended)

    def box(self, bot: Bot, cap: int = 16_000) -> ServedToolbox:
        return ServedToolbox(self.pool.sources(bot), cap)

    async def run(self, bot: Bot, tool: str, arguments: str = "{}", timeout_s: float = 60.0) -> ToolResult:
        return await self.box(bot).run(ToolCall("c", f"shop__{tool}", arguments), timeout_s)

    async def changes(self, count: int) -> list[ToolServerChanged]:
        """The first so many changes of a server's state."""
        return (await self.observer.until(ToolServerChanged, count))[:count]


@asynccontextmanager
async def staged(
    *bots: Bot,
    opener: Opener | None = None,
    environ: dict[str, str] | None = None,
    tls: SSLContext | None = None,
) -> AsyncIterator[Stage]:
    """A pool that keeps these bots' servers."""
    clock, observer = ManualClock(), RecordingObserver()
    pool = ToolServers(
        opener or SdkOpener(Place(Path(__file__).parent, environ or {}, clock, tls)), clock, observer
    )
    stage = Stage(pool, clock, observer)
    stage.change(*bots)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(pool.run())
        try:
            yield stage
        finally:
            running.cancel()
