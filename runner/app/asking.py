"""Asks tool servers, once, what they offer: for `check --online`, without a daemon."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runner.bots import Bot, ToolServer
from runner.clock import Clock
from runner.ports.tool_servers import ServedTool
from runner.tool_servers.connection import in_words, struck_out
from runner.tool_servers.link import Place, Signals
from runner.tool_servers.listing import listed
from runner.tool_servers.opening import SdkOpener

ANSWER_WITHIN_S = 60.0
"""A program may fetch itself first."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a server said: its tools, or what is wrong. `bots`: who would have them."""

    server: str
    bots: tuple[str, ...]
    tools: tuple[ServedTool, ...]
    wrong: str


async def ask_servers(
    bots: tuple[Bot, ...], folder: Path, environ: Mapping[str, str], clock: Clock
) -> list[Offer]:
    """Ask each server of the enabled bots' workspaces, all at once.

    Args:
        folder: of bots.yaml; programs are started there.
    """
    owners: dict[str, list[str]] = {}
    servers: dict[str, ToolServer] = {}
    asked = [(bot, bot.workspace) for bot in bots if bot.enabled and bot.workspace is not None]
    for bot, workspace in asked:
        for server in workspace.servers:
            name = f"{workspace.name}/{server.name}"
            servers[name] = server
            owners.setdefault(name, []).append(bot.id)
    opener = SdkOpener(Place(folder, environ, clock))
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_ask(opener, name, server, tuple(owners[name])), name=f"ask {name}")
            for name, server in servers.items()
        ]
    return [task.result() for task in tasks]


async def _ask(opener: SdkOpener, name: str, server: ToolServer, bots: tuple[str, ...]) -> Offer:
    lost: list[str] = []
    signals = Signals(changed=lambda: None, lost=lost.append, said=lambda _: None)
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S), opener.open(server, signals) as link:
            found = listed(server, await link.offers())
    except Exception as error:  # noqa: BLE001 - whatever a server makes its library raise
        wrong = struck_out(lost[0] if lost else in_words(error), server)
        return Offer(name, bots, (), wrong)
    return Offer(name, bots, found.tools, "; ".join(found.remarks))
