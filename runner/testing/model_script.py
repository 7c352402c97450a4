"""What a fake model does with one request, in words that `FakeProvider` and `ModelServer` share.

    Say       answers; by its fields also: at its bound, with tool calls, cut, without usage, with an error
    Fault     answers with an HTTP status, such as 429 or 500
    Hang      never answers, until the caller goes away
    Drop      closes the connection without a word

A script is a row of these; when it is used up, the standing behaviour (a plain `Say`) takes over. In its
place a function may stand, which sees the request and picks.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from runner.conversations.models import ToolCall
from runner.money.usage import Usage


class At(StrEnum):
    """A place in a stream."""

    FIRST = "first"
    """After the headers, before any event."""
    START = "start"
    """After the first event (Anthropic: `message_start`, which tells the input)."""
    MIDDLE = "middle"
    """Half-way through what is said."""
    END = "end"
    """After all that is said, before the reason to stop."""
    STOP = "stop"
    """After the reason to stop (Anthropic: the usage with it), before what else there is to come."""


@dataclass(frozen=True, slots=True)
class Say:
    """An answer.

    Attributes:
        text: what is said.
        tools: tool calls, streamed in pieces.
        usage: what it uses; None: a plausible count of the request's and the answer's bytes.
        at_bound: use the most there is: a token for each byte of the request, the output limit to the full.
        tells_usage: whether the usage is told.
        cut_at: where the stream breaks off.
        error_at: where an error event takes the place of the rest.
        stall_at: where nothing more comes, until the caller goes away.
        latency_s: how long the first byte takes.
        pieces: in how many events the text comes.
    """

    text: str = "Hello from the fake model."
    tools: tuple[ToolCall, ...] = ()
    usage: Usage | None = None
    at_bound: bool = False
    tells_usage: bool = True
    cut_at: At | None = None
    error_at: At | None = None
    stall_at: At | None = None
    latency_s: float = 0.0
    pieces: int = 4


PLAIN = Say()


@dataclass(frozen=True, slots=True)
class Fault:
    """An HTTP status in place of an answer. `usage`: what it bills all the same (a 500 may have run)."""

    status: int
    message: str = "made to fail"
    retry_after: str | None = None
    location: str | None = None
    usage: Usage | None = None
    latency_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Hang:
    """No answer, ever. `usage`: what it bills all the same."""

    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class Drop:
    """The connection is closed without an answer. `usage`: what it bills all the same."""

    usage: Usage | None = None


Behaviour = Say | Fault | Hang | Drop


@dataclass(frozen=True, slots=True)
class Billed:
    """A line of the fake's own bill: what it would charge for one request, answered or not.

    Attributes:
        limit: the output limit that was asked for.
        answered: whether the caller was there for the whole answer.
        batch: whether it was a line of a batch, at a batch's price.
    """

    request_id: str
    model: str
    usage: Usage
    limit: int
    answered: bool
    batch: bool = False


def usage_of(said: Say, request_bytes: int, limit: int) -> Usage:
    """What an answer uses: as told, at its bound, or four bytes a token; never above the limit."""
    if said.usage is not None:
        return said.usage
    if said.at_bound:
        return Usage(input_tokens=request_bytes, output_tokens=limit)
    spoken = len(said.text.encode()) + sum(len(c.name) + len(c.arguments.encode()) for c in said.tools)
    return Usage(input_tokens=-(-request_bytes // 4), output_tokens=min(limit, max(1, -(-spoken // 4))))
