"""What an adapter is. Two calls cross the boundary, `deliver` inwards and `send` outwards.

    platform ──update──▶ adapter ──deliver(InboundMessage)──▶ the rest          returns when it is durable
    platform ◀──ack───── adapter ◀──────────Delivery──────────┘                 and only then we acknowledge
    platform ◀──post──── adapter ◀──send(OutboundMessage)───── outbox

States of a connection, and what moves it (`LEGAL_STATES`):

    connecting ─▶ up ◀──▶ degraded (works, but something is wrong: retries, pacing, an unreadable update)
        │  ▲       │
        ▼  │       ▼
       down ◀──────┘        network or platform away; comes back by itself
    any ─▶ refused          a person must act (token, intent, scope); never retried in a loop
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from adapters.messages import Attachment, ChatRef, InboundMessage, OutboundMessage, SendResult


class ConnectionState(StrEnum):
    """How a bot's connection is, as shown by `status`, the API, metrics and the dashboard."""

    CONNECTING = "connecting"
    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"
    REFUSED = "refused"


_ALIVE = frozenset(ConnectionState)
LEGAL_STATES: Mapping[ConnectionState, frozenset[ConnectionState]] = {
    ConnectionState.CONNECTING: _ALIVE,
    ConnectionState.UP: _ALIVE,
    ConnectionState.DEGRADED: _ALIVE,
    ConnectionState.DOWN: _ALIVE,
    ConnectionState.REFUSED: frozenset({ConnectionState.REFUSED, ConnectionState.CONNECTING}),
}
"""From a state, the states that may follow. Out of `refused` leads only a new start."""


class DeliveryState(StrEnum):
    """What became of a delivered message."""

    ACCEPTED = "accepted"
    """New and durable: it will be answered."""
    DUPLICATE = "duplicate"
    """Durable since an earlier delivery; where the adapter collects answers, `send` is called again
    as soon as that answer exists."""
    IGNORED = "ignored"
    """Not for us (access rules, a bot, not addressed): acknowledge and forget."""
    LIMITED = "limited"
    """Over the rate limit and not stored: come again after `retry_after_s`."""
    OVERLOADED = "overloaded"
    """Not stored, the backlog is full or the daemon is stopping: come again after `retry_after_s`."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """The answer to `deliver`. Only ACCEPTED, DUPLICATE and IGNORED may be acknowledged."""

    state: DeliveryState
    retry_after_s: float = 0.0


class Pressure(StrEnum):
    """What `deliver` does where a rate limit is reached."""

    WAIT = "wait"
    """It waits: polling and sockets slow down and nothing is dropped."""
    REFUSE = "refuse"
    """It answers LIMITED: an HTTP entry says 429."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a platform can do, as data, so that nobody asks for its name.

    Attributes:
        max_text: the longest part it takes, counted by `text_units`.
        text_units: "utf16" or "characters".
        pressure: what happens at the rate limit.
        collects: whether the answer is fetched by the request that brought the message (`send` never fails
            and an answer is kept for whoever asks again with the same id) instead of being pushed.
        reports: whether an answer carries the figures of its turn, and a message the name that its sender has for
            the model; both are for adapters whose other side is a program.
        resends_unknown: whether a send of unknown fate may be repeated (a nonce makes it harmless).
        chat_interval_s: pace to one chat once the platform has complained, seconds a message.
        bot_interval_s: pace of the whole bot once the platform has complained, seconds a message.
        shows_working: whether `show_working` does anything; repeated each `working_every_s`.
        drafts: whether it can show an answer while it grows (`DraftingAdapter`), no faster than each
            `draft_every_s` in a direct chat and `draft_every_group_s` in a group, seconds.
        fetches: whether attachments can be fetched (`FetchingAdapter`).
        recalls: whether it must be told what came last to find what was missed since (`RecallingAdapter`).
        exclusive: whether the platform gives each message to one connection only, so that of several daemons one
            may `run` it; the others send all the same.
    """

    max_text: int = 4096
    text_units: str = "characters"
    pressure: Pressure = Pressure.WAIT
    collects: bool = False
    reports: bool = False
    resends_unknown: bool = False
    chat_interval_s: float = 1.0
    bot_interval_s: float = 1 / 30
    shows_working: bool = False
    working_every_s: float = 4.0
    drafts: bool = False
    draft_every_s: float = 1.5
    draft_every_group_s: float = 3.5
    fetches: bool = False
    recalls: bool = False
    exclusive: bool = False
    default_rate_per_minute: int = 60


Deliver = Callable[[InboundMessage], Awaitable[Delivery]]
"""MUST return only after the message is durable. MAY be called again with the same message at any time."""


class Report(Protocol):
    """Tells how the connection is; called on each change, cheap, never raises."""

    def __call__(self, state: ConnectionState, why: str = "") -> None:
        """Take note of `state`; `why` is one sentence for a person, without secrets."""


class Timer(Protocol):
    """The clock that an adapter may use: monotonic seconds, and sleeping."""

    def monotonic(self) -> float:
        """Seconds that only grow."""

    async def sleep(self, seconds: float) -> None:
        """Sleep; a fake returns when its time has been moved on."""


class Adapter(Protocol):
    """One connection to one platform for one bot.

    `run` MUST return or raise `RefusedConnection` where trying again is useless, MUST NOT end otherwise, and
    MUST take cancellation at any await. It MUST call `deliver` and wait before it acknowledges, one message
    of a chat after the other. `send` MUST NOT raise for anything that the platform or the network does: the
    fate of a message is a value. It MAY be called while `run` is not connected.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What the platform can do."""

    async def run(self, deliver: Deliver, report: Report) -> None:
        """Hold the connection, hand in what comes, until cancelled."""

    async def send(self, message: OutboundMessage) -> SendResult:
        """Put one message on the platform; the result says what became of it."""

    async def show_working(self, chat: ChatRef) -> None:
        """Show that an answer is being made; never raises, may do nothing."""

    async def who_am_i(self) -> str:
        """Ask the platform whose credentials these are. Raises RefusedConnection or Unreachable."""

    async def close(self) -> None:
        """Let go of what this adapter alone holds."""


class DraftingAdapter(Adapter, Protocol):
    """An adapter that can show an answer while it grows (`Capabilities.drafts`)."""

    async def draft(self, message: OutboundMessage) -> None:
        """Show `message.text`, all there is of the answer so far; called again and again with the same key.

        A later `send` with that key puts the whole answer in its place. MUST NOT raise; MAY show nothing. What is
        kept of drafts MUST be bounded and MAY be lost: then `send` sends the answer as a new message.
        """


@dataclass(frozen=True, slots=True)
class Fetched:
    """An attachment's bytes and what they are."""

    data: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class NotFetched:
    """Why an attachment cannot be had: a few words for a person, without addresses."""

    why: str


