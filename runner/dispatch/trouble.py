"""A store that fails again and again is told once, until it works again."""

from __future__ import annotations

from runner.errors import BotrunnerError
from runner.ports.observer import Fault, Observer


class Trouble:
    """What one who asks the store again and again has to tell of it. `where`: as in `Fault`."""

    __slots__ = ("_lasts", "_observer", "_where")

    def __init__(self, where: str, observer: Observer) -> None:
        self._where = where
        self._observer = observer
        self._lasts = False

    def begins(self, error: BotrunnerError, about: str = "") -> None:
        """It failed; nothing is told where it did so the last time, too."""
        if not self._lasts:
            self._observer.note(Fault(self._where, f"{about}: {error}" if about else str(error)))
        self._lasts = True

    def ends(self) -> None:
        """It worked."""
        self._lasts = False
