"""Pages that are open at one daemon of a fleet follow what the others do."""

import asyncio

from runner.app.fleet import SHOWN_AFTER_S, showing
from runner.testing.clock import ManualClock
from runner.web.live import Changes


async def test_an_open_page_looks_again_though_nothing_happened_here() -> None:
    clock, changes = ManualClock(), Changes()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(showing(changes, clock))
        for _ in range(2):
            looking = group.create_task(changes.after(changes.number))
            await clock.asleep()
            assert not looking.done()
            clock.advance(SHOWN_AFTER_S)
            await looking
        running.cancel()
