"""Slack's adapters: one by Socket Mode, one by the Events API; both send by chat.postMessage.

    SlackAdapter    run: sockets (see sockets.py)         EventsAdapter   run: waits; handle: posts

| a post                                  | answer                                                             |
|-----------------------------------------|--------------------------------------------------------------------|
| not POST                                | 405                                                                |
| over 1 MiB                              | 413                                                                |
| signature wrong, or 5 minutes old       | 401, and not even parsed                                           |
| url_verification                        | 200 with its challenge                                             |
| an event that is durable or not for us  | 200                                                                |
| not taken, or not within 2.5 s          | 503 with Retry-After; Slack brings it again                        |

Rule: what a message's fate is, `sending` tells.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress

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
from adapters.errors import AdapterError, RefusedConnection, Unreachable
from adapters.http import Backoff, Shared
from adapters.messages import Attachment, ChatKind, ChatRef, OutboundMessage, SendResult, Sent
from adapters.slack import files, library, wire
from adapters.slack.client import Client, Patience
from adapters.slack.config import Config
from adapters.slack.drafts import Drafts
from adapters.slack.intake import NOT_NOW, OK, Intake, Taken, Unreadable
from adapters.slack.sending import Sending
from adapters.slack.signing import is_from_slack
from adapters.slack.sockets import SocketLoop
from adapters.slack.threads import Threads
from adapters.slack.working import Working

LONGEST_BODY = 1024 * 1024
SCOPES = {
    "chat:write": "answers",
    "app_mentions:read": "mentions in channels",
    "im:history": "direct messages",
    "channels:history": "threads of channels",
    "files:read": "pictures and files",
    "reactions:write": "the reaction while it works",
}


def build(config: Config, shared: Shared) -> SlackAdapter:
    """What the registry calls."""
    return EventsAdapter(config, shared) if config.mode == "events" else SlackAdapter(config, shared)


class SlackAdapter:
    """One bot on Slack, by Socket Mode.

    Args:
        wall: tells the time of day in Unix seconds; Slack's own clock is what it is compared with.

    Attributes:
        unreadable: the events that could not be read.
    """

    def __init__(
        self,
        config: Config,
        shared: Shared,
        patience: Patience | None = None,
        wall: Callable[[], float] | None = None,
    ) -> None:
        self._config = config
        self._shared = shared
        self._patience = patience or Patience()
        self._wall = wall or library.Clock().now
        self._client = Client(config, shared, self._patience)
        self._threads = Threads(self._client)
        self._working = Working(self._client, config.working_reaction)
        self._drafts = Drafts(self._client, shared.timer)
        self._sending = Sending(self._client, self._drafts, shared.timer, self._wall, self._doubt)
        self.unreadable = Unreadable()
        self._intake = Intake(self._client, self._threads, self._working, self.unreadable, self._doubt)
        self._report: Report | None = None
        self._reported: tuple[ConnectionState, str] | None = None
        self._loop: SocketLoop | None = None

    @property
    def capabilities(self) -> Capabilities:
        """What Slack can do."""
        return wire.CAPABILITIES

    async def run(self, deliver: Deliver, report: Report) -> None:
        """Hold sockets until cancelled; raises RefusedConnection where a token is dead."""
        self._begin(report)
        self._loop = SocketLoop(
            self._client, self._shared, self._patience, self._intake, self.unreadable, self._tell
        )
        try:
            await self._loop.run(deliver)
        except RefusedConnection as error:
            self._tell(ConnectionState.REFUSED, str(error))
            raise
        finally:
            self._loop = None

    async def send(self, message: OutboundMessage) -> SendResult:
        """Send one part; raises nothing but cancellation."""
        result = await self._sending.send(message)
        if isinstance(result, Sent):
            if message.chat.kind is ChatKind.GROUP and message.chat.thread is not None:
                self._threads.join(message.chat.id, message.chat.thread)
            await self._working.done(message.chat)
        return result

    async def fetch(self, attachment: Attachment, max_bytes: int) -> Fetched | NotFetched:
        """Load an attachment of at most `max_bytes`; see `files`."""
        return await files.fetch(self._client, attachment, max_bytes)

    async def draft(self, message: OutboundMessage) -> None:
        """Show what there is of an answer; see `drafts`. It takes the place of other signs of work."""
        if await self._drafts.show(message):
            await self._working.done(message.chat)

    async def show_working(self, chat: ChatRef) -> None:
        """Show a status in the thread, or put the reaction on the question, where no answer grows."""
        if not self._drafts.stand_in(chat):
            await self._working.show(chat)

    async def who_am_i(self) -> str:
        """The bot, its workspace and how it listens. Raises RefusedConnection or Unreachable."""
        me, scopes = await self._client.me()
        if self._config.mode == "socket":
            await self._client.socket_url()
        lacking = {scope: what for scope, what in SCOPES.items() if scopes and scope not in scopes}
        if "chat:write" in lacking:
            raise RefusedConnection("the app lacks the scope chat:write: it could not answer")
        way = "Socket Mode" if self._config.mode == "socket" else "Events API"
        if self._config.mode == "events" and (url := self._shared.webhook_url("slack")) is not None:
            way += f" at {url}"
        lacks = "".join(f"; without the scope {scope}: no {what}" for scope, what in lacking.items())
        return f"@{me.name} ({me.user}) in {me.team_name} ({me.team}), {way}{lacks}"

    async def close(self) -> None:
        """Nothing: the session is everybody's."""

    def _begin(self, report: Report) -> None:
        self._report, self._reported = report, None
        self._tell(ConnectionState.CONNECTING)

    def _tell(self, state: ConnectionState, why: str = "") -> None:
        if self._report is not None and self._reported != (state, why):
            self._reported = (state, why)
            self._report(state, why)

    def _doubt(self) -> None:
        """Somebody heard that the token is dead."""
        if self._loop is not None:
            self._loop.doubt()


