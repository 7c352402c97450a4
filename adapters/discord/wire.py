"""Discord's JSON to our messages and back. Pure, and no object of the library on the way.

    MESSAGE_CREATE     ─▶ parse(raw, me, places)  ─▶ InboundMessage | None (nothing that we answer)
    INTERACTION_CREATE ─▶ parse_interaction(raw)  ─▶ InboundMessage | None     both raise UnreadableUpdate

Rules: the bot is meant in a direct chat, by a mention of it or of its own role, by a reply to it, and by anything
in a thread that it has joined (Discord joins it where it is mentioned). A thread is a chat of its own, under its
own id, so that a message belongs to the same chat whether or not its parent is known. `@everyone` means nobody.
Attachments are referenced as channel/message/attachment, since Discord's addresses carry a signature and expire.
No mention in what is sent pings anybody, whatever the text holds.
"""

from __future__ import annotations

import hashlib
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from adapters.contract import Capabilities
from adapters.errors import UnreadableUpdate
from adapters.markup import DISCORD, render
from adapters.messages import (
    Attachment,
    AttachmentKind,
    ChatKind,
    ChatRef,
    InboundMessage,
    OutboundMessage,
    Sender,
)
from adapters.text import utf16_units

LONGEST_TEXT = 2000
CAPABILITIES = Capabilities(
    max_text=LONGEST_TEXT,
    text_units="utf16",
    resends_unknown=True,
    chat_interval_s=1.0,
    bot_interval_s=1 / 50,
    shows_working=True,
    working_every_s=8.0,
    drafts=True,
    draft_every_s=1.2,
    draft_every_group_s=1.2,
    fetches=True,
    recalls=True,
    exclusive=True,
    default_rate_per_minute=120,
)
PINGS_NOBODY: Mapping[str, object] = {"parse": [], "replied_user": False}

PING, COMMAND, COMPONENT, AUTOCOMPLETE, MODAL = 1, 2, 3, 4, 5
"""Kinds of interactions."""
PONG, SAY, DEFER, DEFER_UPDATE, CHOICES = 1, 4, 5, 6, 8
"""Kinds of answers to them."""
EPHEMERAL = 1 << 6
LOADING = 1 << 7
"""Flags of a message: only the asker sees it; the answer is still to come."""

COMMANDS: tuple[Mapping[str, object], ...] = (
    {
        "name": "ask",
        "description": "Ask the bot something",
        "options": [{"type": 3, "name": "text", "description": "What you want to say", "required": True}],
    },
    {"name": "reset", "description": "Begin a new conversation"},
    {"name": "help", "description": "What this bot can do"},
    {"name": "usage", "description": "What you have used"},
)

_EPOCH_MS = 1_420_070_400_000
_TEXTS = frozenset({0, 19})
"""Kinds of messages that somebody wrote: plain ones and replies."""
_FORWARD = 1
_TOKEN = re.compile(r"[\w.~+=-]{1,512}", re.ASCII)
_LONGEST_ID = 20
_COMMAND = re.compile(r"/(\w{1,64})(?=\s|$)")
_MEDIA = {"image": AttachmentKind.IMAGE, "audio": AttachmentKind.AUDIO, "video": AttachmentKind.OTHER}
_NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Me:
    """Who the bot is. `mention` finds its name in a text."""

    id: str
    name: str = ""
    mention: re.Pattern[str] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "mention", re.compile(rf"<@!?{re.escape(self.id)}>"))


def snowflake_ms(snowflake: str) -> int:
    """When an id was made, Unix milliseconds."""
    return (int(snowflake) >> 22) + _EPOCH_MS


def snowflake_at(unix_ms: int) -> int:
    """The smallest id of that moment, for `after`."""
    return max(0, unix_ms - _EPOCH_MS) << 22


def instant_ms(iso: str) -> int:
    """A time as Discord writes it, as Unix milliseconds. Raises ValueError."""
    return int(datetime.fromisoformat(iso).timestamp() * 1000)


