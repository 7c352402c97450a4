"""An adapter without a platform: a test says what users write and reads what the bot sends.

Rules: `say` delivers as a platform would and returns what became of it; `replies` waits by event; results of
`send` can be scripted, after that everything is sent. The same `event_id` may be said again, as platforms do.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from adapters.contract import Capabilities, ConnectionState, Deliver, Delivery, Fetched, NotFetched, Report
from adapters.errors import RefusedConnection
from adapters.messages import (
    Attachment,
    ChatKind,
    ChatRef,
    InboundMessage,
    OutboundMessage,
    Sender,
    SendResult,
    Sent,
)


class FakeAdapter:
    """An `Adapter` for stories.

    Attributes:
        sent: what was put on the platform, in order; only what had the result `Sent`.
        tried: every call of `send`.
        working: every chat that was shown that an answer is being made.
        drafts: what was shown of answers while they grew.
        files: what `fetch` finds, by reference.
        recalled: the messages that it was told before each `run`.
        connects: how often `run` was begun; `connected`: how many are running now.
    """

    def __init__(self, capabilities: Capabilities | None = None, refuse: str = "") -> None:
        self._capabilities = capabilities or Capabilities()
        self._refuse = refuse
        self._deliver: Deliver | None = None
        self._changed = asyncio.Event()
        self._results: deque[SendResult] = deque()
        self._number = 0
        self.report: Report | None = None
        self.sent: list[OutboundMessage] = []
        self.tried: list[OutboundMessage] = []
        self.working: list[ChatRef] = []
        self.drafts: list[OutboundMessage] = []
        self.files: dict[str, Fetched] = {}
        self.recalled: list[Sequence[InboundMessage]] = []
        self.connects = 0
        self.connected = 0
        self.closed = False

    # ── what a test does ─────────────────────────────────────────────────────────────────────────────────
    async def say(
        self, text: str, user: str = "ada", chat: str | None = None, event_id: str | None = None
    ) -> Delivery:
        """Let a user write in a direct chat, as soon as the adapter runs."""
        self._number += 1
        where = ChatRef(chat or user, ChatKind.DIRECT)
        command = text[1:].split(maxsplit=1)[0].lower() if text[:1] == "/" and text[1:].strip() else None
        return await self.inject(
            InboundMessage(event_id or f"e{self._number}", where, Sender(user), text, command=command)
        )

    async def inject(self, message: InboundMessage) -> Delivery:
        """Deliver a message as it is."""
        await self._until(lambda: self._deliver is not None)
        assert self._deliver is not None
        return await self._deliver(message)

    async def replies(self, count: int) -> list[OutboundMessage]:
        """Wait until that many messages are sent in all."""
        await self._until(lambda: len(self.sent) >= count)
        return self.sent

    async def drafted(self, count: int) -> list[OutboundMessage]:
        """Wait until that many drafts were shown in all."""
        await self._until(lambda: len(self.drafts) >= count)
        return self.drafts

    async def attempts(self, count: int) -> list[OutboundMessage]:
        """Wait until `send` was called that often in all."""
        await self._until(lambda: len(self.tried) >= count)
        return self.tried

    def script(self, *results: SendResult) -> None:
        """What the next calls of `send` return; after them everything is sent."""
        self._results.extend(results)

    # ── the contract ─────────────────────────────────────────────────────────────────────────────────────
    @property
    def capabilities(self) -> Capabilities:
        """As given."""
        return self._capabilities

    def recall(self, messages: Sequence[InboundMessage]) -> None:
        """Take note."""
        self.recalled.append(messages)

    async def run(self, deliver: Deliver, report: Report) -> None:
        """Up at once, until cancelled; refused where so made."""
        self.connects += 1
        self.connected += 1
        try:
            report(ConnectionState.CONNECTING)
            if self._refuse:
                report(ConnectionState.REFUSED, self._refuse)
                raise RefusedConnection(self._refuse)
            report(ConnectionState.UP)
            self._deliver, self.report = deliver, report
            self._ring()
            await asyncio.Event().wait()
        finally:
            self.connected -= 1
            if self._deliver is deliver:
                self._deliver = None

    async def send(self, message: OutboundMessage) -> SendResult:
        """The scripted result, else sent."""
        self.tried.append(message)
        result = self._results.popleft() if self._results else Sent(f"m{len(self.sent) + 1}")
        if isinstance(result, Sent):
            self.sent.append(message)
        self._ring()
        return result

    async def show_working(self, chat: ChatRef) -> None:
        """Take note."""
        self.working.append(chat)

    async def draft(self, message: OutboundMessage) -> None:
        """Take note."""
        self.drafts.append(message)
        self._ring()

    async def fetch(self, attachment: Attachment, max_bytes: int) -> Fetched | NotFetched:
        """What `files` has of it."""
        found = self.files.get(attachment.reference)
        if found is None:
            return NotFetched("it is gone")
        return found if len(found.data) <= max_bytes else NotFetched("it is too large")

    async def who_am_i(self) -> str:
        """Nobody in particular."""
        if self._refuse:
            raise RefusedConnection(self._refuse)
        return "fake"

    async def close(self) -> None:
        """Take note."""
        self.closed = True

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            await self._changed.wait()

    def _ring(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
