"""What the fake Slack remembers of its bots, and how it answers. No HTTP in here.

Rules, as on the real one: an event is brought until it is acknowledged, again after `retry_s`; a message has one `ts`
that grows; `app_mention` and `message` of one text share it and have event ids of their own; a markdown block has up
to 12,000 characters; with `limits`, a channel takes a message a second; what becomes of messages later is told in
slack_messages. Waiting is by event, never by looking again.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import ceil
from typing import Any

from adapters.testing.slack_files import File, file_info
from adapters.testing.slack_messages import CHANGES, Message, change, page, shown
from adapters.testing.slack_rules import ApiError, check_post, check_stream, is_ts

__all__ = ["Account", "Bell", "Delivery", "Fault", "FaultKind", "Message", "direct_chat"]


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
    ERROR = "error"
    """Nothing is done and Slack says no: `body` is its word."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One scripted fault; `body` is sent as it is, as JSON where it begins with a brace."""

    kind: FaultKind
    status: int = 200
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Delivery:
    """Something that Slack brings until it is acknowledged."""

    kind: str
    payload: Mapping[str, Any]
    tries: int = 0


def direct_chat(user: str) -> str:
    """The channel of a user's direct chat with the bot: D7 for U7."""
    return f"D{user.removeprefix('U')}"


