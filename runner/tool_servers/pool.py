"""All servers of tools that bots have now: a connection for each server of each workspace, a task for each connection.

    tool servers
      ├─ tool server shop/orders    kept until it is no bot's any more
      ├─ …
      └─ refresh                    what the servers offer is read again every `REFRESH_S`

Rules: bots of one workspace share its connections; a server that is written otherwise is another connection, so a
reload touches only what changed; a connection that nobody has any more goes on until the turns that began with it have
ended. Nothing of the protocol's library is loaded before there is a server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass

from runner.bots import Bot, ToolServer
from runner.clock import Clock
from runner.ports.observer import Observer
from runner.ports.tool_servers import ToolServerState, ToolSource
from runner.tool_servers.connection import ToolConnection
from runner.tool_servers.link import Opener

REFRESH_S = 300.0
FIRST_TRY_S = 5.0
"""How long a start waits for servers that are slow."""


@dataclass(slots=True, eq=False)
class _Kept:
    """A connection, whose it is now, and its task while it has one."""

    workspace: str
    server: ToolServer
    bots: tuple[str, ...] = ()
    task: asyncio.Task[None] | None = None


class ToolServers:
    """Keeps the connections; `run` owns their tasks."""

    def __init__(self, opener: Opener, clock: Clock, observer: Observer) -> None:
        self._opener = opener
        self._clock = clock
        self._observer = observer
        self._kept: dict[ToolConnection, _Kept] = {}
        self._group: asyncio.TaskGroup | None = None

    def sources(self, bot: Bot) -> tuple[ToolSource, ...]:
        """The bot's servers, by name. They are connected once `change` has heard of the bot."""
        return self._connections(bot)

    def change(self, bots: Collection[Bot], ended: Callable[[str], Awaitable[None]]) -> None:
        """From now on these bots have servers, and no others.

        Args:
            ended: waits until the turns of a bot that are running now have ended.
        """
        before = {connection: kept.bots for connection, kept in self._kept.items()}
        owners: dict[ToolConnection, tuple[str, ...]] = {}
        for bot in bots:
            for connection in self._connections(bot):
                owners[connection] = (*owners.get(connection, ()), bot.id)
        gone = {connection: kept for connection, kept in self._kept.items() if connection not in owners}
        self._kept = {connection: self._kept[connection] for connection in owners}
        for connection, names in owners.items():
            self._kept[connection].bots = names
        if self._group is None:
            return
        for connection, kept in gone.items():
            if kept.task is not None:
                leaving = _see_off(kept.task, before[connection], ended)
                self._group.create_task(leaving, name=f"leaving {kept.task.get_name()}")
        self._begin(self._group)

    async def run(self) -> None:
        """Keep all connections until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                self._begin(group)
                while True:
                    await self._clock.sleep(REFRESH_S)
                    for connection in self._kept:
                        connection.refresh()
            finally:
                self._group = None

    async def tried(self) -> None:
        """Wait until each was up or down once, at most `FIRST_TRY_S`: a first message should find its tools."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_TRY_S):
                for connection in tuple(self._kept):
                    await connection.tried.wait()

    def states(self) -> tuple[ToolServerState, ...]:
        """How each is now."""
        return tuple(connection.state for connection in self._kept)

    def _begin(self, group: asyncio.TaskGroup) -> None:
        for connection, kept in self._kept.items():
            if kept.task is None:
                name = f"tool server {kept.workspace}/{kept.server.name}"
                kept.task = group.create_task(connection.run(), name=name)

    def _connections(self, bot: Bot) -> tuple[ToolConnection, ...]:
        workspace = bot.workspace
        if workspace is None:
            return ()
        servers = sorted(workspace.servers, key=lambda server: server.name)
        return tuple(self._connection(workspace.name, server) for server in servers)

    def _connection(self, workspace: str, server: ToolServer) -> ToolConnection:
        """The connection to that server as it is written; made now if need be."""
        for connection, kept in self._kept.items():
            if (kept.workspace, kept.server) == (workspace, server):
                return connection
        kept = _Kept(workspace, server)
        connection = ToolConnection(
            workspace, server, self._opener, self._clock, self._observer, lambda: kept.bots
        )
        self._kept[connection] = kept
        return connection


async def _see_off(
    task: asyncio.Task[None], bots: Collection[str], ended: Callable[[str], Awaitable[None]]
) -> None:
    """End a connection once no turn needs it any more."""
    for bot in bots:
        await ended(bot)
    task.cancel()