def parse(
    raw: Any,  # noqa: ANN401 - whatever the platform sent
    me: Me,
    threads: AbstractSet[str] = frozenset(),
    roles: AbstractSet[str] = frozenset(),
) -> InboundMessage | None:
    """Read one message. None: nothing that we answer. Raises UnreadableUpdate.

    Args:
        threads: the threads that the bot has joined.
        roles: the roles that are the bot's own.
    """
    try:
        return _message(raw, me, threads, roles)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _unreadable("message", raw, error) from None


def parse_interaction(raw: Any, account: str) -> InboundMessage | None:  # noqa: ANN401 - as above
    """Read one command. None: no command of ours. Raises UnreadableUpdate."""
    try:
        return _interaction(raw, account) if raw["type"] == COMMAND else None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _unreadable("interaction", raw, error) from None


def _unreadable(what: str, raw: object, error: Exception) -> UnreadableUpdate:
    number = raw.get("id") if isinstance(raw, dict) else None
    said = f"{type(error).__name__} {str(error)[:80]}"
    return UnreadableUpdate(f"{what} {str(number)[:24]} cannot be read: {said}")


def _message(
    raw: Mapping[str, Any], me: Me, threads: AbstractSet[str], roles: AbstractSet[str]
) -> InboundMessage | None:
    number, channel, author = _id(raw["id"]), _id(raw["channel_id"]), raw["author"]
    if raw.get("type", 0) not in _TEXTS or author["id"] == me.id:
        return None
    direct = "guild_id" not in raw
    written = _storable(raw.get("content") or "") or _forwarded(raw)
    attachments = _attachments(raw, channel, number)
    if not written and not attachments:
        return None  # without the intent, texts that are not meant for us are empty
    mentions = raw.get("mentions") or ()
    addressed = direct or channel in threads or _meant(raw, mentions, me, roles)
    text = _spoken(written, me, mentions, roles)
    reference = raw.get("message_reference") or _NOTHING
    return InboundMessage(
        event_id=number,
        account=me.id,
        chat=ChatRef(channel, ChatKind.DIRECT if direct else ChatKind.GROUP),
        sender=_sender(author, raw.get("member")),
        text=text,
        command=_command(text),
        addressed=addressed,
        attachments=attachments,
        sent_at_ms=snowflake_ms(number),
        reply_to=reference.get("message_id") if reference.get("type", 0) != _FORWARD else None,
        details={"message_id": number},
    )


def _meant(raw: Mapping[str, Any], mentions: Any, me: Me, roles: AbstractSet[str]) -> bool:  # noqa: ANN401 - JSON
    """Whether a message names us, by name or by our role, or answers us."""
    replied = raw.get("referenced_message") or _NOTHING
    return (
        any(user["id"] == me.id for user in mentions)
        or (replied.get("author") or _NOTHING).get("id") == me.id
        or not roles.isdisjoint(raw.get("mention_roles") or ())
    )


def _spoken(written: str, me: Me, mentions: Any, roles: AbstractSet[str]) -> str:  # noqa: ANN401 - JSON
    """The text without our name, and with the names of others in place of their ids."""
    if "<@" not in written:
        return written
    text = me.mention.sub("", written)
    for role in roles:
        text = text.replace(f"<@&{role}>", "")
    for user in mentions:
        name = _storable(user.get("global_name") or user.get("username") or "")
        if name:
            text = re.sub(rf"<@!?{re.escape(_id(user['id']))}>", lambda _, name=name: f"@{name}", text)  # type: ignore[misc]
    return text.strip()


def _command(text: str) -> str | None:
    found = _COMMAND.match(text)
    return found[1].lower() if found else None


def _sender(user: Mapping[str, Any], member: Mapping[str, Any] | None) -> Sender:
    name = (member or _NOTHING).get("nick") or user.get("global_name") or user.get("username") or ""
    return Sender(_id(user["id"]), _storable(name), bool(user.get("bot", False)))


def _forwarded(raw: Mapping[str, Any]) -> str:
    """What a forwarded message says."""
    texts = [_storable(one["message"].get("content") or "") for one in raw.get("message_snapshots") or ()]
    return "\n".join(text for text in texts if text)


