"""Small values that all daemons of a store share: caps that were set by hand, secrets, one-time links, sign-outs.

Rules: a key is a path of at most 300 characters, `cap/shop`, its first part whose it is; a value is a text of at most
100,000 that a store does not look into; a value whose end is over is not there.
"""

from __future__ import annotations

from typing import Protocol

LONGEST_KEY = 300
LONGEST_VALUE = 100_000


class SharedValues(Protocol):
    """`Store.values` is one. Times in Unix ms."""

    async def value(self, key: str, now_ms: int) -> str | None:
        """What stands there; None: nothing."""

    async def values(self, prefix: str, now_ms: int) -> dict[str, str]:
        """All whose key begins so, by key."""

    async def put(self, key: str, value: str, now_ms: int, ends_ms: int | None = None) -> None:
        """Write it, in place of what was there. MUST raise ValueError where it is too long."""

    async def put_new(self, key: str, value: str, now_ms: int, ends_ms: int | None = None) -> str:
        """Write it where nothing stands; returns what stands there now, whoever wrote it."""

    async def drop(self, key: str) -> bool:
        """Forget it; False where there was nothing."""

    async def drop_ended(self, now_ms: int) -> int:
        """Forget those whose end is over; how many."""


def check_length(key: str, value: str) -> None:
    """Raise ValueError where one of them is too long; for whoever keeps them."""
    if len(key) > LONGEST_KEY or len(value) > LONGEST_VALUE:
        raise ValueError(f"a shared value has at most {LONGEST_VALUE} characters, its key {LONGEST_KEY}")
