"""What the fake Telegram remembers of its bots, and how it answers. No HTTP in here.

Rules, as on the real one: an update stays until a poll's offset passes it; a new poll ends an older one of the same
token with 409; polling while a webhook is set is 409; a text has 1 to 4096 UTF-16 units; with `limits`, a chat
takes a message a second and a bot thirty. Waiting is by event, never by looking again.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import ceil
from typing import Any

LONGEST_TEXT = 4096
BOT_RATE = 30
_FIRST_DATE = 1_780_000_000
_EARLIER = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
_WEBHOOK = (
    "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete it first"
)


class ApiError(Exception):
    """A refusal in Telegram's own form."""

    def __init__(self, status: int, description: str, parameters: Mapping[str, Any] | None = None) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameters = parameters or {}


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
    """One scripted fault; `body` is sent as it is."""

    kind: FaultKind
    status: int = 200
    body: str = ""


def too_many(retry_after_s: int) -> ApiError:
    """429 as Telegram says it."""
    text = f"Too Many Requests: retry after {retry_after_s}"
    return ApiError(429, text, {"retry_after": retry_after_s})


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message that the bot has sent. `at_s` is the loop's time."""

    message_id: int
    at_s: float
    chat_id: str
    text: str
    thread: str | None = None
    reply_to: int | None = None


