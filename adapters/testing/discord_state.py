"""What the fake Discord remembers of its bots, and how it answers. No HTTP and no sockets in here.

Rules, as on the real one: ids tell when they were made; a session numbers its events and keeps them for a resume; a
message has 1 to 2000 characters; `enforce_nonce` answers a nonce that it knows with the message that it made; with
`limits`, a channel takes five messages in five seconds; an interaction takes no answer before its acknowledgement.
Waiting is by event, never by looking again. Time begins at a fixed date and goes by the loop's clock.
"""

from __future__ import annotations

import asyncio
from base64 import urlsafe_b64decode
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from adapters.testing.discord_parts import (
    LOADING,
    ApiError,
    Asked,
    Bell,
    Fault,
    SentMessage,
    Session,
    too_many,
)

LONGEST_TEXT = 2000
CHANNEL_RATE, CHANNEL_WINDOW_S = 5, 5.0
CONTENT_INTENT = 1 << 15
EPOCH_MS = 1_420_070_400_000
_FIRST_MS = 1_790_000_000_000
_MOST_NONCES = 1000


@dataclass(slots=True)
class Application:
    """One bot on the fake: who talks to it, what it sent, what shall go wrong.

    Attributes:
        guild: the one server that the bot is in.
        allowed: the intents that the portal allows.
        silent: whether heartbeats are not answered.
        refuse: a close code for whoever identifies; None: welcome.
        sessions_left: how many may still be begun.
        closed: channels that the bot may not write into or read.
        files: what its file server has, by name.
        calls: how often each route was called, e.g. `POST /channels/{id}/messages`.
    """

    token: str
    username: str
    public_key: str = ""
    limits: bool = False
    revoked: bool = False
    guild: str = "5000"
    allowed: int = (1 << 26) - 1
    flags: int = 1 << 19
    refuse: int | None = None
    sessions_left: int = 1000
    recommended_shards: int = 1
    posts_to: str | None = None
    silent: bool = False
    identified: int = 0
    resumed: int = 0
    channels: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    direct: dict[str, str] = field(default_factory=dict)
    threads: dict[str, dict[str, Any]] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    sessions: dict[str, Session] = field(default_factory=dict)
    sent: list[SentMessage] = field(default_factory=list)
    asked: dict[str, Asked] = field(default_factory=dict)
    commands: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, deque[Fault]] = field(default_factory=dict)
    bell: Bell = field(default_factory=Bell)
    _nonces: OrderedDict[tuple[str, str], dict[str, Any]] = field(default_factory=OrderedDict)
    _recent: dict[str, deque[float]] = field(default_factory=dict)
    _number: int = 0

    @property
    def id(self) -> str:
        """The bot's id, which the token begins with."""
        first = self.token.partition(".")[0]
        return urlsafe_b64decode(first + "=" * (-len(first) % 4)).decode()

    # ── what a test does ─────────────────────────────────────────────────────────────────────────────────
    def say(
        self,
        text: str,
        *,
        user_id: int = 1,
        channel: str | None = None,
        mention: bool = False,
        user_name: str = "ada",
        **more: object,
    ) -> str:
        """Let a user write, directly or in a channel of the server; returns the message's id."""
        direct = channel is None
        channel = channel or self.direct.setdefault(str(user_id), str(600_000 + user_id))
        message: dict[str, Any] = {
            "id": self.snowflake(),
            "channel_id": channel,
            "type": 0,
            "content": f"<@{self.id}> {text}" if mention else text,
            "author": {"id": str(user_id), "username": user_name, "global_name": user_name.title()},
            "mentions": [{"id": self.id, "username": self.username, "bot": True}] if mention else [],
            "mention_roles": [],
            "attachments": [],
            "timestamp": self.iso(),
            **more,
        }
        self.channels.setdefault(channel, []).append(message)
        self.push("MESSAGE_CREATE", message if direct else {**message, "guild_id": self.guild, "member": {}})
        return str(message["id"])

    def ask(self, name: str, text: str | None = None, *, user_id: int = 1, channel: str = "700") -> Asked:
        """Let a user give a command in a channel of the server. It comes by the gateway, or is to be posted."""
        self._number += 1
        options = [] if text is None else [{"name": "text", "type": 3, "value": text}]
        user = {"id": str(user_id), "username": "ada"}
        raw: dict[str, Any] = {
            "id": self.snowflake(),
            "application_id": self.id,
            "type": 2,
            "token": f"interaction-secret-{self._number}",
            "guild_id": self.guild,
            "channel_id": channel,
            "member": {"user": user},
            "data": {"id": "1", "name": name, "type": 1, "options": options},
            "version": 1,
        }
        one = self.asked[str(raw["token"])] = Asked(str(raw["id"]), str(raw["token"]), channel, raw)
        self.channels.setdefault(channel, [])
        if self.posts_to is None:
            self.push("INTERACTION_CREATE", raw)
        return one

    def push(self, name: str, data: Mapping[str, Any]) -> None:
        """An event for whichever shard it belongs to."""
        guild = data.get("guild_id")
        for session in self.sessions.values():
            if session.shard == (0 if guild is None else (int(str(guild)) >> 22) % session.shards):
                session.push(name, self._seen_by(session, name, data))
        self.bell.ring()

    def _seen_by(self, session: Session, name: str, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """Without the intent, texts in a server that do not mention the bot are empty."""
        hidden = name == "MESSAGE_CREATE" and "guild_id" in data and not session.intents & CONTENT_INTENT
        if hidden and all(user["id"] != self.id for user in data["mentions"]):
            return {**data, "content": "", "attachments": []}
        return data

    def fail(self, route: str, fault: Fault, times: int = 1) -> None:
        """Script a fault for the next calls of a route."""
        self.faults.setdefault(route, deque()).extend([fault] * times)

    async def replies(self, count: int) -> list[SentMessage]:
        """Wait until the bot has sent that many messages in all."""
        await self.bell.until(lambda: len(self.sent) >= count)
        return self.sent

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds that changes with calls, events or connections."""
        await self.bell.until(holds)

    # ── time and numbers ─────────────────────────────────────────────────────────────────────────────────
    def now_ms(self) -> int:
        """Unix milliseconds on the fake."""
        return _FIRST_MS + int(asyncio.get_running_loop().time() * 1000)

    def iso(self) -> str:
        """Now, as Discord writes it."""
        return datetime.fromtimestamp(self.now_ms() / 1000, UTC).isoformat()

    def snowflake(self, ago_ms: int = 0) -> str:
        """A new id; larger than any before it, unless it is made in the past."""
        self._number += 1
        return str(((self.now_ms() - ago_ms - EPOCH_MS) << 22) + self._number)

    # ── what the server does ─────────────────────────────────────────────────────────────────────────────
    def enter(self, route: str) -> Fault | None:
        """Count a call and take the fault that is scripted for it."""
        self.calls[route] += 1
        self.bell.ring()
        faults = self.faults.get(route)
        return faults.popleft() if faults else None

    def guild_raw(self) -> dict[str, Any]:
        """GUILD_CREATE."""
        places = [
            {"id": channel, "type": 0, "last_message_id": messages[-1]["id"] if messages else None}
            for channel, messages in self.channels.items()
            if channel not in self.direct.values() and channel not in self.threads
        ]
        threads = [
            {
                **thread,
                "last_message_id": self.channels[number][-1]["id"] if self.channels.get(number) else None,
            }
            for number, thread in self.threads.items()
        ]
        role = {"id": "5001", "name": self.username, "tags": {"bot_id": self.id}}
        joined = datetime.fromtimestamp((_FIRST_MS - 86_400_000) / 1000, UTC).isoformat()
        return {
            "id": self.guild,
            "name": "a server",
            "joined_at": joined,
            "channels": places,
            "threads": threads,
            "roles": [role],
        }

    def post(self, channel: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """A new message in a channel. Raises ApiError."""
        if channel not in self.channels:
            raise ApiError(404, 10003, "Unknown Channel")
        if channel in self.closed:
            raise ApiError(403, 50001, "Missing Access")
        nonce = body.get("nonce")
        _check_body(body)
        if nonce is not None and body.get("enforce_nonce") and (channel, nonce) in self._nonces:
            return self._nonces[channel, nonce]
        if self.limits:
            self._pace(channel)
        message = self._made(channel, body, "channel")
        if nonce is not None:
            self._nonces[channel, nonce] = message
            while len(self._nonces) > _MOST_NONCES:
                self._nonces.popitem(last=False)
        return message

    def change(self, message: dict[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
        """Another text for a message of the bot's own. Raises ApiError."""
        if message["author"]["id"] != self.id:
            raise ApiError(403, 50005, "Cannot edit a message authored by another user")
        _check_body(body)
        message["content"] = str(body["content"]).strip()
        at = next(at for at, sent in enumerate(self.sent) if sent.id == message["id"])
        self.sent[at] = replace(self.sent[at], text=str(body["content"]))
        self.bell.ring()
        return message

    def left(self, channel: str) -> tuple[int, float]:
        """How many messages a channel takes now, and in how many seconds it takes all again."""
        recent = self._recent.setdefault(channel, deque())
        now = asyncio.get_running_loop().time()
        while recent and recent[0] <= now - CHANNEL_WINDOW_S:
            recent.popleft()
        reset = recent[0] + CHANNEL_WINDOW_S - now if recent else 0.0
        return CHANNEL_RATE - len(recent), reset

    def _pace(self, channel: str) -> None:
        remaining, reset = self.left(channel)
        if remaining <= 0:
            raise too_many(reset)
        self._recent[channel].append(asyncio.get_running_loop().time())

    def _made(self, channel: str, body: Mapping[str, Any], way: str) -> dict[str, Any]:
        quoted = (body.get("message_reference") or {}).get("message_id")
        pings = "everyone" in body.get("allowed_mentions", {}).get("parse", ["everyone"])
        message = {
            "id": self.snowflake(),
            "channel_id": channel,
            "content": str(body["content"]).strip(),
            "author": {"id": self.id, "username": self.username, "bot": True},
            "type": 0,
            "flags": 0,
        }
        self.channels.setdefault(channel, []).append(message)
        self.sent.append(
            SentMessage(
                str(message["id"]),
                asyncio.get_running_loop().time(),
                channel,
                str(body["content"]),
                body.get("nonce"),
                quoted,
                pings and ("@everyone" in body["content"] or "@here" in body["content"]),
                way,
            )
        )
        self.bell.ring()
        return message

    def acknowledge(self, token: str, answer: Mapping[str, Any]) -> None:
        """The callback of an interaction, by whichever way. Raises ApiError."""
        one = self.asked.get(token)
        if one is None:
            raise ApiError(404, 10062, "Unknown interaction")
        if one.answer is not None:
            raise ApiError(400, 40060, "Interaction has already been acknowledged.")
        one.answer = answer
        content = (answer.get("data") or {}).get("content", "")
        flags = LOADING if answer.get("type") == 5 else (answer.get("data") or {}).get("flags", 0)  # noqa: PLR2004 - the wire's number
        one.message = {"id": self.snowflake(), "channel_id": one.channel, "content": content, "flags": flags}
        self.bell.ring()

    def hook(self, token: str) -> Asked:
        """The interaction of a token that is acknowledged. Raises ApiError."""
        one = self.asked.get(token)
        if one is None or one.message is None:
            raise ApiError(404, 10015, "Unknown Webhook")
        return one

    def edit(self, token: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Put a text into the placeholder. Raises ApiError."""
        one = self.hook(token)
        _check_body(body)
        made = self._made(one.channel, body, "placeholder")
        if one.message is not None and not one.message["flags"]:  # what it showed before is gone
            before = one.message["id"]
            self.sent = [sent for sent in self.sent if sent.id != before]
        one.message = {**made, "flags": 0}
        return one.message

    def follow_up(self, token: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """One more message after the placeholder. Raises ApiError."""
        one = self.hook(token)
        _check_body(body)
        return self._made(one.channel, body, "follow-up")


def _check_body(body: Mapping[str, Any]) -> None:
    text = body.get("content")
    if not isinstance(text, str) or not text.strip():
        raise ApiError(400, 50006, "Cannot send an empty message")
    if len(text) > LONGEST_TEXT:
        raise ApiError(400, 50035, "Invalid Form Body", {"errors": {"content": "BASE_TYPE_MAX_LENGTH"}})
    nonce = body.get("nonce")
    if nonce is not None and (not isinstance(nonce, str) or len(nonce) > 25):  # noqa: PLR2004 - Discord's own limit
        raise ApiError(400, 50035, "Invalid Form Body", {"errors": {"nonce": "BASE_TYPE_MAX_LENGTH"}})
