"""Telegram's adapter: a poll loop or a webhook in, one call a message out.

Rules: what became of a message is told from what is certain. Only where no byte left, or Telegram itself said
that it did nothing, may it be sent again; a connection that broke, a time that ran out, a 5xx or an answer that
cannot be read leave its fate unknown.

| Telegram's answer           | result                                                                    |
|-----------------------------|---------------------------------------------------------------------------|
| 200                         | Sent(message_id)                                                          |
| no connection               | NotSent, our own back-off                                                 |
| 429                         | NotSent after `retry_after`; the whole bot where another chat waits too   |
| 400 thread not found        | once more without the thread                                              |
| 400 chat was upgraded       | once more to the chat's new id                                            |
| 400 can't parse entities    | once more as plain text                                                   |
| 400, 403                    | Rejected with Telegram's words                                            |
| 401, 404                    | NotSent: the token is dead, a person will bring another                   |
| anything else               | FateUnknown                                                               |
"""

from __future__ import annotations

from typing import Any

from adapters.contract import (
    Capabilities,
    ConnectionState,
    Deliver,
    Fetched,
    NotFetched,
    Report,
    WebhookRequest,
    WebhookResponse,
)
from adapters.errors import AdapterError, RefusedConnection
from adapters.http import Backoff, Shared
from adapters.messages import (
    Attachment,
    ChatRef,
    FateUnknown,
    NotSent,
    OutboundMessage,
    Rejected,
    SendResult,
    Sent,
)
from adapters.telegram import files, wire
from adapters.telegram.client import Client, NotConnected, Patience, Refused, SlowDown
from adapters.telegram.config import Config
from adapters.telegram.drafts import Drafts
from adapters.telegram.polling import PollLoop
from adapters.telegram.telling import Telling, Unreadable
from adapters.telegram.webhook import Door, WebhookWatch

_DEAD_TOKEN_RETRY_S = 60.0


def build(config: Config, shared: Shared) -> TelegramAdapter:
    """What the registry calls."""
    return (TelegramWebhookAdapter if config.mode == "webhook" else TelegramAdapter)(config, shared)


class TelegramAdapter:
    """One bot on Telegram. A `DraftingAdapter` and `FetchingAdapter`.

    Attributes:
        unreadable: the updates that could not be read.
    """

    __slots__ = ("_client", "_drafts", "_paused", "_shared", "unreadable")

    def __init__(self, config: Config, shared: Shared, patience: Patience | None = None) -> None:
        self._client = Client(config, shared, patience or Patience())
        self._shared = shared
        self._drafts = Drafts(self._client, shared.timer)
        self._paused: tuple[str, float] | None = None
        self.unreadable = Unreadable()

    @property
    def capabilities(self) -> Capabilities:
        """What Telegram can do."""
        return wire.CAPABILITIES

    async def run(self, deliver: Deliver, report: Report) -> None:
        """Poll until cancelled; raises RefusedConnection where the token is dead."""
        await PollLoop(
            self._client, self._shared.timer, self._telling(report), self.unreadable, deliver
        ).run()

    async def send(self, message: OutboundMessage) -> SendResult:
        """Send one part; see the table above. Raises nothing but cancellation."""
        try:
            completed = await self._drafts.complete(message)
            if completed is not None:
                return completed
            return _receipt(await self._client.call_mended("sendMessage", wire.send_fields(message)))
        except AdapterError as error:
            return self._fate(message.chat.id, error)

    async def draft(self, message: OutboundMessage) -> None:
        """Show what there is of an answer; see `drafts`."""
        await self._drafts.show(message)

    async def fetch(self, attachment: Attachment, max_bytes: int) -> Fetched | NotFetched:
        """Load an attachment of at most `max_bytes`; Telegram itself gives bots up to 20 MB."""
        return await files.fetch(self._client, attachment, max_bytes)

    async def show_working(self, chat: ChatRef) -> None:
        """Show `typing`, for five seconds; a failure is nobody's business."""
        try:
            await self._client.call("sendChatAction", {**wire.chat_fields(chat), "action": "typing"})
        except AdapterError:
            return

    async def who_am_i(self) -> str:
        """`@username (id)`. Raises RefusedConnection or Unreachable."""
        try:
            me = await self._client.me()
        except Refused as refused:
            raise RefusedConnection(str(refused)) from None
        return f"@{me.username} ({me.id})"

    async def close(self) -> None:
        """Nothing: the session is everybody's."""

    def _telling(self, report: Report) -> Telling:
        return Telling(report, self._shared.timer, Backoff(self._shared.chance))

    def _fate(self, chat: str, error: AdapterError) -> SendResult:
        match error:
            case Refused():
                return Rejected(str(error))
            case SlowDown():
                return self._paced(chat, error)
            case NotConnected():
                return NotSent(str(error))
            case RefusedConnection():
                return NotSent(str(error), retry_after_s=_DEAD_TOKEN_RETRY_S, whole_bot=True)
            case _:
                return FateUnknown(str(error))

    def _paced(self, chat: str, pause: SlowDown) -> NotSent:
        """Telegram does not say whose limit it was: two chats that must wait at once mean the whole bot."""
        now, seconds = self._shared.timer.monotonic(), pause.retry_after_s or 0.0
        other, until = self._paused or (chat, now)
        self._paused = (chat, now + seconds)
        return NotSent(str(pause), retry_after_s=seconds, whole_bot=other != chat and now < until)


class TelegramWebhookAdapter(TelegramAdapter):
    """The same, but Telegram posts to us. A `WebhookAdapter`, too."""

    __slots__ = ("_door", "_secret")

    def __init__(self, config: Config, shared: Shared, patience: Patience | None = None) -> None:
        super().__init__(config, shared, patience)
        self._secret = config.secret_token
        self._door = Door(self._secret, self.unreadable, (patience or Patience()).deliver_s)

    @property
    def capabilities(self) -> Capabilities:
        """What Telegram can do; it may post to any daemon."""
        return wire.POSTED

    async def run(self, deliver: Deliver, report: Report) -> None:
        """Set the webhook and watch it until cancelled; it stays, so that Telegram keeps what comes meanwhile."""
        telling, url = self._telling(report), self._shared.webhook_url("telegram")
        if url is None:
            why = "webhook mode needs server.public_url"
            telling.tell(ConnectionState.REFUSED, why)
            raise RefusedConnection(why)
        timer, door = self._shared.timer, self._door
        await WebhookWatch(self._client, timer, telling, door, self.unreadable, url, self._secret).run()

    async def handle(self, request: WebhookRequest, deliver: Deliver) -> WebhookResponse:
        """Answer one post of Telegram's."""
        return await self._door.handle(request, deliver)

    async def who_am_i(self) -> str:
        """Besides, where Telegram posts to and what went wrong there last."""
        name = await super().who_am_i()
        try:
            return f"{name}, {wire.webhook_words(await self._client.webhook())}"
        except Refused as refused:
            raise RefusedConnection(str(refused)) from None


def _receipt(raw: Any) -> SendResult:  # noqa: ANN401 - whatever the platform sent
    number = wire.message_id(raw)
    if number is None:
        return FateUnknown("Telegram's answer names no message")
    return Sent(str(number))
