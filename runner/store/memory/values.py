"""Shared values in memory. A `runner.ports.sharing.SharedValues`."""

from __future__ import annotations

from collections.abc import Callable

from runner.ports.sharing import check_length


class MemoryValues:
    """A mapping whose entries may end. `begin`: called with each method's name first, may raise."""

    def __init__(
        self,
        begin: Callable[[str], None] = lambda _: None,
        values: dict[str, tuple[str, int | None]] | None = None,
    ) -> None:
        self._begin = begin
        self._values = {} if values is None else values

    def entered_by(self, begin: Callable[[str], None]) -> MemoryValues:
        """The same values, with another `begin`."""
        return MemoryValues(begin, self._values)

    async def value(self, key: str, now_ms: int) -> str | None:
        """As the port says."""
        self._begin("values.value")
        return self._standing(key, now_ms)

    async def values(self, prefix: str, now_ms: int) -> dict[str, str]:
        """As the port says."""
        self._begin("values.values")
        found = {key: self._standing(key, now_ms) for key in sorted(self._values) if key.startswith(prefix)}
        return {key: value for key, value in found.items() if value is not None}

    async def put(self, key: str, value: str, now_ms: int, ends_ms: int | None = None) -> None:
        """As the port says."""
        self._begin("values.put")
        check_length(key, value)
        self._values[key] = (value, ends_ms)

    async def put_new(self, key: str, value: str, now_ms: int, ends_ms: int | None = None) -> str:
        """As the port says."""
        self._begin("values.put_new")
        check_length(key, value)
        there = self._standing(key, now_ms)
        if there is None:
            self._values[key] = (value, ends_ms)
        return value if there is None else there

    async def drop(self, key: str) -> bool:
        """As the port says."""
        self._begin("values.drop")
        return self._values.pop(key, None) is not None

    async def drop_ended(self, now_ms: int) -> int:
        """As the port says."""
        self._begin("values.drop_ended")
        ended = [key for key in self._values if self._standing(key, now_ms) is None]
        for key in ended:
            del self._values[key]
        return len(ended)

    def _standing(self, key: str, now_ms: int) -> str | None:
        value, ends_ms = self._values.get(key, (None, None))
        return value if ends_ms is None or ends_ms > now_ms else None
