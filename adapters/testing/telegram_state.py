"""What the fake Telegram remembers of its bots, and how it answers. No HTTP in here.

Rules, as on the real one: an update stays until a poll's offset passes it; a new poll ends an older one of the same
token with 409; polling while a webhook is set is 409; with `limits`, a chat takes a message or an edit a second and
a bot thirty. What it refuses: `telegram_rules`. Waiting is by event, never by looking again.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import ceil
from typing import Any

from adapters.testing.telegram_rules import (
    PARAMETERS,
    SAME,
    ApiError,
    check_draft,
    check_parameters,
    check_text,
    check_webhook,
    too_many,
)

BOT_RATE = 30
_FIRST_DATE = 1_780_000_000
_EARLIER = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
_WEBHOOK = (
    "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete it first"
)


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


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message that the bot has sent, or has shown as a draft. `at_s` is the loop's time."""

    message_id: int
    at_s: float
    chat_id: str
    text: str
    thread: str | None = None
    reply_to: int | None = None
    entities: tuple[Mapping[str, Any], ...] = ()


class Bell:
    """Wakes all who wait at that moment."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wake them."""
        self._event.set()
        self._event = asyncio.Event()

    def next(self) -> asyncio.Event:
        """Set at the next ring."""
        return self._event

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds that only changes when it rings."""
        while not holds():
            await self._event.wait()


@dataclass(slots=True)
class Account:
    """One bot on the fake: what waits for it, what it sent, what shall go wrong.

    Attributes:
        limits: whether rates are limited as on the real one.
        drafting: whether the server knows sendMessageDraft.
        sent: each message as it was when it was sent; `shown`: by number, as it is now.
        drafts, edits: what was shown by sendMessageDraft and editMessageText, in order.
        news: rung when there may be something to post to a webhook.
        files: what getFile finds, by file_id: path and bytes.
        refused: chats that take nothing, with status and description.
        missing_threads: topics that are gone.
        calls: how often each method was called.
    """

    token: str
    username: str
    limits: bool = False
    drafting: bool = True
    revoked: bool = False
    webhook: str | None = None
    webhook_secret: str = ""
    post_errors: list[str] = field(default_factory=list)
    waiting: deque[dict[str, Any]] = field(default_factory=deque)
    sent: list[SentMessage] = field(default_factory=list)
    shown: dict[int, SentMessage] = field(default_factory=dict)
    drafts: list[SentMessage] = field(default_factory=list)
    edits: list[SentMessage] = field(default_factory=list)
    commands: list[Mapping[str, str]] = field(default_factory=list)
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    refused: dict[str, tuple[int, str]] = field(default_factory=dict)
    missing_threads: set[str] = field(default_factory=set)
    migrated: dict[str, int] = field(default_factory=dict)
    _faults: dict[str, deque[Fault]] = field(default_factory=dict)
    news: Bell = field(default_factory=Bell)
    _bell: Bell = field(default_factory=Bell)
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
        if self.webhook:
            self.news.ring()
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

    async def drafted(self, count: int) -> list[SentMessage]:
        """Wait until that many drafts were shown in all."""
        await self._bell.until(lambda: len(self.drafts) >= count)
        return self.drafts

    async def edited(self, count: int) -> list[SentMessage]:
        """Wait until that many edits were made in all."""
        await self._bell.until(lambda: len(self.edits) >= count)
        return self.edits

    async def called(self, method: str, times: int = 1) -> None:
        """Wait until a method was called that often in all."""
        await self._bell.until(lambda: self.calls[method] >= times)

    async def drained(self) -> None:
        """Wait until each update is confirmed."""
        await self._bell.until(lambda: not self.waiting)

    async def post_failures(self, count: int) -> list[str]:
        """Wait until so many posts to the webhook have failed in all."""
        await self._bell.until(lambda: len(self.post_errors) >= count)
        return self.post_errors

    # ── what the server does ─────────────────────────────────────────────────────────────────────────────
    def enter(self, method: str) -> Fault | None:
        """Count a call and take the fault that is scripted for it."""
        self.calls[method] += 1
        self._bell.ring()
        faults = self._faults.get(method)
        return faults.popleft() if faults else None

    def posted(self, update: dict[str, Any]) -> None:
        """The webhook has taken it."""
        if update in self.waiting:
            self.waiting.remove(update)
        self._bell.ring()

    def post_failed(self, error: str) -> None:
        """The webhook has not taken it."""
        self.post_errors.append(error)
        self._bell.ring()

    async def answer(self, method: str, fields: Mapping[str, Any]) -> object:
        """The result of a method. Raises ApiError."""
        if self.revoked:
            raise ApiError(401, "Unauthorized")
        if method in PARAMETERS:
            check_parameters(method, fields)
        if method == "getUpdates":
            return await self._updates(fields)
        ways: Mapping[str, Callable[[Mapping[str, Any]], object]] = {
            "getMe": self._me,
            "sendMessage": self._send,
            "sendMessageDraft": self._draft,
            "editMessageText": self._edit,
            "sendChatAction": lambda _: True,
            "setMyCommands": self._set_commands,
            "getFile": self._file,
            "setWebhook": self._set_webhook,
            "deleteWebhook": self._delete_webhook,
            "getWebhookInfo": self._webhook_info,
        }
        way = ways.get(method)
        if way is None or (method == "sendMessageDraft" and not self.drafting):
            raise ApiError(404, "Not Found")
        return way(fields)

    def _me(self, _: Mapping[str, Any]) -> object:
        return {"id": self.id, "is_bot": True, "first_name": self.username, "username": self.username}

    def _set_commands(self, fields: Mapping[str, Any]) -> object:
        self.commands = list(fields["commands"])
        return True

    def _set_webhook(self, fields: Mapping[str, Any]) -> object:
        url, secret = str(fields.get("url", "")), str(fields.get("secret_token", ""))
        check_webhook(url, secret)
        self.webhook, self.webhook_secret = url or None, secret
        self.news.ring()
        return True

    def _webhook_info(self, _: Mapping[str, Any]) -> object:
        info: dict[str, Any] = {
            "url": self.webhook or "",
            "has_custom_certificate": False,
            "pending_update_count": len(self.waiting),
        }
        if self.post_errors:
            info["last_error_date"] = _FIRST_DATE + len(self.post_errors)
            info["last_error_message"] = self.post_errors[-1]
        return info

    def _delete_webhook(self, fields: Mapping[str, Any]) -> object:
        self.webhook = None
        if str(fields.get("drop_pending_updates", "")).lower() == "true":
            self.waiting.clear()
        return True

    def _file(self, fields: Mapping[str, Any]) -> object:
        file_id = str(fields.get("file_id", ""))
        if file_id not in self.files:
            raise ApiError(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        path, data = self.files[file_id]
        return {"file_id": file_id, "file_unique_id": file_id, "file_size": len(data), "file_path": path}

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
        message = self._written(fields)
        self._last_message += 1
        message = replace(message, message_id=self._last_message)
        self.sent.append(message)
        return self._now_shown(message)

    def _draft(self, fields: Mapping[str, Any]) -> bool:
        check_draft(str(fields.get("chat_id", "")), str(fields.get("draft_id", "")))
        self.drafts.append(replace(self._written(fields), message_id=int(fields["draft_id"])))
        self._bell.ring()
        return True

    def _edit(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        message = self._written(fields)
        old = self.shown.get(int(fields.get("message_id", 0)))
        if old is None or old.chat_id != message.chat_id:
            raise ApiError(400, "Bad Request: message to edit not found")
        if (old.text, old.entities) == (message.text, message.entities):
            raise ApiError(400, SAME)
        self.edits.append(
            replace(message, message_id=old.message_id, thread=old.thread, reply_to=old.reply_to)
        )
        return self._now_shown(self.edits[-1])

    def _now_shown(self, message: SentMessage) -> dict[str, Any]:
        self.shown[message.message_id] = message
        self._bell.ring()
        return {
            "message_id": message.message_id,
            "date": _FIRST_DATE + message.message_id,
            "chat": {"id": int(message.chat_id), "type": "private"},
            "text": message.text,
        }

    def _written(self, fields: Mapping[str, Any]) -> SentMessage:
        """What a call wants to show, if it may."""
        chat, text = str(fields.get("chat_id", "")), str(fields.get("text", ""))
        thread = str(fields["message_thread_id"]) if "message_thread_id" in fields else None
        self._check_chat(chat, thread)
        entities = tuple(fields.get("entities") or ())
        check_text(text, entities)
        now = asyncio.get_running_loop().time()
        if self.limits:
            self._pace(chat, now)
        quoted = (fields.get("reply_parameters") or {}).get("message_id")
        return SentMessage(0, now, chat, text, thread, quoted, entities)

    def _check_chat(self, chat: str, thread: str | None) -> None:
        if not chat.lstrip("-").isdigit():
            raise ApiError(400, "Bad Request: chat not found" if chat else "Bad Request: chat_id is empty")
        if chat in self.migrated:
            what = "Bad Request: group chat was upgraded to a supergroup chat"
            raise ApiError(400, what, {"migrate_to_chat_id": self.migrated[chat]})
        if chat in self.refused:
            raise ApiError(*self.refused[chat])
        if thread is not None and thread in self.missing_threads:
            raise ApiError(400, "Bad Request: message thread not found")

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
