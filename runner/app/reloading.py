"""bots.yaml is read again: by a signal, by a command, by the admin API, or because it changed.

    asked ─▶ read (a thread) ─▶ faulty?  told once, nothing changes, the last good one goes on
      ▲                          │ good
      └── asked meanwhile        └─▶ difference ─▶ applied ─▶ whoever asked is answered

Rules: one at a time, and once for all who asked before the file was read, so that a burst is one reload and
the last state of the file always wins; whoever asked is answered when it is in force; a fault is told once, and
again only when it is another one; nothing that goes wrong here ends the daemon. What is laid over the file (on a
fleet: caps that were set by hand) may be `renewed` without reading it, also while it is faulty.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from runner.app.in_force import InForce
from runner.clock import Clock
from runner.config.problems import Problems
from runner.config.reload import Difference, difference
from runner.config.settings import Loaded, Settings
from runner.errors import OperatorError, StoreError
from runner.ports.notifier import Notifier
from runner.ports.observer import ConfigRefused, ConfigReloaded, Fault, Observer
from runner.ports.reloads import ConfigState, Reloaded, Unusable

Mark: TypeAlias = tuple[int, int, int, int] | None
"""Which state of the file it is: another device, inode, time or size is another state. None: there is no file."""
Apply: TypeAlias = Callable[[Settings, Difference], Awaitable[None]]
Waiting: TypeAlias = list[asyncio.Future[Reloaded | Unusable]]

STOPPING = Unusable(("the daemon is stopping",))


def mark_of(path: Path) -> Mark:
    """The file's state now; links are followed."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


async def _as_it_is(read: Settings) -> Settings:
    return read


@dataclass(frozen=True, slots=True)
class Reading:
    """How the file becomes settings.

    Attributes:
        load: as `config.loader.load`, of this daemon's file; called in a thread.
        laid_over: what it says, with what is said elsewhere.
    """

    path: Path
    load: Callable[[], Loaded | Problems]
    laid_over: Callable[[Settings], Awaitable[Settings]] = _as_it_is


