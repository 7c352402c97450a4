"""The small things that the fake Discord is made of: refusals, faults, sessions, commands, what was sent."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

LOADING, EPHEMERAL = 1 << 7, 1 << 6
_MOST_EVENTS = 1000


class ApiError(Exception):
    """A refusal in Discord's own form."""

    def __init__(self, status: int, code: int, message: str, more: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.more = more or {}


class FaultKind(StrEnum):
    """What goes wrong with one call."""

    DROP_BEFORE = "drop_before"
    """The connection is cut and nothing was done."""
    DROP_AFTER = "drop_after"
    """It is done, and the connection is cut instead of an answer."""
    HANG = "hang"
    """Nothing is done and no answer comes until the caller leaves."""
    ANSWER = "answer"
    """Nothing is done and `status` with `body` is the answer."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One scripted fault; `body` is sent as it is, with `headers`."""

    kind: FaultKind
    status: int = 200
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


def too_many(seconds: float, *, whole: bool = False) -> ApiError:
    """429 as Discord says it."""
    return ApiError(429, 0, "You are being rate limited.", {"retry_after": seconds, "global": whole})


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message that the bot has sent or put into a placeholder. `pinged`: whether `@everyone` was."""

    id: str
    at_s: float
    channel: str
    text: str
    nonce: str | None = None
    reply_to: str | None = None
    pinged: bool = False
    way: str = "channel"


@dataclass(slots=True)
class Session:
    """One shard's session: its events, numbered, and whoever takes them now."""

    id: str
    shard: int
    shards: int
    intents: int
    last: int = 0
    events: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_MOST_EVENTS))
    take: Callable[[dict[str, Any]], None] | None = None

    def push(self, name: str, data: Mapping[str, Any]) -> None:
        """One more event."""
        self.last += 1
        event = {"op": 0, "s": self.last, "t": name, "d": data}
        self.events.append(event)
        if self.take is not None:
            self.take(event)


@dataclass(slots=True)
class Asked:
    """A command and what became of it. `answer`: the type of its acknowledgement."""

    id: str
    token: str
    channel: str
    raw: dict[str, Any]
    answer: Mapping[str, Any] | None = None
    message: dict[str, Any] | None = None


class Bell:
    """Wakes all who wait at that moment."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wake them."""
        self._event.set()
        self._event = asyncio.Event()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds, looking at each ring."""
        while not holds():
            await self._event.wait()
