"""What signals ask of the daemon.

SIGTERM, SIGINT   stop; the second one ends the process on the spot
SIGHUP            read bots.yaml again; one that comes during the start is heeded after it
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable


class Signals:
    """Heeds them from now on, on the running loop.

    Attributes:
        stop: set by the first signal to stop.
    """

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self._hangup: Callable[[str], None] | None = None
        self._early = False
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._asked_to_stop, number)
        loop.add_signal_handler(signal.SIGHUP, self._hung_up)

    def on_hangup(self, ask: Callable[[str], None]) -> None:
        """Whom to tell of SIGHUP, with its name; at once if there was one already."""
        self._hangup = ask
        if self._early:
            ask(signal.SIGHUP.name)

    def _asked_to_stop(self, number: signal.Signals) -> None:
        if self.stop.is_set():
            os._exit(128 + number)
        self.stop.set()

    def _hung_up(self) -> None:
        if self._hangup is None:
            self._early = True
        else:
            self._hangup(signal.SIGHUP.name)