class Reloader:
    """Reads the file again and has it applied. A `runner.ports.reloads.Reloads`.

    Args:
        apply: puts the difference in force; called for an empty one, too.
        mark: the file's state before it was read at the start.

    Attributes:
        mark: the file's state before it was read the last time.
        store_was_away: the last reload needed the store, and could not reach it: worth another try.
    """

    def __init__(
        self,
        reading: Reading,
        apply: Apply,
        in_force: InForce,
        clock: Clock,
        observer: Observer,
        mark: Mark,
    ) -> None:
        self._reading = reading
        self._apply = apply
        self._in_force = in_force
        self._clock = clock
        self._observer = observer
        self._asked = asyncio.Event()
        self._reasons: dict[str, None] = {}
        self._to_read = False
        self._waiting: Waiting = []
        self._renewals: Waiting = []
        self._stopped = False
        self.mark = mark
        self.store_was_away = False
        self.state = ConfigState(clock.now_ms())

    @property
    def fault(self) -> tuple[str, ...] | None:
        """What is wrong with the file as it is now; None: nothing."""
        return self.state.fault

    def ask(self, reason: str) -> None:
        """Read it as soon as may be; nobody waits for it."""
        self._to_read = True
        self._wake(reason)

    async def reload(self, reason: str) -> Reloaded | Unusable:
        """Read it and wait until it is in force, or is known not to be."""
        self._to_read = True
        return await self._answered(self._waiting, reason)

    async def renew(self, reason: str) -> Reloaded | Unusable:
        """Put in force what is laid over the file now, and wait until it is; the file is not read for that."""
        return await self._answered(self._renewals, reason)

    async def run(self, notifier: Notifier) -> None:
        """Do what is asked, until cancelled."""
        waiting: Waiting = []
        renewals: Waiting = []
        try:
            while True:
                await self._asked.wait()
                self._asked.clear()
                reason, self._reasons = ", ".join(self._reasons), {}
                to_read, self._to_read = self._to_read, False
                waiting, self._waiting = self._waiting, []
                renewals, self._renewals = self._renewals, []
                outcome: Reloaded | Unusable | None = None
                if to_read:
                    notifier.reloading()
                    outcome = await self._reloaded(reason)
                    notifier.ready()
                    _answer(waiting, outcome)
                if renewals and not isinstance(outcome, Reloaded):
                    outcome = await self._renewed(reason)
                if outcome is not None:
                    _answer(renewals, outcome)
        finally:
            self._stopped = True
            _answer([*waiting, *renewals, *self._waiting, *self._renewals], STOPPING)

    def _wake(self, reason: str) -> None:
        self._reasons[reason] = None
        self._asked.set()

    async def _answered(self, waiting: Waiting, reason: str) -> Reloaded | Unusable:
        if self._stopped:
            return STOPPING
        answer: asyncio.Future[Reloaded | Unusable] = asyncio.get_running_loop().create_future()
        waiting.append(answer)
        self._wake(reason)
        return await answer

    async def _reloaded(self, reason: str) -> Reloaded | Unusable:
        path = self._reading.path
        try:
            self.store_was_away = False
            self.mark = await asyncio.to_thread(mark_of, path)
            loaded = await asyncio.to_thread(self._reading.load)
            if isinstance(loaded, Problems):
                return self._refused(tuple(map(str, loaded.problems)))
            return await self._taken(loaded, reason)
        except (OperatorError, StoreError) as error:
            self.store_was_away = isinstance(error, StoreError)
            return self._refused((f"{path}: {error}",))
        except Exception as error:  # noqa: BLE001 - our own fault with one state of the file must not end the daemon
            self._observer.note(Fault("reload", repr(error), error=error))
            return self._refused((f"{path}: a fault of botrunner's own: {type(error).__name__}",))

    async def _renewed(self, reason: str) -> Reloaded | Unusable:
        try:
            done = await self._applied(self._in_force.file, ())
        except Exception as error:  # noqa: BLE001 - as above
            self._observer.note(Fault("reload", repr(error), error=error))
            return Unusable((f"it is not in force: {type(error).__name__}",))
        if not done.is_empty:
            self._observer.note(ConfigReloaded(reason, done))
        return done

    async def _taken(self, loaded: Loaded, reason: str) -> Reloaded:
        before = self.state
        done = await self._applied(loaded.settings, tuple(map(str, loaded.warnings)))
        self.state = ConfigState(self._clock.now_ms(), None, done.needs_restart)
        if not done.is_empty or before.fault is not None or before.needs_restart != done.needs_restart:
            self._observer.note(ConfigReloaded(reason, done))
        return done

    async def _applied(self, file: Settings, warnings: tuple[str, ...]) -> Reloaded:
        settings = await self._reading.laid_over(file)
        found = difference(self._in_force.settings, settings)
        await self._apply(settings, found)
        self._in_force.file = file
        return _told(found, warnings)

    def _refused(self, problems: tuple[str, ...]) -> Unusable:
        before, self.state = self.state, ConfigState(self.state.loaded_at, problems, self.state.needs_restart)
        if before.fault != problems:
            self._observer.note(ConfigRefused(problems))
        return Unusable(problems)


def _told(found: Difference, warnings: tuple[str, ...]) -> Reloaded:
    return Reloaded(
        added=found.added,
        removed=found.removed,
        changed=tuple(change.bot for change in found.changed),
        reconnected=tuple(change.bot for change in found.changed if change.channels),
        sections=found.sections,
        needs_restart=found.needs_restart,
        warnings=warnings,
    )


def _answer(waiting: Waiting, outcome: Reloaded | Unusable) -> None:
    for answer in waiting:
        if not answer.done():
            answer.set_result(outcome)