def _attachments(raw: Mapping[str, Any], channel: str, number: str) -> tuple[Attachment, ...]:
    found = [
        Attachment(
            _kind(one.get("content_type")),
            f"{channel}/{number}/{_id(one['id'])}",
            media_type=one.get("content_type"),
            name=_storable(one.get("filename") or "") or None,
            size_bytes=one.get("size"),
        )
        for one in raw.get("attachments") or ()
    ]
    stickers = raw.get("sticker_items") or ()
    found += [Attachment(AttachmentKind.OTHER, "", name=_storable(one.get("name") or "")) for one in stickers]
    return tuple(found)


def _kind(media_type: str | None) -> AttachmentKind:
    return _MEDIA.get((media_type or "").partition("/")[0], AttachmentKind.DOCUMENT)


def _interaction(raw: Mapping[str, Any], account: str) -> InboundMessage:
    number, data = _id(raw["id"]), raw["data"]
    name = _storable(data["name"]).lower()
    options = {one["name"]: one.get("value") for one in data.get("options") or ()}
    said = _storable(str(options.get("text") or ""))
    direct = "guild_id" not in raw
    member = raw.get("member")
    text = said if name == "ask" else f"/{name} {said}".rstrip()
    return InboundMessage(
        event_id=number,
        account=account,
        chat=ChatRef(_id(raw["channel_id"]), ChatKind.DIRECT if direct else ChatKind.GROUP),
        sender=_sender(raw["user"] if member is None else member["user"], member),
        text=text,
        command=None if name == "ask" else name,
        sent_at_ms=snowflake_ms(number),
        details={
            "interaction": number,
            "application": _id(raw["application_id"]),
            "token": _secret(raw["token"]),
        },
    )


def _id(value: object) -> str:
    """An id: a whole number, as text."""
    if not isinstance(value, str) or not (value.isascii() and value.isdigit()) or len(value) > _LONGEST_ID:
        raise TypeError("an id is no number")
    return value


def _secret(value: object) -> str:
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise TypeError("a token is none")
    return value


def _storable(text: object) -> str:
    """A text that every store takes: no half of a surrogate pair, no NUL."""
    if not isinstance(text, str):
        raise TypeError("a text is no text")
    return text.encode(errors="replace").decode().replace("\0", "")


# ── outwards ─────────────────────────────────────────────────────────────────────────────────────────────────


def content(text: str) -> str:
    """A reply as Discord shows it, within its limit wherever the reply itself was."""
    return render(text, DISCORD, LONGEST_TEXT, utf16_units)


def message_fields(message: OutboundMessage) -> dict[str, object]:
    """The body of a new message in a channel. In a group it quotes what it answers, if that still exists."""
    fields: dict[str, object] = {
        "content": content(message.text),
        "allowed_mentions": PINGS_NOBODY,
        "nonce": nonce(message.key),
        "enforce_nonce": True,
    }
    quoted = message.details.get("message_id")
    if message.chat.kind is ChatKind.GROUP and quoted is not None:
        fields["message_reference"] = {"message_id": str(quoted), "fail_if_not_exists": False}
    return fields


def answer_fields(message: OutboundMessage) -> dict[str, object]:
    """The body of an answer to an interaction."""
    return {"content": content(message.text), "allowed_mentions": PINGS_NOBODY}


def nonce(key: str) -> str:
    """The same 24 characters for the same key, always; Discord takes up to 25."""
    return urlsafe_b64encode(hashlib.sha256(key.encode()).digest()[:18]).decode()


def same_command(there: Mapping[str, Any], wanted: Mapping[str, object]) -> bool:
    """Whether a command is registered as it should be; Discord adds fields and leaves out what is empty."""
    options = wanted.get("options", [])
    known = [
        {name: one.get(name) for name in ("type", "name", "description", "required")}
        for one in there.get("options") or ()
    ]
    return there.get("description") == wanted["description"] and known == options