class _Bell:
    """Wakes all who wait at that moment."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        self._event.set()
        self._event = asyncio.Event()

    async def until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            await self._event.wait()


@dataclass(slots=True)
class Account:
    """One bot on the fake: what waits for it, what it sent, what shall go wrong.

    Attributes:
        limits: whether rates are limited as on the real one.
        refused: chats that take nothing, with status and description.
        missing_threads: topics that are gone.
        calls: how often each method was called.
    """

    token: str
    username: str
    limits: bool = False
    revoked: bool = False
    webhook: str | None = None
    waiting: deque[dict[str, Any]] = field(default_factory=deque)
    sent: list[SentMessage] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    refused: dict[str, tuple[int, str]] = field(default_factory=dict)
    missing_threads: set[str] = field(default_factory=set)
    migrated: dict[str, int] = field(default_factory=dict)
    _faults: dict[str, deque[Fault]] = field(default_factory=dict)
    _bell: _Bell = field(default_factory=_Bell)
    _last_update: int = 1000
    _last_message: int = 0
    _poll: int = 0
    _chat_free_at: dict[str, float] = field(default_factory=dict)
    _recent: deque[float] = field(default_factory=deque)

    @property
    def id(self) -> int:
        """The number that the token begins with."""
        return int(self.token.partition(":")[0])

    # ── what a test does ─────────────────────────────────────────────────────────────────────────────────
    def say(
        self,
        text: str,
        *,
        user_id: int = 1,
        chat_id: int | None = None,
        chat_type: str = "private",
        user_name: str = "Ada",
        **more: object,
    ) -> int:
        """Let a user write; returns the update's number. `more` goes into the message as it is."""
        self._last_message += 1
        return self.push(
            {
                "message": {
                    "message_id": self._last_message,
                    "date": _FIRST_DATE + self._last_message,
                    "chat": {"id": user_id if chat_id is None else chat_id, "type": chat_type},
                    "from": {"id": user_id, "is_bot": False, "first_name": user_name},
                    "text": text,
                    **more,
                }
            }
        )

    def push(self, update: Mapping[str, Any]) -> int:
        """Put an update in as it is, with the next number."""
        self._last_update += 1
        self.waiting.append({"update_id": self._last_update, **update})
        self._bell.ring()
        return self._last_update

    def fail(self, method: str, fault: Fault, times: int = 1) -> None:
        """Script a fault for the next calls of a method."""
        self._faults.setdefault(method, deque()).extend([fault] * times)

    def recover(self) -> None:
        """Forget all scripted faults that have not happened."""
        self._faults.clear()

    async def replies(self, count: int) -> list[SentMessage]:
        """Wait until the bot has sent that many messages in all."""
        await self._bell.until(lambda: len(self.sent) >= count)
        return self.sent

    async def called(self, method: str, times: int = 1) -> None:
        """Wait until a method was called that often in all."""
        await self._bell.until(lambda: self.calls[method] >= times)

    async def drained(self) -> None:
        """Wait until each update is confirmed."""
        await self._bell.until(lambda: not self.waiting)

    # ── what the server does ─────────────────────────────────────────────────────────────────────────────
    def enter(self, method: str) -> Fault | None:
        """Count a call and take the fault that is scripted for it."""
        self.calls[method] += 1
        self._bell.ring()
        faults = self._faults.get(method)
        return faults.popleft() if faults else None

    async def answer(self, method: str, fields: Mapping[str, Any]) -> object:
        """The result of a method. Raises ApiError."""
        if self.revoked:
            raise ApiError(401, "Unauthorized")
        match method:
            case "getMe":
                return {"id": self.id, "is_bot": True, "first_name": self.username, "username": self.username}
            case "getUpdates":
                return await self._updates(fields)
            case "sendMessage":
                return self._send(fields)
            case "setWebhook":
                self.webhook = str(fields.get("url", "")) or None
            case "deleteWebhook":
                self.webhook = None
                if str(fields.get("drop_pending_updates", "")).lower() == "true":
                    self.waiting.clear()
            case "sendChatAction" | "setMyCommands":
                pass
            case _:
                raise ApiError(404, "Not Found")
        return True

    async def _updates(self, fields: Mapping[str, Any]) -> list[dict[str, Any]]:
        if self.webhook:
            raise ApiError(409, _WEBHOOK)
        self._confirm(int(fields.get("offset") or 0))
        self._poll += 1
        mine = self._poll
        self._bell.ring()  # an older poll wakes up and finds that it is over
        try:
            async with asyncio.timeout(float(fields.get("timeout") or 0)):
                await self._bell.until(lambda: self._poll != mine or bool(self.waiting))
        except TimeoutError:
            return []
        if self._poll != mine:
            raise ApiError(409, _EARLIER)
        return [self.waiting[at] for at in range(min(len(self.waiting), int(fields.get("limit") or 100)))]

    def _confirm(self, offset: int) -> None:
        if offset < 0:
            while len(self.waiting) > -offset:
                self.waiting.popleft()
        while self.waiting and self.waiting[0]["update_id"] < offset:
            self.waiting.popleft()

    def _send(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        chat, text = str(fields.get("chat_id", "")), str(fields.get("text", ""))
        thread = str(fields["message_thread_id"]) if "message_thread_id" in fields else None
        self._check(chat, text, thread)
        now = asyncio.get_running_loop().time()
        if self.limits:
            self._pace(chat, now)
        self._last_message += 1
        quoted = fields.get("reply_parameters") or {}
        self.sent.append(
            SentMessage(self._last_message, now, chat, text, thread, reply_to=quoted.get("message_id"))
        )
        self._bell.ring()
        return {
            "message_id": self._last_message,
            "date": _FIRST_DATE + self._last_message,
            "chat": {"id": int(chat), "type": "private"},
            "text": text,
        }

    def _check(self, chat: str, text: str, thread: str | None) -> None:
        if not chat.lstrip("-").isdigit():
            raise ApiError(400, "Bad Request: chat not found" if chat else "Bad Request: chat_id is empty")
        if chat in self.migrated:
            what = "Bad Request: group chat was upgraded to a supergroup chat"
            raise ApiError(400, what, {"migrate_to_chat_id": self.migrated[chat]})
        if chat in self.refused:
            raise ApiError(*self.refused[chat])
        if thread is not None and thread in self.missing_threads:
            raise ApiError(400, "Bad Request: message thread not found")
        if not text.strip():
            raise ApiError(400, "Bad Request: message text is empty")
        if len(text.encode("utf-16-le")) // 2 > LONGEST_TEXT:
            raise ApiError(400, "Bad Request: message is too long")

    def _pace(self, chat: str, now: float) -> None:
        while self._recent and self._recent[0] <= now - 1.0:
            self._recent.popleft()
        free_at = self._chat_free_at.get(chat, 0.0)
        if len(self._recent) >= BOT_RATE:
            free_at = max(free_at, self._recent[0] + 1.0)
        if now < free_at:
            raise too_many(ceil(free_at - now))
        self._chat_free_at[chat] = now + 1.0
        self._recent.append(now)
