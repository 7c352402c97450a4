"""How an attempt at a model ends: in exactly one of three ways, and money follows from it.

Completed     the usage is known              -> settled at it
NotRun        provably never ran              -> released
FateUnknown   nobody can tell                 -> the whole hold stays taken (or, where the stream's start
                                                 told the exact input: that input and the full output bound)
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from runner.money.amounts import Money
from runner.money.usage import Usage
from runner.ports.dialogue import ModelReply


class FaultKind(StrEnum):
    """What kind of fault it was: decides whether another attempt is worth its money."""

    CONNECT = "connect"
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    REJECTED = "rejected"
    """A 4xx: the request itself, the key, the account. The same request will be rejected again."""
    TIMEOUT = "timeout"
    SERVER = "server"
    CUT = "cut"
    """A stream ended before its end."""
    NO_USAGE = "no_usage"
    """It answered, but did not say what it used."""
    CRASH = "crash"


@dataclass(frozen=True, slots=True)
class Completed:
    """The provider answered and said what it used. `charged` is the provider's own figure where it gives one."""

    reply: ModelReply
    usage: Usage
    request_id: str = ""
    charged: Money | None = None


@dataclass(frozen=True, slots=True)
class NotRun:
    """It never ran: connect failure, 4xx, 429, or 503/529 before a stream began."""

    kind: FaultKind
    why: str
    status: int | None = None
    retry_after_s: float | None = None
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class FateUnknown:
    """It may have run.

    Attributes:
        reply: what arrived whole all the same (`NO_USAGE`), else None.
        started: exact input usage where the stream's start told it; its output counts are ignored.
    """

    kind: FaultKind
    why: str
    reply: ModelReply | None = None
    started: Usage | None = None
    status: int | None = None
    request_id: str = ""


Outcome = Completed | NotRun | FateUnknown
