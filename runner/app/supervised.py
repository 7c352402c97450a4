"""Under a service manager: it is told that the daemon is ready, how it is, that its loop goes round, and its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from runner.app.parts import Daemon
from runner.clock import MS_PER_DAY
from runner.money.amounts import Money
from runner.ports.books import LedgerFilter
from runner.telemetry.status_line import BotState, StatusLine, status_text
from runner.telemetry.systemd import Supervised


@asynccontextmanager
async def announced(daemon: Daemon, by: Supervised) -> AsyncIterator[None]:
    """Around the work of a daemon that serves: ready at the beginning, stopping at the end."""
    if by.nobody:
        yield
        return

    async def tell() -> str:
        return await _line(daemon)

    line = StatusLine(by.notifier, daemon.site.clock, tell)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(line.run(), name="status line")]
        if by.watchdog is not None:
            tasks.append(group.create_task(by.watchdog.run(), name="watchdog"))
        by.notifier.ready()
        try:
            yield
        finally:
            by.notifier.stopping()
            for task in tasks:
                task.cancel()
    by.notifier.status("ending the turns that are running")


async def _line(daemon: Daemon) -> str:
    now = daemon.site.clock.now_ms()
    midnight = now - now % MS_PER_DAY
    today = await daemon.store.usage(LedgerFilter(from_ms=midnight, to_ms=midnight + MS_PER_DAY), ["day"])
    states = [
        BotState(bot_id, connection.state, connection.why)
        for bot_id in daemon.roster.bot_ids()
        for connection in daemon.roster.connections(bot_id)
    ]
    fault = daemon.reloader.fault
    trouble = (
        ""
        if fault is None
        else f"bots.yaml cannot be used ({len(fault)} problems): the last good one goes on"
    )
    return status_text(states, Money(sum(day.cost for day in today)), trouble)
