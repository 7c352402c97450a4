"""Who serves a model. Named by the meter and by those who build one; by nobody else.

An attempt ends in exactly one of three ways, and money follows from it:

    Completed     the usage is known              -> settled at it
    NotRun        provably never ran              -> released
    FateUnknown   nobody can tell                 -> the whole hold stays taken (or, where the stream's start
                                                     told the exact input: that input and the full output bound)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from runner.money.amounts import Money
from runner.money.estimate import RequestSize
from runner.money.usage import Usage
from runner.ports.dialogue import ModelReply, ModelRequest


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


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request in the provider's own shape, all but the output limit. `body` is the provider's own business."""

    body: Any
    size: RequestSize


Hear = Callable[[str], None]
"""Gets each piece of the answer's text as it comes. MUST be cheap and MUST NOT raise."""


class Provider(Protocol):
    """A model's server.

    `prepare` MUST be pure and put everything that will be sent (but the output limit) into `size.text`.
    `complete` MUST send exactly one request, with its output limited to `max_output_tokens` in the field that
    this provider honours, MUST NOT retry, MUST NOT raise for what the network or the server does, and MUST
    end within `timeout_s`. Cancelled, it MUST close its connection. `cost of anything outside usage` MUST NOT
    be asked for; the service tier is pinned.
    """

    def prepare(self, request: ModelRequest) -> Prepared:
        """Put the request into the provider's own shape."""

    async def complete(
        self, prepared: Prepared, max_output_tokens: int, timeout_s: float, hear: Hear | None = None
    ) -> Outcome:
        """Make one attempt; whoever wants to `hear` the answer while it comes may."""

    async def close(self) -> None:
        """Let go of connections."""
