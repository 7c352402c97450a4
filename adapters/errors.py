"""What can go wrong between us and a platform.

AdapterError
├── UnreadableUpdate     one update could not be understood: kept, skipped, counted
├── RefusedConnection    the platform will not have us (bad token, revoked, not allowed): do not try again
└── Unreachable          the network or the platform is away: try again, later and later
"""

from __future__ import annotations


class AdapterError(Exception):
    """Anything that an adapter raises on purpose. Its text never holds a token."""


class UnreadableUpdate(AdapterError):
    """An update that the wire module cannot parse; the connection goes on without it."""


class RefusedConnection(AdapterError):
    """The platform refuses this bot for good; a person has to change something first."""


class Unreachable(AdapterError):
    """The platform cannot be reached now.

    Attributes:
        retry_after_s: seconds the platform asked us to wait; None where it did not say.
    """

    def __init__(self, why: str, retry_after_s: float | None = None) -> None:
        super().__init__(why)
        self.retry_after_s = retry_after_s
