"""Tasks that live from a store's `open` to its `close`.

Rule: they never raise into the crew; `close` waits for them, so whoever closes tells them to end first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class Crew:
    """A task group that is entered by one call and left by another."""

    def __init__(self) -> None:
        self._group: asyncio.TaskGroup | None = None

    async def open(self) -> None:
        """From now on tasks may be started."""
        self._group = await asyncio.TaskGroup().__aenter__()

    def start(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Start a task."""
        if self._group is None:
            work.close()
            raise RuntimeError("the crew is not there")
        return self._group.create_task(work, name=name)

    async def close(self) -> None:
        """Wait until all have ended. Again: does nothing."""
        group, self._group = self._group, None
        if group is not None:
            await group.__aexit__(None, None, None)
