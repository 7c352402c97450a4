"""The loop's lag: what is measured is how much too late a sleeper wakes."""

import asyncio

from runner.telemetry.lag import EVERY_S, REMEMBERED, LoopLag
from runner.testing.clock import ManualClock


async def test_the_worst_of_the_last_wakings() -> None:
    clock = ManualClock()
    lag = LoopLag(clock)
    assert lag.worst_ms == 0.0
    async with asyncio.TaskGroup() as tasks:
        measuring = tasks.create_task(lag.run())
        for late_s, worst_ms in ((0.0, 0.0), (0.25, 250.0), (0.1, 250.0)):
            await clock.asleep()
            clock.advance(EVERY_S + late_s)
            await clock.asleep()
            assert round(lag.worst_ms, 6) == worst_ms
        for _ in range(REMEMBERED):
            await clock.asleep()
            clock.advance(EVERY_S)
        await clock.asleep()
        assert round(lag.worst_ms, 6) == 0.0, "what is long ago is forgotten"
        measuring.cancel()


async def test_a_sleeper_that_has_yet_to_wake_is_late_already() -> None:
    clock = ManualClock()
    lag = LoopLag(clock)
    async with asyncio.TaskGroup() as tasks:
        measuring = tasks.create_task(lag.run())
        await clock.asleep()
        clock.advance(EVERY_S + 2.0)
        assert round(lag.worst_ms, 6) == 2000.0, "whoever runs before the sleeper sees it too"
        measuring.cancel()
