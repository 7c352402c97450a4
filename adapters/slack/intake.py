"""From what Slack brings, by socket or by post, to `deliver`; through slack-bolt, which knows the forms.

    body ─▶ bolt: form, challenge, authorize ─▶ parse ─▶ our thread? ─▶ deliver ─▶ Taken
                                                  │ unreadable: counted, kept, taken

Rules: bolt answers only after its listener did (`process_before_response`), it is authorized by our own probe (its
own would acknowledge and drop an event while Slack is away), and it never looks whether an event is from us, which
`wire.parse` does. One message of a channel is handed in after the other, in the order of arrival. An event that is
brought again is handed in again, whatever its headers say: it may be the only copy. What nobody here answers is
taken, for Slack would bring it again and in the end switch all events off.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any, Literal, cast

from adapters.contract import Deliver, Delivery, DeliveryState
from adapters.errors import RefusedConnection, Unreachable, UnreadableUpdate
from adapters.messages import InboundMessage
from adapters.slack import library, wire
from adapters.slack.client import Client
from adapters.slack.threads import Threads
from adapters.slack.working import Working

OK, NOT_NOW = 200, 503
_ACKNOWLEDGED = frozenset({DeliveryState.ACCEPTED, DeliveryState.DUPLICATE, DeliveryState.IGNORED})
_ANY = re.compile(".")
_DELIVER = "botrunner_deliver"
_UNREADABLE = "x-unreadable"

Mode = Literal["socket_mode", "http"]
Request = library.AsyncBoltRequest


@dataclass(slots=True)
class Unreadable:
    """What could not be read: how many since the start, and the last few as they came."""

    count: int = 0
    last: deque[object] = field(default_factory=lambda: deque(maxlen=16))

    def note(self, raw: object) -> None:
        """Count and keep one."""
        self.count += 1
        self.last.append(raw)


@dataclass(frozen=True, slots=True)
class Taken:
    """What to tell Slack.

    Attributes:
        status: OK: it need not bring this again; NOT_NOW: it may be tried again after `retry_after_s`, seconds;
            anything else is a fault of ours.
        readable: False where it was taken because nobody can read it.
    """

    status: int
    body: str = ""
    content_type: str = "text/plain"
    retry_after_s: int = 1
    readable: bool = True


class Turnstile:
    """One at a time of each name, in the order of arrival; names that nobody waits for are forgotten."""

    __slots__ = ("_locks",)

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def one_of(self, name: str) -> AsyncIterator[None]:
        """Hold the name."""
        lock, users = self._locks.get(name, (None, 0))
        lock = lock or asyncio.Lock()
        self._locks[name] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            lock, users = self._locks[name]
            if users > 1:
                self._locks[name] = (lock, users - 1)
            else:
                del self._locks[name]


class Intake:
    """What comes in for one bot.

    Args:
        unreadable: where events that cannot be read are kept.
        doubt: called where an event tells that the token may be dead.

    Attributes:
        me: who the bot is; nothing is taken before it is known.
    """

    def __init__(
        self,
        client: Client,
        threads: Threads,
        working: Working,
        unreadable: Unreadable,
        doubt: Callable[[], None],
    ) -> None:
        self._client = client
        self._threads = threads
        self._working = working
        self._unreadable = unreadable
        self._doubt = doubt
        self._turnstile = Turnstile()
        self._app = self._make_app()
        self.me: wire.Me | None = None

    def read(self, mode: Mode, body: object, content_type: str, deliver: Deliver) -> Request | None:
        """What came, in bolt's form; None, counted and kept, where it has no such form.

        Args:
            mode: "socket_mode", with the body as read JSON, or "http", with it as text.
        """
        try:
            request = library.AsyncBoltRequest(
                mode=mode,
                body=cast("Any", body),
                headers={"content-type": content_type},
                context={_DELIVER: deliver},
            )
        except (AttributeError, LookupError, TypeError, ValueError, RecursionError):
            request = None
        if request is None or not wire.has_form(request.body):
            self._unreadable.note(body)
            return None
        return request

    def turn(self, request: Request) -> AbstractAsyncContextManager[None]:
        """The turn of what came, among the others of its channel."""
        return self._turnstile.one_of(wire.channel_of(request.body))

    async def take(self, request: Request) -> Taken:
        """Take it in, in its turn."""
        if not wire.concerns_us(request.body):
            return Taken(OK)
        response = await self._app.async_dispatch(request)
        headers = response.first_headers()
        return Taken(
            response.status,
            response.body or "",
            headers.get("content-type", "").partition(";")[0],
            int(headers.get("retry-after", "1")),
            readable=_UNREADABLE not in headers,
        )

    def _make_app(self) -> library.AsyncApp:
        async def authorize() -> library.AuthorizeResult:
            if self.me is None:
                # Bolt would take None for an app that is not installed, and acknowledge.
                raise Unreachable("Slack has not yet told who we are")
            return library.AuthorizeResult(
                enterprise_id=None,
                team_id=self.me.team,
                bot_user_id=self.me.user,
                bot_token=self._client.web.token,
            )

        async def hear(body: dict[str, Any], context: Mapping[str, Any]) -> library.BoltResponse:
            return await self._hear(body, context[_DELIVER])

        app = library.AsyncApp(
            name="botrunner",
            logger=library.silence(),
            client=self._client.web,
            process_before_response=True,
            authorize=authorize,
            request_verification_enabled=False,  # done before, over the raw bytes
            ignoring_self_events_enabled=False,
            attaching_function_token_enabled=False,
            attaching_conversation_kwargs_enabled=False,
        )
        app.event(_ANY)(hear)
        app.command(_ANY)(hear)
        return app

    async def _hear(self, body: dict[str, Any], deliver: Deliver) -> library.BoltResponse:
        if self.me is None:
            return _not_now(1.0)
        if wire.casts_doubt(body):
            self._doubt()
        try:
            message = wire.parse(body, self.me)
        except UnreadableUpdate:
            self._unreadable.note(body)
            return library.BoltResponse(status=OK, headers={_UNREADABLE: "1"})
        if message is None:
            return library.BoltResponse(status=OK)
        try:
            message = await self._placed(message, self.me)
        except RefusedConnection:
            self._doubt()
            return _not_now(1.0)
        except Unreachable as error:
            return _not_now(error.retry_after_s or 1.0)
        delivery = await deliver(message)
        if delivery.state is DeliveryState.ACCEPTED:
            self._working.asked(message)
        return _answer(delivery)

    async def _placed(self, message: InboundMessage, me: wire.Me) -> InboundMessage:
        """The message, addressed where it stands in a thread of ours."""
        thread = message.chat.thread
        if thread is None or not wire.in_thread(message):
            return message
        ours = await self._threads.ours(message.chat.id, thread, me)
        return replace(message, addressed=ours)


def _answer(delivery: Delivery) -> library.BoltResponse:
    if delivery.state in _ACKNOWLEDGED:
        return library.BoltResponse(status=OK)
    return _not_now(delivery.retry_after_s)


def _not_now(seconds: float) -> library.BoltResponse:
    return library.BoltResponse(status=NOT_NOW, headers={"retry-after": str(max(1, ceil(seconds)))})
