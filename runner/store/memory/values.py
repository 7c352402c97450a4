"""Shared values in memory. A `runner.ports.sharing.SharedValues`."""

from __future__ import annotations

from runner.ports.sharing import LONGEST_KEY, LONGEST_VALUE


class MemoryValues:
    """A mapping whose entries may end."""

    def __init__(self) -> None:
        self._values: dict[str, tuple[str, int | None]] = {}

    async def value(self, key: str, now_ms: int) -> str | None:
        """As the port says."""
        return (await self.values(key, now_ms)).get(key)

    async def values(self, prefix: str, now_ms: int) -> dict[str, str]:
        """As the port says."""
        return {
            key: value
            for key, (value, ends_ms) in sorted(self._values.items())
            if key.startswith(prefix) and (ends_ms is None or ends_ms > now_ms)
        }

    async def put(self, key: str, value: str, now_ms: int, ends_ms: int | None = None) -> None:
        """As the port says."""
        if len(key) > LONGEST_KEY or len(value) > LONGEST_VALUE:
            raise ValueError("a shared value, or its key, is too long")
        self._values[key] = (value, ends_ms)

    async def put_new(self, key: str, value: str, now_ms: int, ends_ms: int | None = None) -> str:
        """As the port says."""
        there = await self.value(key, now_ms)
        if there is None:
            await self.put(key, value, now_ms, ends_ms)
        return value if there is None else there

    async def drop(self, key: str) -> bool:
        """As the port says."""
        return self._values.pop(key, None) is not None

    async def drop_ended(self, now_ms: int) -> int:
        """As the port says."""
        ended = [
            key for key, (_, ends_ms) in self._values.items() if ends_ms is not None and ends_ms <= now_ms
        ]
        for key in ended:
            del self._values[key]
        return len(ended)
