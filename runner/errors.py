"""Errors that cross rooms.

BotrunnerError
├── OperatorError      something the person at the keyboard can mend; shown as one sentence, exit 1
├── StoreError         the store could not do it (disk full, locked, read-only); worth another try
│   ├── LaneLost      another daemon has had the lane meanwhile: what was begun in it is not ours any more
│   └── StoreRefused   the store must not be used as it is (newer schema, damaged, in use); not worth one
└── IllegalStep        a lifecycle's table does not allow this step: a bug; nothing was changed
"""

from __future__ import annotations


class BotrunnerError(Exception):
    """Anything raised on purpose. Its text never holds a secret."""


class OperatorError(BotrunnerError):
    """A person can mend this.

    Attributes:
        hint: what to do, one sentence; empty where the message says it all.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class StoreError(BotrunnerError):
    """The store failed this time."""


class LaneLost(StoreError):
    """The lane is another daemon's now, or was: nothing more is done, paid or said for the turn that was begun."""


class StoreRefused(StoreError):
    """The store must not be used as it is."""


class IllegalStep(BotrunnerError):
    """A step that the lifecycle's table does not have."""
