"""The start of a daemon whose database may not be there yet, as when a whole machine starts at once.

Rule: what cannot be reached is waited for, for `PATIENCE_S`; then the start fails and whoever manages the service tries
again. A database that is there and refuses us is not waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from runner.clock import Clock
from runner.errors import StoreError, StoreRefused
from runner.store.catalogue import open_values
from runner.store.postgres.address import is_postgres

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

T = TypeVar("T")
PATIENCE_S = 60.0
AGAIN_S = 0.5


def with_patience(work: Callable[[], T], clock: Clock, logger: FilteringBoundLogger) -> T:
    """Do something that needs the store, again and again while it cannot be reached. Blocks.

    Raises:
        StoreError: it could not be reached in all that time, or refused us.
    """
    end, told = clock.monotonic() + PATIENCE_S, ""
    while True:
        try:
            return work()
        except StoreRefused:
            raise
        except StoreError as error:
            if clock.monotonic() >= end:
                raise
            if str(error) != told:
                told = str(error)
                logger.warning("waiting for the store", why=told)
        asyncio.run(clock.sleep(AGAIN_S))


def reach(url: str, clock: Clock) -> None:
    """See whether a store that is elsewhere lets us in; one of this machine is not looked at. Raises StoreError."""

    async def once() -> None:
        async with open_values(url, clock):
            return

    if is_postgres(url):
        asyncio.run(once())