class EventsAdapter(SlackAdapter):
    """One bot on Slack, by the Events API. A `WebhookAdapter`."""

    def __init__(
        self,
        config: Config,
        shared: Shared,
        patience: Patience | None = None,
        wall: Callable[[], float] | None = None,
    ) -> None:
        super().__init__(config, shared, patience, wall)
        self._doubted = asyncio.Event()

    async def run(self, deliver: Deliver, report: Report) -> None:
        """Probe, then wait; probe again when in doubt. Raises RefusedConnection where the token is dead."""
        self._begin(report)
        backoff = Backoff(self._shared.chance)
        while True:
            self._doubted.clear()
            try:
                self._intake.me, _ = await self._client.me()
            except RefusedConnection as error:
                self._tell(ConnectionState.REFUSED, str(error))
                raise
            except Unreachable as error:
                self._tell(ConnectionState.DOWN, str(error))
                await self._shared.timer.sleep(max(backoff.next_s(), error.retry_after_s or 0.0))
            else:
                self._tell(ConnectionState.UP)
                backoff.reset()
                await self._doubted.wait()

    async def handle(self, request: WebhookRequest, deliver: Deliver) -> WebhookResponse:
        """Answer one post; see the table above."""
        if request.method.upper() != "POST":
            return WebhookResponse(405, headers={"Allow": "POST"})
        if len(request.body) > LONGEST_BODY:
            return WebhookResponse(413)
        headers = {name.lower(): value for name, value in request.headers.items()}
        secret = self._config.signing_secret
        if secret is None or not is_from_slack(
            secret.get_secret_value(), headers, request.body, self._wall()
        ):
            return WebhookResponse(401)
        try:
            async with asyncio.timeout(self._patience.answer_s):
                taken = await self._taken(request.body, headers, deliver)
        except TimeoutError:
            taken = Taken(NOT_NOW)
        if taken.status == OK:
            return WebhookResponse(OK, taken.body.encode(), taken.content_type)
        return WebhookResponse(NOT_NOW, headers={"Retry-After": str(taken.retry_after_s)})

    async def _taken(self, body: bytes, headers: Mapping[str, str], deliver: Deliver) -> Taken:
        if self._intake.me is None:
            with suppress(AdapterError):  # a challenge is answered all the same, anything else is not taken
                self._intake.me, _ = await self._client.me()
        content_type = headers.get("content-type", "application/json")
        request = self._intake.read("http", body.decode(errors="replace"), content_type, deliver)
        if request is None:
            taken = Taken(OK, readable=False)
        else:
            async with self._intake.turn(request):
                taken = await self._intake.take(request)
        self._tell_health(taken)
        return taken

    def _tell_health(self, taken: Taken) -> None:
        """What one event says of the connection; while it is not up, nothing."""
        if self._reported is None or self._reported[0] not in {ConnectionState.UP, ConnectionState.DEGRADED}:
            return
        if taken.readable:
            self._tell(ConnectionState.UP)
        else:
            self._tell(ConnectionState.DEGRADED, "an event could not be read")

    def _doubt(self) -> None:
        self._doubted.set()
