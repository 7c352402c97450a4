"""Whoever reads bots.yaml again, in a test's hands."""

from __future__ import annotations

from runner.clock import UnixMs
from runner.ports.reloads import ConfigState, Reloaded, Unusable


class FakeReloads:
    """A `runner.ports.reloads.Reloads`.

    Attributes:
        state: how it stands with the file.
        outcome: what the next reloads bring.
        reasons: who asked.
    """

    def __init__(self, outcome: Reloaded | Unusable | None = None) -> None:
        self.state = ConfigState(UnixMs(0))
        self.outcome = outcome or Reloaded()
        self.reasons: list[str] = []

    async def reload(self, reason: str) -> Reloaded | Unusable:
        """Take note."""
        self.reasons.append(reason)
        return self.outcome
