"""Server-sent events, as model servers write them. Pure.

Rule: only `data:` lines count, one an event: both protocols repeat the event's name inside its JSON, and
neither breaks a JSON over lines.
"""

from __future__ import annotations


class DataLines:
    """Cuts a stream of bytes into the values of its `data:` lines."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Take more bytes; returns the values of the lines that are whole now."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [line[5:].strip() for line in lines if line.startswith(b"data:")]
