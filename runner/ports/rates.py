"""How many messages a minute, counted for all daemons of a store together.

Rule: never more than the limit in any sixty seconds (a sliding log, exact), whoever counts; what is counted by one
daemon counts for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

MINUTE_S = 60.0

Rate = tuple[str, int | None]
"""A key and how many messages a minute it may have; None: as many as there are."""


class Rates(Protocol):
    """Counts. `Store.rates` is one; None: a daemon counts for itself (`runner.dispatch.limits`)."""

    async def take_all(self, rates: Sequence[Rate]) -> float:
        """Count one message against each of these and return 0.0, or against none and return the wait in seconds.

        Raises StoreError: nothing was counted.
        """

    async def give_back(self, rates: Sequence[Rate], ago_s: float = 0.0) -> None:
        """A message came to nothing: the latest that was counted against these at least `ago_s` seconds ago.

        (To take away a later one would make room too early.) MAY do nothing where the store fails: then it counts.
        """
