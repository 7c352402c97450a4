"""One observer for several: each is told, in order."""

from __future__ import annotations

from runner.ports.observer import Event, Observer


class Everyone:
    """Tells all of them. None of them may raise, as the port says."""

    def __init__(self, observers: tuple[Observer, ...]) -> None:
        self._observers = observers

    def note(self, event: Event) -> None:
        """Something happened."""
        for observer in self._observers:
            observer.note(event)