class Bell:
    """Wakes all who wait at that moment."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Something changed."""
        self._event.set()
        self._event = asyncio.Event()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until it holds."""
        while not holds():
            await self._event.wait()

    async def next(self) -> None:
        """Wait until something changes."""
        await self._event.wait()


@dataclass(slots=True)
class Account:
    """One app in one workspace: what waits for it, what it sent, what shall go wrong.

    Attributes:
        wall: the time of day in Unix seconds, for `ts`.
        request_url: where events are posted to; None: they go over its sockets.
        retry_s: after how long what was not acknowledged is brought again.
        limits: whether rates are limited as on the real one.
        refused: channels that take nothing, with Slack's word for it.
        socket_mode: whether it is switched on.
        mute: whether new sockets answer no pings.
        waiting: what is not acknowledged, by envelope id.
        files: what can be fetched, by id.
        origin: where its server listens.
        working: the statuses and reactions that were set, in order.
    """

    bot_token: str
    wall: Callable[[], float]
    app_token: str = ""
    signing_secret: str = ""
    team: str = "T0FAKE"
    user: str = "U0BOT"
    bot: str = "B0BOT"
    scopes: str = "app_mentions:read,channels:history,chat:write,files:read,im:history,reactions:write"
    request_url: str | None = None
    retry_s: float = 3.0
    limits: bool = False
    revoked: bool = False
    socket_mode: bool = True
    mute: bool = False
    said: list[Message] = field(default_factory=list)
    waiting: OrderedDict[str, Delivery] = field(default_factory=OrderedDict)
    working: list[tuple[str, str, str]] = field(default_factory=list)
    reactions: set[tuple[str, str, str]] = field(default_factory=set)
    calls: Counter[str] = field(default_factory=Counter)
    refused: dict[str, str] = field(default_factory=dict)
    missing_scopes: dict[str, str] = field(default_factory=dict)
    files: dict[str, File] = field(default_factory=dict)
    origin: str = ""
    bell: Bell = field(default_factory=Bell)
    _faults: dict[str, deque[Fault]] = field(default_factory=dict)
    _number: int = 0
    _last_ts: float = 0.0
    _channel_free_at: dict[str, float] = field(default_factory=dict)

    @property
    def sent(self) -> list[Message]:
        """What the bot has sent."""
        return [message for message in self.said if message.user == self.user]

    # ── what a test does ─────────────────────────────────────────────────────────────────────────────────
    def say(
        self,
        text: str,
        *,
        user: str = "U7",
        channel: str | None = None,
        thread: str | None = None,
        kinds: tuple[str, ...] = ("message",),
        **more: object,
    ) -> str:
        """Let a user write, directly where no channel is named; returns the `ts`. `more` goes into the event.

        Args:
            kinds: which events tell of it; "app_mention" besides "message" where an app hears both.
        """
        where, ts = channel or direct_chat(user), self.next_ts()
        self.said.append(Message(ts, self._now(), where, text, thread, user))
        event: dict[str, Any] = {
            "user": user,
            "text": text,
            "ts": ts,
            "event_ts": ts,
            "channel": where,
            "team": self.team,
        }
        if thread is not None:
            event["thread_ts"] = thread
            parent = next((one for one in self.said if one.ts == thread), None)
            event["parent_user_id"] = parent.user if parent is not None else "UGONE"
        for kind in kinds:
            extra = {} if kind == "app_mention" else {"channel_type": "im" if where[0] == "D" else "channel"}
            self.bring({**event, "type": kind, **extra, **more})
        return ts

    def command(self, name: str, text: str = "", *, user: str = "U7", channel: str | None = None) -> str:
        """Let a user give a slash command; returns its envelope id."""
        payload = {
            "command": name,
            "text": text,
            "team_id": self.team,
            "channel_id": channel or direct_chat(user),
            "user_id": user,
            "user_name": "ada",
            "trigger_id": f"{self._count()}.{self.team}.abc",
            "api_app_id": "A0FAKE",
            "is_enterprise_install": "false",
        }
        return self.push("slash_commands", payload)

    def bring(self, event: Mapping[str, Any]) -> str:
        """Bring an event as it is; returns its envelope id."""
        payload = {
            "type": "event_callback",
            "token": "legacy",
            "team_id": self.team,
            "api_app_id": "A0FAKE",
            "event": event,
            "event_id": f"Ev{self._count():08d}",
            "event_time": int(self.wall()),
            "authorizations": [{"team_id": self.team, "user_id": self.user, "is_bot": True}],
        }
        return self.push("events_api", payload)

    def push(self, kind: str, payload: Mapping[str, Any]) -> str:
        """Bring anything until it is acknowledged; returns its envelope id."""
        envelope_id = f"{self.team}-{self._count():08d}"
        self.waiting[envelope_id] = Delivery(kind, payload)
        self.bell.ring()
        return envelope_id

    def fail(self, method: str, fault: Fault, times: int = 1) -> None:
        """Script a fault for the next calls of a method."""
        self._faults.setdefault(method, deque()).extend([fault] * times)

    async def replies(self, count: int) -> list[Message]:
        """Wait until the bot has sent that many messages in all."""
        await self.bell.until(lambda: len(self.sent) >= count)
        return self.sent

    async def answers(self, count: int) -> list[Message]:
        """Wait until the bot has sent that many whole messages, which have metadata; drafts have none."""
        await self.bell.until(lambda: len([one for one in self.sent if one.metadata]) >= count)
        return [one for one in self.sent if one.metadata]

    def expire(self, ts: str) -> None:
        """Slack ends a stream, as it does after five minutes."""
        self.said[:] = [replace(one, streaming=False) if one.ts == ts else one for one in self.said]

    async def called(self, method: str, times: int = 1) -> None:
        """Wait until a method was called that often in all."""
        await self.bell.until(lambda: self.calls[method] >= times)

    async def drained(self) -> None:
        """Wait until everything is acknowledged."""
        await self.bell.until(lambda: not self.waiting)

    # ── what the server does ─────────────────────────────────────────────────────────────────────────────
    def acknowledge(self, envelope_id: str) -> None:
        """It need not be brought again."""
        self.waiting.pop(envelope_id, None)
        self.bell.ring()

    def enter(self, method: str) -> Fault | None:
        """Count a call and take the fault that is scripted for it."""
        self.calls[method] += 1
        self.bell.ring()
        faults = self._faults.get(method)
        return faults.popleft() if faults else None

    def next_ts(self) -> str:
        """A new message's name: the time, later than each before."""
        self._last_ts = max(self.wall(), self._last_ts + 0.000002)
        return f"{self._last_ts:.6f}"

    def answer(self, method: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The result of a method of the bot's token. Raises ApiError."""
        if self.revoked:
            raise ApiError("invalid_auth")
        if method in self.missing_scopes:
            raise ApiError("missing_scope", needed=self.missing_scopes[method], provided=self.scopes)
        answers: Mapping[str, Callable[[str, Mapping[str, Any]], dict[str, Any]]] = {
            "auth.test": self._who,
            "assistant.threads.setStatus": self._status,
            "chat.postMessage": self._post,
            "chat.startStream": self._stream,
            **dict.fromkeys(CHANGES, self._change),
            **dict.fromkeys(("conversations.history", "conversations.replies"), self._page),
            "files.info": self._file,
            **dict.fromkeys(("reactions.add", "reactions.remove"), self._react),
        }
        if method not in answers:
            raise ApiError("unknown_method")
        return answers[method](method, fields)

    def _who(self, _method: str, _fields: Mapping[str, Any]) -> dict[str, Any]:
        names = {"team": "Fake", "user": "helper", "url": "https://fake.slack.example/"}
        return {**names, "team_id": self.team, "user_id": self.user, "bot_id": self.bot}

    def _status(self, _method: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        self._check_channel(fields["channel_id"])
        if not is_ts(fields.get("thread_ts")):
            raise ApiError("invalid_thread_ts")
        self.working.append(("status", fields["channel_id"], fields["thread_ts"]))
        self.bell.ring()
        return {}

    def _page(self, method: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        self._check_channel(str(fields.get("channel", "")))
        return page(self.said, method, fields)

    def _file(self, _method: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        return {"file": file_info(self.files, self.origin, str(fields.get("file", "")))}

    def _post(self, _method: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        channel, thread = str(fields.get("channel", "")), fields.get("thread_ts")
        self._check_channel(channel)
        check_post(fields)
        if thread is not None and not is_ts(thread):
            raise ApiError("invalid_thread_ts")
        now = self._now()
        if self.limits and now < self._channel_free_at.get(channel, 0.0):
            wait = ceil(self._channel_free_at[channel] - now)
            raise ApiError("ratelimited", status=429, retry_after_s=wait)
        self._channel_free_at[channel] = now + 1.0
        blocks = tuple(fields.get("blocks") or ())
        text = blocks[0]["text"] if blocks else str(fields["text"])
        message = Message(
            self.next_ts(),
            now,
            channel,
            text,
            thread,
            self.user,
            metadata=fields.get("metadata"),
            blocks=blocks,
        )
        self.said.append(message)
        self.bell.ring()
        return {"channel": channel, "ts": message.ts, "message": shown(message)}

    def _stream(self, _method: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        channel = str(fields.get("channel", ""))
        self._check_channel(channel)
        piece = check_stream(fields)
        message = Message(
            self.next_ts(), self._now(), channel, piece, fields["thread_ts"], self.user, streaming=True
        )
        self.said.append(message)
        self.bell.ring()
        return {"channel": channel, "ts": message.ts}

    def _change(self, method: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        self._check_channel(str(fields.get("channel", "")))
        changed = change(self.said, self.user, method, fields)
        self.bell.ring()
        return changed

    def _check_channel(self, channel: str) -> None:
        if not channel:
            raise ApiError("channel_not_found")
        if channel in self.refused:
            raise ApiError(self.refused[channel])

    def _react(self, method: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        self._check_channel(fields["channel"])
        mark = (fields["channel"], fields["timestamp"], fields["name"])
        if not any((one.channel, one.ts) == mark[:2] for one in self.said):
            raise ApiError("message_not_found")
        adding = method == "reactions.add"
        if adding == (mark in self.reactions):
            raise ApiError("already_reacted" if adding else "no_reaction")
        (self.reactions.add if adding else self.reactions.remove)(mark)
        self.working.append((method, *mark[:2]))
        self.bell.ring()
        return {}

    def _count(self) -> int:
        self._number += 1
        return self._number

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
