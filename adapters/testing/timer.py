"""A timer for tests of adapters: waits are noted, take a millisecond, and count as long as they were asked for."""

from __future__ import annotations

import asyncio


class QuickTimer:
    """A `Timer`. `slept` holds every wait that was asked for, in seconds."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self._now = 1000.0
        self._asked = asyncio.Event()

    def monotonic(self) -> float:
        """Seconds, moved on by sleeping alone."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Let the others run for a moment, then be that much later."""
        self.slept.append(seconds)
        self._asked.set()
        self._asked = asyncio.Event()
        passed = asyncio.Event()
        asyncio.get_running_loop().call_later(0.001, passed.set)
        await passed.wait()
        self._now += seconds

    async def waits(self, count: int) -> None:
        """Wait until that many waits were asked for in all."""
        while len(self.slept) < count:
            await self._asked.wait()
