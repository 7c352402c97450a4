"""An observer that remembers what it was told, and waits for it by event."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from runner.ports.observer import Event

E = TypeVar("E", bound=Event)


class RecordingObserver:
    """Keeps every event, in order, in `events`."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._changed = asyncio.Event()

    def note(self, event: Event) -> None:
        """Remember it."""
        self.events.append(event)
        self._changed.set()
        self._changed = asyncio.Event()

    def of(self, kind: type[E]) -> list[E]:
        """The events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, kind: type[E], count: int = 1) -> list[E]:
        """Wait until there are at least that many of a kind; returns them."""
        while len(self.of(kind)) < count:
            await self._changed.wait()
        return self.of(kind)
