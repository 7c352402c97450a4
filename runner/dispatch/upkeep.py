"""Forgets what is over: finished messages, sent parts, idle conversations, kept answers and shared values.

Rules: a finished message is remembered for `DEDUPE_DAYS`, longer than any platform brings one again; a
conversation for as long as the operator keeps them; the ledger for ever. A failing store is asked again the
next time.
"""

from __future__ import annotations

from collections.abc import Callable

from runner.clock import MS_PER_DAY, Clock
from runner.errors import StoreError
from runner.ports.observer import Fault, Observer
from runner.ports.stores import Store

DEDUPE_DAYS = 8
EVERY_S = 3600.0
FIRST_S = 60.0


class Upkeep:
    """Prunes the store now and then. `retention_days` is asked anew each time."""

    def __init__(
        self, store: Store, retention_days: Callable[[], int], clock: Clock, observer: Observer
    ) -> None:
        self._store = store
        self._retention_days = retention_days
        self._clock = clock
        self._observer = observer

    async def run(self) -> None:
        """For ever; the first time soon after a start, when it is no longer waited for."""
        await self._clock.sleep(FIRST_S)
        while True:
            now = self._clock.now_ms()
            try:
                await self._store.prune(
                    now - DEDUPE_DAYS * MS_PER_DAY, now - self._retention_days() * MS_PER_DAY, now
                )
                await self._store.values.drop_ended(now)
            except StoreError as error:
                self._observer.note(Fault("upkeep", str(error)))
            await self._clock.sleep(EVERY_S)
