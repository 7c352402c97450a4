"""Sees that bots.yaml is another file than the one that was read, and asks for a reload.

Rules: it is the folder that is watched, for editors put a new file in the old one's place, and whoever mounts
configuration exchanges a link further up; whatever happens there, only the file's own state counts. That state
is also looked at every `LOOK_S`, so that nothing is missed where a file system tells nothing, and a watch that
cannot be had only makes it slower. `reload: off` in force: nothing is asked.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from runner.app.in_force import InForce
from runner.app.reloading import Mark, mark_of
from runner.clock import Clock
from runner.ports.observer import Fault, Observer

LOOK_S = 5.0
QUIET_MS = 100
"""So long nothing may happen before it is looked at: a file is written in several steps."""
LONGEST_MS = 1600
REASON = "the file changed"


class Reader(Protocol):
    """Who reads the file: a `reloading.Reloader`."""

    @property
    def mark(self) -> Mark:
        """The file's state before it was read the last time."""

    def ask(self, reason: str) -> None:
        """Read it as soon as may be."""


class FileWatch:
    """Watches one file."""

    def __init__(
        self,
        path: Path,
        reader: Reader,
        in_force: InForce,
        clock: Clock,
        observer: Observer,
        look_s: float = LOOK_S,
    ) -> None:
        self._path = path.absolute()
        self._reader = reader
        self._look_s = look_s
        self._in_force = in_force
        self._clock = clock
        self._observer = observer
        self._told = ""

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._watch(self._folders())
            except (
                OSError,
                RuntimeError,
            ) as error:  # the folder is gone, or the system's watches are used up
                self._tell(f"{self._path.parent} cannot be watched: {error}")
                await self._clock.sleep(self._look_s)
                self._look()

    async def _watch(self, folders: list[str]) -> None:
        """Watch these folders as long as the file is in them."""
        from watchfiles import awatch  # noqa: PLC0415 - the start need not wait for it

        async for _ in awatch(
            *folders,
            watch_filter=None,
            debounce=LONGEST_MS,
            step=QUIET_MS,
            rust_timeout=int(self._look_s * 1000),
            yield_on_timeout=True,
            recursive=False,
        ):
            self._look()
            if self._folders() != folders:
                return

    def _look(self) -> None:
        if self._in_force.settings.reload and mark_of(self._path) != self._reader.mark:
            self._reader.ask(REASON)

    def _folders(self) -> list[str]:
        """Where the file stands, and where it really is."""
        return sorted({str(self._path.parent), str(self._path.resolve().parent)})

    def _tell(self, why: str) -> None:
        if why != self._told:
            self._told = why
            self._observer.note(Fault("file watch", why))