class FetchingAdapter(Adapter, Protocol):
    """An adapter whose attachments can be fetched (`Capabilities.fetches`)."""

    async def fetch(self, attachment: Attachment, max_bytes: int) -> Fetched | NotFetched:
        """Fetch what `attachment.reference` means, at most `max_bytes`. MUST NOT raise for what the platform does."""


class RecallingAdapter(Adapter, Protocol):
    """An adapter that has to look for what was said while nobody listened (`Capabilities.recalls`)."""

    def recall(self, messages: Sequence[InboundMessage]) -> None:
        """Learn the latest accepted message of each of the latest conversations, the latest last.

        Called before each `run`. MUST NOT raise; MAY forget the oldest.
        """


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """What a platform posted, as raw as it came: signatures are over raw bytes.

    Attributes:
        peer_is_loopback: whether the request came from this machine to a loopback name.
    """

    method: str
    headers: Mapping[str, str]
    body: bytes
    query: Mapping[str, str] = field(default_factory=dict)
    peer_is_loopback: bool = False


class WebhookStream(Protocol):
    """An answer in pieces."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The pieces; called once at most."""

    async def aclose(self) -> None:
        """Let go: all is sent, or the client left. Called once in every case."""


@dataclass(frozen=True, slots=True)
class WebhookResponse:
    """What to answer; `body` is sent as it is.

    Attributes:
        stream: pieces that are sent as they come, in place of a body.
    """

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    stream: WebhookStream | None = None


class WebhookAdapter(Adapter, Protocol):
    """An adapter whose messages come in by HTTP; `run` only waits and reports."""

    async def handle(self, request: WebhookRequest, deliver: Deliver) -> WebhookResponse:
        """Check, parse, deliver, and answer once durable. Never raises for what a sender does."""
