"""Who supervises the daemon from outside and wants to hear how it is: systemd, or nobody."""

from __future__ import annotations

from typing import Protocol


class Notifier(Protocol):
    """Is told of the daemon's life. MUST be cheap, MUST NOT block, MUST NOT raise; MAY be told the same twice."""

    def ready(self) -> None:
        """It serves: after the start, and again when a reload is over, well or not."""

    def reloading(self) -> None:
        """A reload begins; `ready` tells its end."""

    def stopping(self) -> None:
        """It takes nothing more in and ends what it is doing."""

    def status(self, text: str) -> None:
        """One line for a person: how it is now. Never a secret."""
