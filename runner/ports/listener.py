"""Who wants to hear an answer while it comes."""

from __future__ import annotations

from typing import Protocol


class Listener(Protocol):
    """Hears one turn's answer. MUST be cheap, MUST NOT raise."""

    def begin(self) -> None:
        """A new attempt or step begins: what was heard before is not the answer."""

    def hear(self, piece: str) -> None:
        """The next piece of text."""
