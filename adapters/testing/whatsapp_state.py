"""What the fake WhatsApp remembers of its business numbers, and how it answers. No HTTP in here.

Rules, as on the real one: an event stays until the webhook's address answered 200 to it, and comes again until
then; each message that was taken is followed by its statuses; a text has 1 to 4096 characters; a user id in `to`
is taken and lost; outside of the 24 hours a message is taken and fails by its status; with `limits`, a user takes
a message each six seconds and a number eighty a second. Waiting is by event, never by looking again.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from adapters.testing.telegram_state import Fault

LONGEST_TEXT = 4096
LONGEST_CALLBACK = 256
USER_INTERVAL_S = 6.0
NUMBER_RATE = 80
WINDOW = 131047
_FIRST_DATE = 1_780_000_000
_KEYS = frozenset(
    {
        "biz_opaque_callback_data",
        "context",
        "messaging_product",
        "recipient",
        "recipient_type",
        "text",
        "to",
        "type",
    }
)
_FACTS = frozenset({"id", "verified_name", "display_phone_number", "quality_rating", "webhook_configuration"})
_USER_ID = re.compile(r"[A-Z]{2}\.[A-Za-z0-9.]{1,160}")


class ApiError(Exception):
    """A refusal in Meta's own form."""

    def __init__(
        self,
        status: int,
        code: int,
        message: str,
        details: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.details = details
        self.headers = headers or {}

    @property
    def body(self) -> dict[str, Any]:
        """What is answered."""
        error: dict[str, Any] = {
            "message": f"(#{self.code}) {self}",
            "type": "OAuthException",
            "code": self.code,
        }
        if self.details:
            error["error_data"] = {"messaging_product": "whatsapp", "details": self.details}
        return {"error": {**error, "fbtrace_id": "Atrace"}}


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message that the bot has sent. `at_s` is the loop's time."""

    message_id: str
    at_s: float
    to: str
    text: str
    callback: str | None = None
    reply_to: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """Something for the webhook: part of a `value`."""

    number: int
    value: Mapping[str, Any]


@dataclass(slots=True)
class Number:
    """One business number on the fake: what waits for its webhook, what it sent, what shall go wrong.

    Attributes:
        callback_url: where its webhook is; set by subscribing.
        limits: whether rates are limited as on the real one.
        batch: the most events that one webhook brings.
        copies: how often each webhook is brought, although the first was taken.
        overtaken: whether what was not taken comes again after what came later.
        at_once: how many webhooks are brought side by side; with more than one there is no order. Read by subscribing.
        statuses: which statuses follow a message that was taken.
        refused: users who get nothing, with status, code and words.
        closed: users outside of the 24 hours.
        lost: messages with a user id in `to`.
        reads: ids that were marked as read, and whether typing was shown.
        media: what users sent, by id: media type and bytes.
        posts: the last bodies that were posted to the webhook, and its answers.
    """

    phone_number_id: str
    access_token: str
    app_secret: str
    verify_token: str
    display: str = "15550001111"
    name: str = "Fake Business"
    callback_url: str | None = None
    limits: bool = False
    revoked: bool = False
    batch: int = 1
    copies: int = 1
    overtaken: bool = False
    at_once: int = 1
    statuses: tuple[str, ...] = ("sent", "delivered")
    waiting: deque[Event] = field(default_factory=deque)
    sent: list[SentMessage] = field(default_factory=list)
    lost: list[SentMessage] = field(default_factory=list)
    reads: list[tuple[str, bool]] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    posts: deque[tuple[bytes, int]] = field(default_factory=lambda: deque(maxlen=1000))
    refused: dict[str, tuple[int, int, str]] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    media: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    _faults: dict[str, deque[Fault]] = field(default_factory=dict)
    _heard: set[str] = field(default_factory=set)
    _last: int = 0
    _under_way: set[int] = field(default_factory=set)
    _user_free_at: dict[str, float] = field(default_factory=dict)
    _recent: deque[float] = field(default_factory=deque)
    _bell: asyncio.Event = field(default_factory=asyncio.Event)

    # ── what a test does ─────────────────────────────────────────────────────────────────────────────────────
    def say(
        self,
        text: str,
        *,
        user: str = "491700000001",
        user_id: str | None = None,
        named: bool = False,
        user_name: str = "Ada",
        **more: object,
    ) -> str:
        """Let a user write; returns the message's id. `more` goes into the message as it is.

        Args:
            user_id: Meta's id of the user; left out as before 2026 where it is None.
            named: whether the user hides the phone number behind a name.
        """
        message_id = self._new_id()
        person: dict[str, Any] = {"profile": {"name": user_name}}
        message: dict[str, Any] = {"id": message_id, "timestamp": str(_FIRST_DATE + self._last)}
        if not (named and user_id):
            person["wa_id"] = message["from"] = user
        if user_id is not None:
            person["user_id"] = message["from_user_id"] = user_id
        if "type" not in more:
            message |= {"type": "text", "text": {"body": text}}
        self.push({"contacts": [person], "messages": [{**message, **more}]})
        self._heard.add(message_id)
        return message_id

    def push(self, value: Mapping[str, Any]) -> None:
        """Put something for the webhook in, as it is."""
        self._last += 1
        self.waiting.append(Event(self._last, value))
        self.ring()

    def fail(self, call: str, fault: Fault, times: int = 1) -> None:
        """Script a fault for the next calls: `number`, `message`, `read` or `media`."""
        self._faults.setdefault(call, deque()).extend([fault] * times)

    async def replies(self, count: int) -> list[SentMessage]:
        """Wait until the bot has sent that many messages in all."""
        await self.until(lambda: len(self.sent) >= count)
        return self.sent

    async def called(self, call: str, times: int = 1) -> None:
        """Wait until a call was made that often in all."""
        await self.until(lambda: self.calls[call] >= times)

    async def drained(self) -> None:
        """Wait until the webhook has taken everything."""
        await self.until(lambda: not self.waiting)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds, as far as this number's doings make it so."""
        while not holds():
            await self._bell.wait()

    def ring(self) -> None:
        """Wake all who wait."""
        self._bell.set()
        self._bell = asyncio.Event()

    # ── what the webhook gets ────────────────────────────────────────────────────────────────────────────────
    def next_webhook(self) -> tuple[list[Event], dict[str, Any]]:
        """The next events and the body that brings them: the first in an entry of its own, the rest in another."""
        events = list(islice(self._unbrought(), self.batch))
        entries = [self._entry(events[:1]), *([self._entry(events[1:])] if events[1:] else [])]
        return events, {"object": "whatsapp_business_account", "entry": entries}

    def has_webhook(self) -> bool:
        """Whether anything waits that nobody is bringing."""
        return any(True for _ in self._unbrought())

    @contextmanager
    def bringing(self, events: Sequence[Event]) -> Iterator[None]:
        """While somebody brings these, nobody else does."""
        numbers = {event.number for event in events}
        self._under_way |= numbers
        try:
            yield
        finally:
            self._under_way -= numbers
            self.ring()

    def _unbrought(self) -> Iterator[Event]:
        return (event for event in self.waiting if event.number not in self._under_way)

    def _entry(self, events: Sequence[Event]) -> dict[str, Any]:
        about = {"display_phone_number": self.display, "phone_number_id": self.phone_number_id}
        said: dict[str, Any] = {"messaging_product": "whatsapp", "metadata": about}
        changes = []
        for event in events:
            if "messages" in event.value and "messages" in said:  # several messages in one change
                said["messages"] = [*said["messages"], *event.value["messages"]]
                said["contacts"] = [*said["contacts"], *event.value["contacts"]]
            elif set(event.value) == {"messages", "contacts"}:
                said |= event.value
            else:
                changes.append({"field": "messages", "value": {"metadata": about, **event.value}})
        if "messages" in said:
            changes.insert(0, {"field": "messages", "value": said})
        return {"id": "1029384756", "changes": changes}

    def answered(self, events: Sequence[Event], body: bytes, status: int) -> None:
        """The webhook's answer; 0 where there was none."""
        self.posts.append((body, status))
        for event in events:
            if event in self.waiting and (status == 200 or self.overtaken):  # noqa: PLR2004 - the one yes
                self.waiting.remove(event)
                if status != 200:  # noqa: PLR2004
                    self.waiting.append(event)
        self.ring()

    # ── what the server does ─────────────────────────────────────────────────────────────────────────────────
    def enter(self, call: str) -> Fault | None:
        """Count a call and take the fault that is scripted for it."""
        self.calls[call] += 1
        self.ring()
        faults = self._faults.get(call)
        return faults.popleft() if faults else None

    def facts(self, names: str) -> dict[str, Any]:
        """The number's own fields. Raises ApiError."""
        wanted = [name for name in names.split(",") if name]
        for name in wanted:
            if name not in _FACTS:
                raise ApiError(400, 100, f"Tried accessing nonexisting field ({name})")
        webhook = {"application": self.callback_url} if self.callback_url else {}
        known = {
            "verified_name": self.name,
            "display_phone_number": f"+{self.display}",
            "quality_rating": "GREEN",
            "webhook_configuration": webhook,
        }
        return {"id": self.phone_number_id, **{name: known[name] for name in wanted if name in known}}

    def posted(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a POST of the number's messages. Raises ApiError."""
        if fields.get("messaging_product") != "whatsapp":
            raise ApiError(400, 100, "The parameter messaging_product is required.")
        if "status" in fields:
            return self._read(fields)
        unknown = set(fields) - _KEYS
        if unknown:
            raise ApiError(400, 100, "Invalid parameter", f"Unexpected key {min(unknown)!r} on param 'root'")
        to, text = self._checked(fields)
        now = asyncio.get_running_loop().time()
        if self.limits:
            self._pace(to, now)
        quoted = fields.get("context") or {}
        message = SentMessage(
            self._new_id(), now, to, text, fields.get("biz_opaque_callback_data"), quoted.get("message_id")
        )
        receipt = {"messaging_product": "whatsapp", "messages": [{"id": message.message_id}]}
        if _USER_ID.fullmatch(str(fields.get("to", ""))):
            self.lost.append(message)
            return {**receipt, "contacts": [{"input": to, "wa_id": re.sub(r"\D", "", to)}]}
        if to not in self.closed:
            self.sent.append(message)
        self._follow(message)
        self.ring()
        return {**receipt, "contacts": [{"input": to, "wa_id": to}]}

    def _read(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        message_id, typing = fields.get("message_id"), fields.get("typing_indicator")
        if fields["status"] != "read" or message_id not in self._heard:
            raise ApiError(400, 131009, "Parameter value is not valid", "Message ID is invalid.")
        if typing not in (None, {"type": "text"}):
            raise ApiError(400, 100, "Invalid parameter", "typing_indicator")
        self.reads.append((str(message_id), typing is not None))
        self.ring()
        return {"success": True}

    def _checked(self, fields: Mapping[str, Any]) -> tuple[str, str]:
        """Whom, and what. Raises ApiError."""
        kind, to = fields.get("recipient_type", "individual"), fields.get("to", fields.get("recipient"))
        if kind not in ("individual", "group") or not isinstance(to, str) or not to:
            raise ApiError(400, 100, "The parameter to is required.")
        if "to" not in fields and not _USER_ID.fullmatch(to):
            raise ApiError(400, 131009, "Parameter value is not valid", "recipient is no user id")
        if "to" in fields and kind == "individual" and not re.fullmatch(r"\+?\d+|[A-Z]{2}\..+", to):
            raise ApiError(400, 131009, "Parameter value is not valid", "to is no phone number")
        if to in self.refused:
            raise ApiError(*self.refused[to])
        body = (fields.get("text") or {}).get("body")
        if fields.get("type") != "text" or not isinstance(body, str) or not body.strip():
            raise ApiError(400, 100, "The parameter text['body'] is required.")
        if len(body) > LONGEST_TEXT:
            raise ApiError(400, 100, f"Param text['body'] must be at most {LONGEST_TEXT} characters long.")
        if len(fields.get("biz_opaque_callback_data", "").encode()) > LONGEST_CALLBACK:
            raise ApiError(400, 100, "Param biz_opaque_callback_data is too long.")
        return to, body

    def _pace(self, to: str, now: float) -> None:
        while self._recent and self._recent[0] <= now - 1.0:
            self._recent.popleft()
        if len(self._recent) >= NUMBER_RATE:
            raise ApiError(400, 130429, "Rate limit hit", "Message failed to send: too many messages")
        if now < self._user_free_at.get(to, 0.0):
            words = "(Business Account, Consumer Account) pair rate limit hit"
            raise ApiError(400, 131056, words, "Too many messages to the same user in a short time.")
        self._user_free_at[to] = now + USER_INTERVAL_S
        self._recent.append(now)

    def _follow(self, message: SentMessage) -> None:
        """Tell the webhook what became of a message."""
        failed = message.to in self.closed
        for state in ("failed",) if failed else self.statuses:
            status: dict[str, Any] = {
                "id": message.message_id,
                "status": state,
                "timestamp": str(_FIRST_DATE + self._last),
                "recipient_id": message.to,
            }
            if message.callback is not None:
                status["biz_opaque_callback_data"] = message.callback
            if failed:
                details = "more than 24 hours have passed since the user last replied"
                status["errors"] = [
                    {"code": WINDOW, "title": "Re-engagement message", "error_data": {"details": details}}
                ]
            self.push({"statuses": [status]})

    def _new_id(self) -> str:
        self._last += 1
        return f"wamid.{self.phone_number_id}.{self._last}"
