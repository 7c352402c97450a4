"""Shows that an answer is being made, once it takes a while.

Rule: nothing is shown for answers that come within `FIRST_S`: each show is a request to the platform and
counts against its limits. Showing never fails a turn.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self

from adapters.contract import Adapter
from adapters.messages import ChatRef

FIRST_S = 1.0


class Working:
    """A context in which the platform is told, again and again, that somebody is at work."""

    __slots__ = ("_adapter", "_chat", "_showing", "_tasks", "_timer")

    def __init__(self, adapter: Adapter | None, chat: ChatRef, tasks: asyncio.TaskGroup) -> None:
        self._adapter = adapter
        self._chat = chat
        self._tasks = tasks
        self._timer: asyncio.TimerHandle | None = None
        self._showing: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        """Start the clock."""
        if self._adapter is not None and self._adapter.capabilities.shows_working:
            self._timer = asyncio.get_running_loop().call_later(FIRST_S, self._show, self._adapter)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop showing."""
        if self._timer is not None:
            self._timer.cancel()
        if self._showing is not None:
            self._showing.cancel()

    def _show(self, adapter: Adapter) -> None:
        """Show now; the next time the clock rings, unless the last showing is still under way."""
        if self._showing is None or self._showing.done():
            self._showing = self._tasks.create_task(
                _quietly(adapter, self._chat), name=f"working {self._chat.id}"
            )
        again = adapter.capabilities.working_every_s
        self._timer = asyncio.get_running_loop().call_later(again, self._show, adapter)


async def _quietly(adapter: Adapter, chat: ChatRef) -> None:
    with suppress(Exception):  # a hint that did not come through is no news
        await adapter.show_working(chat)
